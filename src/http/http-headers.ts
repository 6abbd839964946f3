// Headers as the library's users see them: text, with the bytes within reach.

import { type ByteString, bytesOf, decodeText, encodeText } from "../encoding/bytes.ts";
import { type HeaderEntry, HeaderMap, type HeaderMapKind } from "./header-map.ts";

/** What can be given as headers: an object whose values are one or several, or a list of pairs. Text is sent as UTF-8. */
export type HeadersInit =
  | Readonly<Record<string, string | Uint8Array | readonly (string | Uint8Array)[]>>
  | Iterable<readonly [name: string, value: string | Uint8Array]>;

/** The headers or trailers of a message, in order, repeated names kept. Names are compared without regard to case. */
export class HttpHeaders implements Iterable<[name: string, value: string]> {
  readonly #map: HeaderMap | undefined;

  /** A view of this map; of none when it is undefined. @internal */
  constructor(map: HeaderMap | undefined) {
    this.#map = map;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#map?.size ?? 0;
  }

  /** The first value of this name as text, bytes that are no UTF-8 as U+FFFD; `null` when there is none. */
  get(name: string): string | null {
    const value = this.#get(name);
    return value === undefined ? null : decodeText(value);
  }

  /** The first value of this name, byte for byte; `null` when there is none. */
  getBytes(name: string): Uint8Array | null {
    const value = this.#get(name);
    return value === undefined ? null : bytesOf(value);
  }

  /** Every value of this name as text, in order. */
  getAll(name: string): string[] {
    const map = this.#map;
    return map ? map.getAll(map.key(encodeText(name))).map(decodeText) : [];
  }

  /** Whether there is a value of this name, if only an empty one. */
  has(name: string): boolean {
    return this.#get(name) !== undefined;
  }

  /** Every name and value as text, in order. */
  entries(): [name: string, value: string][] {
    return (this.#map?.entries ?? []).map(([name, value]) => [decodeText(name), decodeText(value)]);
  }

  #get(name: string): ByteString | undefined {
    const map = this.#map;
    return map?.get(map.key(encodeText(name)));
  }

  /** The entries, one by one. */
  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.entries()[Symbol.iterator]();
  }

  /** The entries as an object; repeated names are joined with a comma. */
  toJSON(): Record<string, string> {
    const joined = new Map<string, string>();
    for (const [name, value] of this.entries()) {
      const before = joined.get(name);
      joined.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    return Object.fromEntries(joined);
  }
}

/** The entries of what a user gave as headers. */
export function headerEntries(init: HeadersInit | undefined): HeaderEntry[] {
  const entries: HeaderEntry[] = [];
  eachHeader(init, (name, value) => entries.push([encodeText(name), encodeText(value)]));
  return entries;
}

/** The header map that stands for what a user gave as headers; `joins` says whether what Envoy keeps once is joined. */
export function toHeaderMap(kind: HeaderMapKind, init: HeadersInit | undefined, joins: boolean): HeaderMap {
  const map = new HeaderMap(kind);
  eachHeader(init, (name, value) => (joins ? map.addText(name, value) : map.appendText(name, value)));
  return map;
}

type Value = string | Uint8Array;

function eachHeader(init: HeadersInit | undefined, add: (name: string, value: Value) => void): void {
  if (!init) return;
  if (Symbol.iterator in init) for (const entry of init) eachValue(entry[0], entry[1], add);
  else for (const name of Object.keys(init)) eachValue(name, init[name]!, add);
}

function eachValue(name: string, value: Value | readonly Value[], add: (name: string, value: Value) => void): void {
  if (typeof value === "string" || value instanceof Uint8Array) add(name, value);
  else for (const one of value) add(name, one);
}
