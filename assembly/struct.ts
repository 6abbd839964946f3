// `google.protobuf.Struct`: what Envoy hands on, in protobuf's binary form, when a plugin's configuration is one.
// Source: google/protobuf/struct.proto; a running Envoy 1.40.

import { MessageReader } from "./protobuf";

const MOST_DEPTH: i32 = 64;

/**
 * The JSON text of a binary `google.protobuf.Struct`, for `parseJson`; `null` for what is none. An operator who writes
 * `configuration: {"@type": type.googleapis.com/google.protobuf.Struct, value: {…}}` makes Envoy give a filter these
 * bytes, not JSON. Istio, Envoy Gateway and others that manage Envoy send a StringValue with JSON text instead.
 */
export function structToJson(bytes: Uint8Array): Uint8Array | null {
  const text = structText(bytes, 0);
  return text !== null ? Uint8Array.wrap(String.UTF8.encode(text)) : null;
}

function structText(bytes: Uint8Array, depth: i32): string | null {
  const fields = new MessageReader(bytes);
  let text = "";
  while (fields.next()) {
    if (fields.field != 1) continue;
    const entry = new MessageReader(fields.bytes());
    let name = "";
    let value: string | null = "null";
    while (entry.next()) {
      if (entry.field == 1) name = entry.text();
      else if (entry.field == 2) value = valueText(entry.bytes(), depth + 1);
    }
    if (entry.failed || value === null) return null;
    text += (text.length ? "," : "") + quoted(name) + ":" + value;
  }
  return fields.failed ? null : "{" + text + "}";
}

function listText(bytes: Uint8Array, depth: i32): string | null {
  const fields = new MessageReader(bytes);
  let text = "";
  while (fields.next()) {
    if (fields.field != 1) continue;
    const value = valueText(fields.bytes(), depth + 1);
    if (value === null) return null;
    text += (text.length ? "," : "") + value;
  }
  return fields.failed ? null : "[" + text + "]";
}

function valueText(bytes: Uint8Array, depth: i32): string | null {
  if (depth > MOST_DEPTH) return null;
  const fields = new MessageReader(bytes);
  let text: string | null = "null";
  while (fields.next()) {
    switch (fields.field) {
      case 2:
        text = numberText(reinterpret<f64>(fields.number));
        break;
      case 3:
        text = quoted(fields.text());
        break;
      case 4:
        text = fields.number ? "true" : "false";
        break;
      case 5:
        text = structText(fields.bytes(), depth);
        break;
      case 6:
        text = listText(fields.bytes(), depth);
        break;
      default:
        text = "null";
    }
    if (text === null) return null;
  }
  return fields.failed ? null : text;
}

function numberText(value: f64): string {
  if (!isFinite(value)) return "null";
  // Without this, AssemblyScript writes 5 as 5.0.
  return value == trunc(value) && abs(value) < 1e15 ? (value as i64).toString() : value.toString();
}

function quoted(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) out += "\\" + text.charAt(i);
    else if (unit < 0x20) out += "\\u00" + (unit < 0x10 ? "0" : "") + unit.toString(16);
    else out += text.charAt(i);
  }
  return out + '"';
}
