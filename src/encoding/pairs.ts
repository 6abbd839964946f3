// The wire form of a header map: a count, the two sizes of every entry, then every name and value, each with a NUL
// behind it; numbers are 32 bits, little endian. Source: proxy-wasm/spec v0.2.1, "Serialization".

import { type ByteString, byteString } from "./bytes.ts";
import type { HeaderEntry } from "../http/header-map.ts";
import type { Limits } from "../limits.ts";

/** The bytes of these entries. */
export function encodePairs(entries: readonly HeaderEntry[]): Uint8Array {
  const size = entries.reduce((sum, [name, value]) => sum + 10 + name.length + value.length, 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entries.length, true);
  let sizes = 4;
  let at = 4 + entries.length * 8;
  const put = (text: ByteString): void => {
    view.setUint32(sizes, text.length, true);
    sizes += 4;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    at++;
  };
  for (const [name, value] of entries) {
    put(name);
    put(value);
  }
  return bytes;
}

/** The entries of these bytes; none when they are malformed or beyond the limits, as proxy-wasm-cpp-host has it. */
export function decodePairs(bytes: Uint8Array, limits: Limits): HeaderEntry[] {
  if (bytes.length < 4 || bytes.length > limits.headerBytes) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(0, true);
  let at = 4 + count * 8;
  if (count > limits.headerPairs || at > bytes.length) return [];
  const entries: HeaderEntry[] = [];
  for (let i = 0; i < count; i++) {
    const nameEnd = at + view.getUint32(4 + i * 8, true);
    const valueEnd = nameEnd + 1 + view.getUint32(8 + i * 8, true);
    if (valueEnd >= bytes.length || bytes[nameEnd] !== 0 || bytes[valueEnd] !== 0) return [];
    entries.push([byteString(bytes.subarray(at, nameEnd)), byteString(bytes.subarray(nameEnd + 1, valueEnd))]);
    at = valueEnd + 1;
  }
  return at === bytes.length ? entries : [];
}
