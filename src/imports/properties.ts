// Properties. Source: proxy-wasm/spec v0.2.1, "Properties".

import { Status } from "../../assembly/abi.ts";
import { Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { propertyBytes } from "../properties/property-bytes.ts";
import { setTextProperty, textProperty } from "../contexts/text-properties.ts";
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
      const bytes = propertyBytes(value);
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
