// Properties that are protocol buffers: which fields a message has, how one is read, and its bytes.
// Source: envoy/config/core/v3/base.proto, google/protobuf/struct.proto; the protocol buffers encoding.

import { type ByteString, byteString, encodeText } from "../encoding/bytes.ts";
import type { PropertyMap, PropertyValue } from "./property-value.ts";

/** What a message is made from: an object as in JSON. Integers of 64 bits are bigints. */
export type Plain =
  string | number | bigint | boolean | null | Uint8Array | readonly Plain[] | { readonly [name: string]: Plain };

type FieldType =
  | "string"
  | "bytes"
  | "uint32"
  | "bool"
  | "struct"
  | MessageType
  | { readonly mapOf: FieldType }
  | readonly [FieldType];

/** The fields of a message by name, in the order of their numbers. */
export interface MessageType {
  readonly fields: Readonly<Record<string, readonly [number: number, type: FieldType]>>;
}

const any: MessageType = { fields: { type_url: [1, "string"], value: [2, "bytes"] } };

/** `envoy.config.core.v3.Metadata`. */
export const metadataType: MessageType = {
  fields: { filter_metadata: [1, { mapOf: "struct" }], typed_filter_metadata: [2, { mapOf: any }] },
};

/** `envoy.config.core.v3.Locality`. */
export const localityType: MessageType = {
  fields: { region: [1, "string"], zone: [2, "string"], sub_zone: [3, "string"] },
};

const semanticVersion: MessageType = {
  fields: { major_number: [1, "uint32"], minor_number: [2, "uint32"], patch: [3, "uint32"] },
};

const buildVersion: MessageType = { fields: { version: [1, semanticVersion], metadata: [2, "struct"] } };

const extension: MessageType = {
  fields: {
    name: [1, "string"],
    category: [2, "string"],
    type_descriptor: [3, "string"],
    version: [4, buildVersion],
    disabled: [5, "bool"],
    type_urls: [6, ["string"]],
  },
};

const contextParams: MessageType = { fields: { params: [1, { mapOf: "string" }] } };

const socketAddress: MessageType = {
  fields: { address: [2, "string"], port_value: [3, "uint32"], named_port: [4, "string"] },
};

const address: MessageType = { fields: { socket_address: [1, socketAddress] } };

/** `envoy.config.core.v3.Node`. */
export const nodeType: MessageType = {
  fields: {
    id: [1, "string"],
    cluster: [2, "string"],
    metadata: [3, "struct"],
    locality: [4, localityType],
    user_agent_name: [6, "string"],
    user_agent_version: [7, "string"],
    user_agent_build_version: [8, buildVersion],
    extensions: [9, [extension]],
    client_features: [10, ["string"]],
    listening_addresses: [11, [address]],
    dynamic_parameters: [12, { mapOf: contextParams }],
  },
};

/** A message: its fields by name, those that are not set too. */
export class PropertyMessage implements PropertyMap {
  readonly #type: MessageType;
  readonly #data: Readonly<Record<string, Plain>>;

  constructor(type: MessageType, data: Plain | undefined) {
    this.#type = type;
    this.#data = object(data);
  }

