// Values of Envoy's attributes as CEL has them, and back.

import {
  type CelError,
  celError,
  type CelInput,
  type CelMap,
  celMap,
  type CelResult,
  type CelUint,
  isCelList,
  isCelMap,
  isCelUint,
} from "@bufbuild/cel";
import { create, isMessage } from "@bufbuild/protobuf";
import { isReflectMessage } from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";

import { type ByteString, byteString, decodeText, encodeText } from "../encoding/bytes.ts";
import type { Attributes } from "./expressions.ts";
import { isPropertyList, type PropertyMap, type PropertyValue } from "./property-value.ts";

/** Attributes whose integers stand for nanoseconds. */
const times: Readonly<Record<string, typeof DurationSchema | typeof TimestampSchema>> = {
  "request.time": TimestampSchema,
  "request.duration": DurationSchema,
  "response.backend_latency": DurationSchema,
  "upstream.cx_pool_ready_duration": DurationSchema,
};

/** Names that CEL knows by itself. */
const types: ReadonlySet<string> = new Set("bool bytes double int list map null_type string type uint".split(" "));

/** The names that an expression begins with, each looked up when it is needed. One that means nothing is an error. */
export function namesIn(attributes: Attributes): Record<string, CelInput> {
  const find = (name: string): CelInput | CelError | undefined => {
    // Of a.b.c all of it is asked for first. Messages have no type in Envoy that could be named.
    if (types.has(name) || (name.includes(".") && !name.startsWith("google."))) return undefined;
    return toCel(attributes(encodeText(name)), name) ?? celError(`there is no ${name}`);
  };
  return new Proxy({}, { get: (_names, name) => (typeof name === "string" ? find(name) : undefined) });
}

/** What a map of the expression's stands for, so that it can be given as a whole. */
const stoodFor = new WeakMap<CelMap, PropertyMap>();

function toCel(value: PropertyValue | undefined, path: string): CelInput | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return textOf(value);
  if (typeof value === "bigint" && times[path]) {
    const seconds = value / BILLION;
    return create(times[path], { seconds, nanos: Number(value - seconds * BILLION) });
  }
  if (typeof value !== "object" || value === null) return value;
  if (isPropertyList(value)) return value.map((item) => toCel(item, "")!);
  const map = celMap(new Parts(value, path));
  stoodFor.set(map, value);
  return map;
}

/** A value with named parts as a map. */
class Parts implements ReadonlyMap<bigint | string | boolean | CelUint, CelInput> {
  readonly #value: PropertyMap;
  readonly #path: string;

  constructor(value: PropertyMap, path: string) {
    this.#value = value;
    this.#path = path;
  }

  get size(): number {
    return [...this.keys()].length;
  }

  get(key: unknown): CelInput | undefined {
    return typeof key === "string" ? toCel(this.#value.get(bytesIn(key)), `${this.#path}.${key}`) : undefined;
  }

  has(key: unknown): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): MapIterator<[string, CelInput]> {
    for (const [name, value] of this.#value.entries?.() ?? []) yield [textOf(name), toCel(value, "")!];
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<CelInput> {
    for (const [, value] of this.entries()) yield value;
  }

  forEach(act: (value: CelInput, key: string, map: this) => void): void {
    for (const [name, value] of this.entries()) act(value, name, this);
  }

  [Symbol.iterator](): MapIterator<[string, CelInput]> {
    return this.entries();
  }
}

const BILLION = 1_000_000_000n;
const nothing: PropertyMap = { get: () => undefined };

/** A value of CEL as the value of a property. */
export function fromCel(value: Exclude<CelResult, Error>): PropertyValue {
  if (typeof value === "string") return bytesIn(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return byteString(value);
  if (isCelUint(value)) return value.value;
  if (isCelList(value)) return Array.from(value, fromCel);
  if (isCelMap(value)) {
    const map = stoodFor.get(value);
    if (map) return map;
    const entries = [...value].map(([key, item]) => [fromCel(key), fromCel(item)] as const);
    return { get: () => undefined, entries: () => entries as Iterable<readonly [ByteString, PropertyValue]> };
  }
  const { message } = isReflectMessage(value) ? value : {};
  if (isMessage(message, DurationSchema) || isMessage(message, TimestampSchema)) {
    return message.seconds * BILLION + BigInt(message.nanos);
  }
  return nothing;
}

// Bytes that are no UTF-8 stand as lone surrogates, so that they come out as they went in.
const SURROGATE = 0xdc00;

function textOf(bytes: ByteString): string {
  const text = decodeText(bytes);
  if (!text.includes("\ufffd") || encodeText(text) === bytes) return text;
  return bytes.replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(SURROGATE + byte.charCodeAt(0)));
}

function bytesIn(text: string): ByteString {
  if (!/\p{Surrogate}/u.test(text)) return encodeText(text);
  return Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    return code >= SURROGATE + 0x80 && code <= SURROGATE + 0xff
      ? String.fromCharCode(code - SURROGATE)
      : encodeText(character);
  }).join("");
}
