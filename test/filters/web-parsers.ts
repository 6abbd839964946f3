// The parsers behind the web's words and behind properties, as functions that a test calls through
// @assemblyscript/loader. Lists are given as names and values in turn.

import { parseContentType } from "proxy-wasm/assembly/content-type";
import { parseCookies } from "proxy-wasm/assembly/cookies";
import { ipOf, parseForwardedFor } from "proxy-wasm/assembly/forwarded";
import { Parameters } from "proxy-wasm/assembly/parameters";
import { PropertyMap, PropertyValue } from "proxy-wasm/assembly/properties";
import { parseQuery } from "proxy-wasm/assembly/query";

export const Uint8Array_ID = idof<Uint8Array>();

function flat(parameters: Parameters, list: string[] = []): string[] {
  const entries = parameters.entries();
  for (let i = 0; i < entries.length; i++) {
    list.push(entries[i].name);
    list.push(entries[i].value);
  }
  return list;
}

export function query(text: string): string[] {
  return flat(parseQuery(text));
}

export function cookies(text: string): string[] {
  return flat(parseCookies(text));
}

export function forwardedFor(text: string): string[] {
  return parseForwardedFor(text);
}

export function ip(text: string): string {
  return ipOf(text);
}

/** Type, then the parameters; nothing when it is no media type. */
export function contentType(text: string): string[] {
  const type = parseContentType(text);
  return type === null ? [] : flat(type.parameters, [type.type]);
}

/** First, all, and whether there is one. */
export function lookUp(text: string, name: string): string[] {
  const parameters = parseQuery(text);
  const first = parameters.get(name);
  const list = [parameters.has(name) ? "has" : "-", first === null ? "null" : '"' + first + '"'];
  return list.concat(parameters.getAll(name));
}

export function toI64(bytes: Uint8Array): i64 {
  return new PropertyValue(bytes).toI64(-7);
}

export function toNanoseconds(bytes: Uint8Array): i64 {
  return new PropertyValue(bytes).toNanoseconds(-7);
}

export function toF64(bytes: Uint8Array): f64 {
  return new PropertyValue(bytes).toF64(-7);
}

/** 0 false, 1 true, 2 neither. */
export function toBool(bytes: Uint8Array): i32 {
  const value = new PropertyValue(bytes);
  return value.toBool(true) != value.toBool(false) ? 2 : i32(value.toBool());
}

/** The names of a map, each with the bytes that are found under it. */
export function map(bytes: Uint8Array): Uint8Array[] {
  const map = new PropertyMap(bytes);
  const keys = map.keys();
  const list: Uint8Array[] = [];
  for (let i = 0; i < keys.length; i++) {
    list.push(Uint8Array.wrap(String.UTF8.encode(keys[i])));
    list.push(map.get(keys[i])!.bytes);
  }
  return list;
}

/** The items of a list. */
export function list(bytes: Uint8Array): Uint8Array[] {
  const items = new PropertyValue(bytes).toList();
  const list: Uint8Array[] = [];
  for (let i = 0; i < items.length; i++) list.push(items[i].bytes);
  return list;
}
