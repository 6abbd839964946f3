// Protocol buffers on the wire, as far as Envoy's foreign functions take and give them: fields by their numbers.
// Source: protobuf.dev, "Encoding"; what C++'s ParseFromString refuses.

import { toBytes } from "./bytes.ts";

/** The fields of a message: a number for a varint, else bytes. Of a field that stands twice, the last one. */
export type Fields = ReadonlyMap<number, bigint | Uint8Array>;

/** The fields of these bytes; undefined when they are no message. */
export function decodeMessage(bytes: Uint8Array): Fields | undefined {
  const fields = new Map<number, bigint | Uint8Array>();
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return undefined;
  };
  const take = (size: number): Uint8Array | undefined => {
    if (size > bytes.length - at) return undefined;
    return bytes.subarray(at, (at += size));
  };
  while (at < bytes.length) {
    const key = varint();
    if (key === undefined || key >> 3n === 0n || key > 0xffff_ffffn) return undefined;
    const value = readValue(Number(key & 7n), varint, take);
    if (value === undefined) return undefined;
    fields.set(Number(key >> 3n), value);
  }
  return fields;
}

function readValue(
  type: number,
  varint: () => bigint | undefined,
  take: (size: number) => Uint8Array | undefined,
): bigint | Uint8Array | undefined {
  if (type === 0) return varint();
  if (type === 1) return take(8);
  if (type === 5) return take(4);
  const size = type === 2 ? varint() : undefined;
  return size === undefined ? undefined : take(Number(size));
}

/** The text of a field, `""` when it is not there; undefined when it is no UTF-8, which a message refuses. */
export function textField(fields: Fields, number: number): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytesField(fields, number));
  } catch {
    return undefined;
  }
}

/** The bytes of a field; none when it is not there. */
export function bytesField(fields: Fields, number: number): Uint8Array {
  const value = fields.get(number);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

/** The number of a field; 0 when it is not there. */
export function numberField(fields: Fields, number: number): bigint {
  const value = fields.get(number);
  return typeof value === "bigint" ? value : 0n;
}

/** The bytes of a message with these fields, in this order; `true` is written as a bool. */
export function encodeMessage(
  fields: readonly (readonly [number: number, value: true | string | Uint8Array])[],
): Uint8Array {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (value === true) {
      bytes.push(...varintBytes(number << 3), 1);
      continue;
    }
    const content = toBytes(value);
    bytes.push(...varintBytes((number << 3) | 2), ...varintBytes(content.length), ...content);
  }
  return Uint8Array.from(bytes);
}

function varintBytes(value: number): number[] {
  return value > 0x7f ? [(value & 0x7f) | 0x80, ...varintBytes(value >>> 7)] : [value];
}
