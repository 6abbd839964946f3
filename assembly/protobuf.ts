// Protocol buffers, as far as Envoy's foreign functions and configurations need them: messages written field by field,
// and read field by field. Source: protobuf.dev, "Encoding".

/// <reference path="./runtime.d.ts" />

import { encode, decode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

/** How a field's value is written. */
export enum WireType {
  /** A number in groups of seven bits. */
  Varint = 0,
  /** Eight bytes. */
  Fixed64 = 1,
  /** A length, and that many bytes. */
  Bytes = 2,
  /** Four bytes. */
  Fixed32 = 5,
}

const MOST_VARINT: usize = 10;

/** Writes a message. A field of its default value (0, `false`, nothing) may be left out: it means the same. */
export class MessageWriter {
  private block: ArrayBuffer = new ArrayBuffer(128);
  private size: usize = 0;

  /** Adds a number, a bool or an enum. */
  number(field: u32, value: u64): this {
    const at = this.room(MOST_VARINT * 2);
    this.end(writeVarint(value, writeVarint((field << 3) | WireType.Varint, at)));
    return this;
  }

  /** Adds a text. */
  text(field: u32, value: string): this {
    const most = (sizeOf(changetype<usize>(value)) >> 1) * MAX_BYTES_PER_UNIT;
    // Written behind the room for its length, then moved up to it.
    const at = this.room(MOST_VARINT * 2 + most);
    const from = at + MOST_VARINT * 2;
    const size = encode(changetype<usize>(value), from) - from;
    const start = writeVarint(size, writeVarint((field << 3) | WireType.Bytes, at));
    memory.copy(start, from, size);
    this.end(start + size);
    return this;
  }

  /** Adds bytes. */
  bytes(field: u32, value: Uint8Array): this {
    const size = value.byteLength as usize;
    const at = this.room(MOST_VARINT * 2 + size);
    const start = writeVarint(size, writeVarint((field << 3) | WireType.Bytes, at));
    memory.copy(start, value.dataStart, size);
    this.end(start + size);
    return this;
  }

  /** The message so far. */
  finish(): Uint8Array {
    return Uint8Array.wrap(this.block, 0, this.size as i32);
  }

  /** Where `size` more bytes can be written. */
  private room(size: usize): usize {
    const needed = this.size + size;
    if (needed > (this.block.byteLength as usize)) {
      const larger = new ArrayBuffer((needed << 1) as i32);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.block), this.size);
      this.block = larger;
    }
    return changetype<usize>(this.block) + this.size;
  }

  private end(at: usize): void {
    this.size = at - changetype<usize>(this.block);
  }
}

/**
 * Reads a message: `while (message.next())` goes from field to field in the order they stand. What is no message ends
 * early, and `failed` is true then.
 */
export class MessageReader {
  /** The number of the field. */
  field: u32 = 0;
  /** How its value is written. */
  type: WireType = WireType.Varint;
  /** The value of a number, a bool or an enum, and of `Fixed64` and `Fixed32`. */
  number: u64 = 0;
  /** Whether the bytes are no message. */
  failed: bool = false;

  private at: usize;
  private readonly end: usize;
  private start: usize = 0;

  /** Reads `bytes`, which must not change meanwhile. */
  constructor(private readonly source: Uint8Array) {
    this.at = source.dataStart;
    this.end = this.at + source.byteLength;
  }

  /** Goes on to the next field; `false` when there is none. */
  next(): bool {
    if (this.failed || this.at == this.end) return false;
    const key = this.varint();
    this.field = (key >> 3) as u32;
    this.type = (key & 7) as WireType;
    this.start = this.at;
    switch (this.type) {
      case WireType.Varint:
        this.number = this.varint();
        break;
      case WireType.Fixed64:
        if (this.skip(8)) this.number = load<u64>(this.start);
        break;
      case WireType.Fixed32:
        if (this.skip(4)) this.number = load<u32>(this.start);
        break;
      case WireType.Bytes: {
        const size = this.varint();
        this.start = this.at;
        this.skip(size);
        break;
      }
      default:
        this.failed = true;
    }
    if (!this.field || key >> 3 > 0x1fff_ffff) this.failed = true;
    return !this.failed;
  }

  /** The value of a text or of bytes, a copy; none for another type. */
  bytes(): Uint8Array {
    const copy = new Uint8Array((this.type == WireType.Bytes ? this.at - this.start : 0) as i32);
    memory.copy(copy.dataStart, this.start, copy.byteLength);
    return copy;
  }

  /** The value of a text; bytes that are no UTF-8 become U+FFFD. */
  text(): string {
    return this.type == WireType.Bytes ? decode(this.start, this.at - this.start) : "";
  }

  private skip(size: u64): bool {
    if (size > ((this.end - this.at) as u64)) {
      this.failed = true;
      return false;
    }
    this.at += size as usize;
    return true;
  }

  private varint(): u64 {
    let value: u64 = 0;
    for (let shift: u64 = 0; shift < 70 && this.at < this.end; shift += 7) {
      const byte = load<u8>(this.at++) as u64;
      if (shift < 64) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }
}

function writeVarint(value: u64, at: usize): usize {
  while (value > 0x7f) {
    store<u8>(at++, (value & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(at, value);
  return at + 1;
}
