// The JSON reader behind functions that a test calls through @assemblyscript/loader.

import { JsonType, JsonValue, parseJson } from "proxy-wasm/assembly/json";
import { structToJson } from "proxy-wasm/assembly/struct";

export const Uint8Array_ID = idof<Uint8Array>();

/** What was read, written again: members in order, texts quoted by their units' numbers; then the mistakes, a line each. */
export function describe(bytes: Uint8Array): string {
  const json = parseJson(bytes);
  const text = json.exists ? valueText(json) : "";
  return json.mistakes.length ? "!" + json.mistakes.join("\n") : text;
}

/** Asks a text for everything that it is not; gives the mistakes. */
export function askWrongly(bytes: Uint8Array): string {
  const json = parseJson(bytes, "it");
  probe(json);
  return json.mistakes.join("\n");
}

/** The value of a member, by its name. */
export function member(bytes: Uint8Array, name: string): string {
  const value = parseJson(bytes).get(name);
  return value.exists ? valueText(value) : "missing";
}

/** The number as an integer of a type, or the mistake. */
export function integer(bytes: Uint8Array, type: string): string {
  const json = parseJson(bytes);
  const text = integerText(json, type);
  return json.mistakes.length ? "!" + json.mistakes.join("\n") : text;
}

/** The JSON of a Struct; `null` for none. */
export function fromStruct(bytes: Uint8Array): Uint8Array | null {
  return structToJson(bytes);
}

function integerText(json: JsonValue, type: string): string {
  if (type == "u8") return json.integer<u8>().toString();
  if (type == "i8") return json.integer<i8>().toString();
  if (type == "u16") return json.integer<u16>().toString();
  if (type == "i16") return json.integer<i16>().toString();
  if (type == "u32") return json.integer<u32>().toString();
  if (type == "i32") return json.integer<i32>().toString();
  if (type == "u64") return json.integer<u64>().toString();
  return json.integer<i64>().toString();
}

function valueText(json: JsonValue): string {
  switch (json.type) {
    case JsonType.Null:
      return "null";
    case JsonType.Boolean:
      return json.bool().toString();
    case JsonType.Number:
      return reinterpret<u64>(json.number()).toString(16);
    case JsonType.String:
      return textText(json.text());
    case JsonType.Array: {
      const items = json.items();
      let text = "[";
      for (let i = 0; i < items.length; i++) text += valueText(items[i]) + ";";
      return text + "]";
    }
    case JsonType.Object: {
      const members = json.members();
      let text = "{";
      for (let i = 0; i < members.length; i++) {
        text += textText(members[i].name) + ":" + valueText(members[i].value) + ";";
      }
      return text + "}";
    }
    default:
      return "missing";
  }
}

function textText(text: string): string {
  let out = "'";
  for (let i = 0; i < text.length; i++) out += text.charCodeAt(i).toString(16) + ",";
  return out;
}

function probe(json: JsonValue): void {
  json.text();
  json.bool();
  json.number();
  json.integer<u8>();
  json.integer<i64>();
  json.get("a").get("b").text();
  json.get("").textOr("x");
  json.only(["a"]);
  const items = json.items();
  for (let i = 0; i < items.length; i++) probe(items[i]);
  const members = json.members();
  for (let i = 0; i < members.length; i++) probe(members[i].value);
}
