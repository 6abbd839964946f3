// The bytes that a filter gets of a property's value. Source: Envoy source/extensions/common/wasm/context.cc
// (`serializeValue`).

import { byteString, bytesOf } from "../encoding/bytes.ts";
import type { HeaderEntry } from "../http/header-map.ts";
import { encodePairs } from "../encoding/pairs.ts";
import { isPropertyList, type PropertyValue } from "./property-value.ts";

/** The bytes of a value; undefined when it has none. */
export function propertyBytes(value: PropertyValue): Uint8Array | undefined {
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
    const [nameBytes, valueBytes] = [propertyBytes(name), propertyBytes(value)];
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
