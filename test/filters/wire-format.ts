// The wire format behind functions that a test calls through @assemblyscript/loader: text, header names, header lists.

import { Headers } from "proxy-wasm/assembly/headers";
import { beginCall, written } from "proxy-wasm/assembly/memory";
import { countPairs, sameName } from "proxy-wasm/assembly/pairs";
import { decode, encode, MAX_BYTES_PER_UNIT, sizeOf } from "proxy-wasm/assembly/utf8";

export const Uint8Array_ID = idof<Uint8Array>();

/** The bytes of a text. */
export function encodeText(text: string): Uint8Array {
  const room = (sizeOf(changetype<usize>(text)) >> 1) * MAX_BYTES_PER_UNIT;
  const bytes = new Uint8Array(room as i32);
  const end = encode(changetype<usize>(text), bytes.dataStart);
  return bytes.slice(0, (end - bytes.dataStart) as i32);
}

/** The text that bytes spell. */
export function decodeText(bytes: Uint8Array): string {
  return decode(bytes.dataStart, bytes.byteLength);
}

/** Whether two names are the same. */
export function isSameName(name: Uint8Array, other: Uint8Array): bool {
  return sameName(name.dataStart, name.byteLength, other.dataStart, other.byteLength);
}

/** How many entries the wire form says there are. */
export function count(pairs: Uint8Array): u32 {
  return countPairs(pairs.dataStart, pairs.byteLength);
}

/** An empty list. */
export function newHeaders(): Headers {
  return new Headers();
}

/** The list that the wire form spells. */
export function decodeHeaders(pairs: Uint8Array): Headers {
  return Headers.decode(pairs.dataStart, pairs.byteLength);
}

/** The wire form of a list. */
export function encodeHeaders(headers: Headers): Uint8Array {
  beginCall();
  const at = headers.encode();
  const pairs = new Uint8Array(written as i32);
  memory.copy(pairs.dataStart, at, written);
  return pairs;
}

export function append(headers: Headers, name: string, value: string): void {
  headers.append(name, value);
}

export function appendBytes(headers: Headers, name: string, value: Uint8Array): void {
  headers.appendBytes(name, value);
}

export function set(headers: Headers, name: string, value: string): void {
  headers.set(name, value);
}

export function setBytes(headers: Headers, name: string, value: Uint8Array): void {
  headers.setBytes(name, value);
}

export function remove(headers: Headers, name: string): void {
  headers.delete(name);
}

/** The first value of this name; no object when there is none. */
export function getBytes(headers: Headers, name: string): Uint8Array | null {
  return headers.getBytes(name);
}

/** The number of values of this name. */
export function countOf(headers: Headers, name: string): i32 {
  return headers.getAllBytes(name).length;
}

/** Every entry's name and value, one behind the other. */
export function entries(headers: Headers): Uint8Array[] {
  const entries = headers.entries();
  const parts: Uint8Array[] = [];
  for (let i = 0; i < entries.length; i++) {
    parts.push(entries[i].nameBytes);
    parts.push(entries[i].valueBytes);
  }
  return parts;
}
