// Values of properties, and the way down to a part of one. Source: Envoy "Attributes" and
// source/extensions/common/wasm/context.cc (`getProperty`).

import type { ByteString } from "../encoding/bytes.ts";

/**
 * A value of a property. Text and bytes are ByteStrings; a bigint is an integer, or nanoseconds of a duration or since
 * the Unix epoch; a number is a double; null has no bytes.
 */
export type PropertyValue = ByteString | bigint | number | boolean | null | readonly PropertyValue[] | PropertyMap;

/** A value with named parts. As a whole it is given as its entries or as its bytes, or cannot be given. */
export interface PropertyMap {
  /** The part of this name, or undefined. */
  get(name: ByteString): PropertyValue | undefined;
  /** Every name and its value. */
  entries?(): Iterable<readonly [ByteString, PropertyValue]>;
  /** The bytes of a message. */
  bytes?(): Uint8Array;
}

/** The part of a value that one segment of a path names, or undefined. */
export function propertyPart(value: PropertyValue, segment: ByteString): PropertyValue | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!isPropertyList(value)) return value.get(segment);
  return /^\s*[+-]?\d+\s*$/.test(segment) ? value[Number(segment)] : undefined;
}

/** Parts that can be named but not listed. */
export class PropertyGroup implements PropertyMap {
  readonly #parts: Readonly<Record<string, () => PropertyValue | undefined>>;

  constructor(parts: Readonly<Record<string, () => PropertyValue | undefined>>) {
    this.#parts = parts;
  }

  get(name: ByteString): PropertyValue | undefined {
    return Object.hasOwn(this.#parts, name) ? this.#parts[name]!() : undefined;
  }
}

/** Whether a value is a list. */
export function isPropertyList(value: PropertyValue): value is readonly PropertyValue[] {
  return Array.isArray(value);
}
