// Properties, and the bytes that a filter gets of their values. Source: proxy-wasm/spec v0.2.1, "Properties"; Envoy
// source/extensions/common/wasm/context.cc (`serializeValue`).

import { Status } from "../../assembly/abi.ts";
import { byteString, bytesOf } from "../bytes.ts";
import { Refusal } from "../error.ts";
import type { HeaderEntry } from "../header-map.ts";
import { beyond } from "../limits.ts";
import { encodePairs } from "../pairs.ts";
import { isPropertyList, type PropertyValue } from "../property-value.ts";
import { setTextProperty, textProperty } from "../text-properties.ts";
import type { Family } from "./families.ts";
import { isRefusal } from "./families.ts";

export const propertyCalls: Family = ({ vm, host }) => {
  const { properties } = host.proxy.profile;
  const { limits } = host;
  return {
    proxy_get_property(path: number, pathSize: number, returnValue: number, returnValueSize: number) {
      if (!vm.memory.has(path, pathSize)) return vm.memory.outside("the path", path, pathSize);
      if (pathSize > limits.propertyBytes) return beyond("propertyBytes", "the bytes of the path", pathSize, limits);
      if (properties !== "attributes") {
        const text = textProperty(vm.memory.text(path, pathSize), vm.context!, properties);
        return isRefusal(text) ? text : vm.memory.give(text, returnValue, returnValueSize);
      }
      const segments = vm.memory.text(path, pathSize).split("\0");
      // One NUL at the end is no segment: the C++ SDK writes it.
      if (segments.at(-1) === "") segments.pop();
      const value = vm.context!.property(segments);
      if (isRefusal(value)) return value;
      const bytes = toBytes(value);
      if (bytes) return vm.memory.give(bytes, returnValue, returnValueSize);
      return new Refusal(
        Status.SerializationFailure,
        `property ${segments.join(".")} as a whole has no bytes: read what is in it`,
      );
    },

    proxy_set_property(path: number, pathSize: number, value: number, valueSize: number) {
      if (!vm.memory.has(path, pathSize)) return vm.memory.outside("the path", path, pathSize);
      if (!vm.memory.has(value, valueSize)) return vm.memory.outside("the value", value, valueSize);
      const size = pathSize + valueSize;
      if (size > limits.propertyBytes) return beyond("propertyBytes", "the bytes of the property", size, limits);
      const [name, text] = [vm.memory.text(path, pathSize), vm.memory.text(value, valueSize)];
      return properties === "attributes"
        ? vm.context!.setProperty(name, text)
        : setTextProperty(name, text, vm.context!, properties);
    },
  };
};

/** The bytes of a value; undefined when it has none. */
function toBytes(value: PropertyValue): Uint8Array | undefined {
  if (typeof value === "string") return bytesOf(value);
  if (typeof value === "boolean") return Uint8Array.of(value ? 1 : 0);
  if (typeof value === "bigint") return eightBytes((view) => view.setBigInt64(0, BigInt.asIntN(64, value), true));
  if (typeof value === "number") return eightBytes((view) => view.setFloat64(0, value, true));
  if (value === null) return undefined;
  if (isPropertyList(value)) return toPairs(value.map((item) => [item, ""]));
  const entries = value.entries?.();
  return entries ? toPairs([...entries]) : value.bytes?.();
}

/** Pairs of values, each in its own bytes; undefined when one has none. */
function toPairs(entries: readonly (readonly [PropertyValue, PropertyValue])[]): Uint8Array | undefined {
  const encoded: HeaderEntry[] = [];
  for (const [name, value] of entries) {
    const [nameBytes, valueBytes] = [toBytes(name), toBytes(value)];
    if (!nameBytes || !valueBytes) return undefined;
    encoded.push([byteString(nameBytes), byteString(valueBytes)]);
  }
  return encodePairs(encoded);
}

function eightBytes(write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(8);
  write(new DataView(bytes.buffer));
  return bytes;
}