  get(name: ByteString): PropertyValue | undefined {
    const field = Object.hasOwn(this.#type.fields, name) ? this.#type.fields[name] : undefined;
    return field && fieldValue(field[1], own(this.#data, name));
  }

  bytes(): Uint8Array {
    return Uint8Array.from(encodeMessage(this.#type, this.#data));
  }
}

/** The value of a `google.protobuf.Value`, as CEL sees it: numbers are doubles. */
export function structValue(data: Plain): PropertyValue {
  if (typeof data === "string" || data instanceof Uint8Array) return encodeText(data);
  if (typeof data === "bigint") return Number(data);
  if (typeof data !== "object" || data === null) return data;
  if (isArray(data)) return data.map(structValue);
  return new Map(Object.entries(data).map(([name, value]) => [encodeText(name), structValue(value)]));
}

/** The names in these data that the message has no field for, as paths. */
export function unknownFields(type: MessageType, data: Plain): string[] {
  return Object.entries(object(data)).flatMap(([name, value]) => {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name]![1] : undefined;
    if (field === undefined) return [name];
    return isMessage(field) ? unknownFields(field, value).map((inner) => `${name}.${inner}`) : [];
  });
}

function fieldValue(type: FieldType, data: Plain | undefined): PropertyValue {
  if (type === "string" || type === "bytes") return text(data);
  if (type === "uint32") return integer(data);
  if (type === "bool") return data === true;
  if (type === "struct") return structValue(object(data));
  if (isMessage(type)) return new PropertyMessage(type, data);
  if ("mapOf" in type) {
    const { mapOf } = type;
    return new Map(Object.entries(object(data)).map(([name, value]) => [encodeText(name), fieldValue(mapOf, value)]));
  }
  return list(data).map((item) => fieldValue(type[0], item));
}

function encodeMessage(type: MessageType, data: Readonly<Record<string, Plain>>): number[] {
  return Object.entries(type.fields).flatMap(([name, [number, fieldType]]) => {
    const value = own(data, name);
    return value === undefined || value === null ? [] : encodeField(number, fieldType, value, false);
  });
}

/** A field with its number; a value that a reader would assume anyway is left out unless it `counts`. */
function encodeField(number: number, type: FieldType, data: Plain, counts: boolean): number[] {
  if (type === "string" || type === "bytes") {
    const value = text(data);
    return value || counts ? delimited(number, ascii(value)) : [];
  }
  if (type === "uint32" || type === "bool") {
    const value = type === "bool" ? BigInt(data === true) : integer(data);
    return value || counts ? [...varint(BigInt(number) << 3n), ...varint(value)] : [];
  }
  if (type === "struct") return delimited(number, encodeStruct(object(data)));
  if (isMessage(type)) return delimited(number, encodeMessage(type, object(data)));
  if ("mapOf" in type) {
    const { mapOf } = type;
    return Object.entries(object(data)).flatMap(([name, value]) =>
      delimited(number, [...encodeField(1, "string", name, true), ...encodeField(2, mapOf, value, true)]),
    );
  }
  return list(data).flatMap((item) => encodeField(number, type[0], item, true));
}

function encodeStruct(data: Readonly<Record<string, Plain>>): number[] {
  return Object.entries(data).flatMap(([name, value]) =>
    delimited(1, [...encodeField(1, "string", name, true), ...delimited(2, encodeValue(value))]),
  );
}

/** The bytes of a `google.protobuf.Value`. */
function encodeValue(data: Plain): number[] {
  if (data === null) return [0x08, 0];
  if (typeof data === "number" || typeof data === "bigint") {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, Number(data), true);
    return [0x11, ...bytes];
  }
  if (typeof data === "string" || data instanceof Uint8Array) return encodeField(3, "string", data, true);
  if (typeof data === "boolean") return [0x20, data ? 1 : 0];
  if (!isArray(data)) return delimited(5, encodeStruct(data));
  return delimited(
    6,
    data.flatMap((item) => delimited(1, encodeValue(item))),
  );
}

function delimited(number: number, bytes: readonly number[]): number[] {
  return [...varint((BigInt(number) << 3n) | 2n), ...varint(BigInt(bytes.length)), ...bytes];
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value > 0x7fn; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return [...bytes, Number(value)];
}

function ascii(value: ByteString): number[] {
  return Array.from(value, (unit) => unit.charCodeAt(0));
}

function text(data: Plain | undefined): ByteString {
  if (data instanceof Uint8Array) return byteString(data);
  return data === undefined || data === null ? "" : encodeText(String(data));
}

function integer(data: Plain | undefined): bigint {
  return typeof data === "bigint" ? data : BigInt(Math.trunc(Number(data ?? 0)) || 0);
}

function list(data: Plain | undefined): readonly Plain[] {
  return isArray(data) ? data : [];
}

function object(data: Plain | undefined): Readonly<Record<string, Plain>> {
  const isObject = typeof data === "object" && data !== null && !isArray(data) && !(data instanceof Uint8Array);
  return isObject ? data : {};
}

function own(data: Readonly<Record<string, Plain>>, name: string): Plain | undefined {
  return Object.hasOwn(data, name) ? data[name] : undefined;
}

function isArray(data: Plain | undefined): data is readonly Plain[] {
  return Array.isArray(data);
}

function isMessage(type: FieldType): type is MessageType {
  return typeof type === "object" && "fields" in type;
}
