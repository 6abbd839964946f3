// A list of headers that belongs to the filter: to send along with a reply or a callout, or copied from the proxy.

/// <reference path="./runtime.d.ts" />

import { isField } from "./field";
import { bytesOfLiteral, isFieldLiteral } from "./literals";
import { reserve } from "./memory";
import { COUNT_SIZE, countPairs, sameName, SIZES_SIZE } from "./pairs";
import { decode, encode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

/** One header: its bytes, and the text they spell. */
export class Header {
  constructor(
    /** The name, in lower case when the proxy gave it. */
    readonly nameBytes: Uint8Array,
    /** The value, byte for byte. */
    readonly valueBytes: Uint8Array,
  ) {}

  /** The name as text. */
  get name(): string {
    return decode(this.nameBytes.dataStart, this.nameBytes.byteLength);
  }

  /** The value as text; bytes that are no UTF-8 become U+FFFD. */
  get value(): string {
    return decode(this.valueBytes.dataStart, this.valueBytes.byteLength);
  }
}

// A list is one block of memory: the count of entries, the bytes they take, then entry behind entry: the sizes of name
// and value, and both with a NUL behind each. The functions at the end work on its address, since every use of a
// managed value costs time and code.
const HEAD_SIZE: usize = 8;
const ENTRY_OVERHEAD: usize = SIZES_SIZE + 2;
const FIRST_SIZE: usize = 248;

/**
 * An ordered list of headers, repeated names allowed; names are compared without regard to case. It is the filter's
 * own: changing it changes nothing in the proxy until it is sent.
 */
export class Headers {
  private block: ArrayBuffer = newBlock(FIRST_SIZE);

  /** How many entries there are; a name that stands twice counts twice. */
  get size(): i32 {
    return load<u32>(changetype<usize>(this.block)) as i32;
  }

  /**
   * Adds an entry at the end, whether or not the name is there. One whose name or value holds a NUL, CR or LF, which
   * would split the message, is left out, and the log says so.
   */
  append(name: string, value: string): this {
    const from = changetype<usize>(value);
    const block = withRoom(changetype<usize>(this), changetype<usize>(name), (sizeOf(from) >> 1) * MAX_BYTES_PER_UNIT);
    const at = open(block, changetype<usize>(name));
    if (at) close(block, at, writeField(from, at));
    return this;
  }

  /** As `append`, with the value's bytes. */
  appendBytes(name: string, value: Uint8Array): this {
    const block = withRoom(changetype<usize>(this), changetype<usize>(name), value.byteLength);
    const at = open(block, changetype<usize>(name));
    if (!at || !isField(value.dataStart, value.byteLength)) return this;
    memory.copy(at, value.dataStart, value.byteLength);
    close(block, at, at + value.byteLength);
    return this;
  }

  /** Adds every entry of another list at the end. */
  appendAll(other: Headers): this {
    const from = changetype<usize>(other.block);
    const size = endOf(from) - from - HEAD_SIZE;
    const to = withRoom(changetype<usize>(this), changetype<usize>(""), size);
    const end = endOf(to);
    memory.copy(end, from + HEAD_SIZE, size);
    store<u32>(to, load<u32>(to) + load<u32>(from));
    endAt(to, end + size);
    return this;
  }

  /** Removes every entry of this name and adds one at the end; changes nothing when that is to be left out. */
  set(name: string, value: string): this {
    const count = this.size;
    this.append(name, value);
    return this.size > count ? this.remove(name, count) : this;
  }

  /** As `set`, with the value's bytes. */
  setBytes(name: string, value: Uint8Array): this {
    const count = this.size;
    this.appendBytes(name, value);
    return this.size > count ? this.remove(name, count) : this;
  }

  /** Removes every entry of this name. */
  delete(name: string): this {
    return this.remove(name, this.size);
  }

  /** Removes those of the first `count` entries that have this name. */
  private remove(name: string, count: i32): this {
    const key = encodeName(name);
    const block = changetype<usize>(this.block);
    const end = endOf(block);
    let kept = block + HEAD_SIZE;
    for (let entry = kept; entry < end;) {
      const size = sizeOfEntry(entry);
      if (count-- > 0 && isNamed(entry, key)) {
        store<u32>(block, load<u32>(block) - 1);
      } else {
        memory.copy(kept, entry, size);
        kept += size;
      }
      entry += size;
    }
    endAt(block, kept);
    return this;
  }

  /** The first value of this name as text; `null` when there is none. */
  get(name: string): string | null {
    const found = this.find(name, 1);
    return found.length ? unchecked(found[0]).value : null;
  }

  /** The first value of this name as bytes; `null` when there is none. */
  getBytes(name: string): Uint8Array | null {
    const found = this.find(name, 1);
    return found.length ? unchecked(found[0]).valueBytes : null;
  }

  /** Every value of this name as text, in order. */
  getAll(name: string): string[] {
    return this.find(name, i32.MAX_VALUE).map<string>((header) => header.value);
  }

  /** Every value of this name as bytes, in order. */
  getAllBytes(name: string): Uint8Array[] {
    return this.find(name, i32.MAX_VALUE).map<Uint8Array>((header) => header.valueBytes);
  }

  /** Whether there is an entry of this name. */
  has(name: string): bool {
    return this.find(name, 1).length > 0;
  }

  /** Every entry, in order. */
  entries(): Header[] {
    return this.find(null, i32.MAX_VALUE);
  }

  /** Up to `most` entries of this name; of every name for `null`. */
  private find(name: string | null, most: i32): Header[] {
    const found = new Array<Header>();
    const key = name !== null ? encodeName(name) : null;
    const block = changetype<usize>(this.block);
    for (let entry = block + HEAD_SIZE; entry < endOf(block) && found.length < most;) {
      if (key === null || isNamed(entry, key)) {
        const name = copyBytes(entry + SIZES_SIZE, load<u32>(entry));
        const value = copyBytes(entry + SIZES_SIZE + load<u32>(entry) + 1, load<u32>(entry, 4));
        found.push(new Header(name, value));
      }
      entry += sizeOfEntry(entry);
    }
    return found;
  }

  /** Reads the wire form; what is none gives an empty list. */
  static decode(pairs: usize, size: usize): Headers {
    const headers = new Headers();
    const count = countPairs(pairs, size);
    headers.block = newBlock(size);
    const block = changetype<usize>(headers.block);
    let sizes = pairs + COUNT_SIZE;
    let from = sizes + (count as usize) * SIZES_SIZE;
    let entry = block + HEAD_SIZE;
    for (let i: u32 = 0; i < count; i++) {
      store<u64>(entry, load<u64>(sizes));
      const data = sizeOfEntry(entry) - SIZES_SIZE;
      memory.copy(entry + SIZES_SIZE, from, data);
      entry += SIZES_SIZE + data;
      sizes += SIZES_SIZE;
      from += data;
    }
    store<u32>(block, count);
    endAt(block, entry);
    return headers;
  }

  /** Writes the wire form behind what is in the region and gives its address; `written` is its size. */
  encode(): usize {
    const block = changetype<usize>(this.block);
    const count = load<u32>(block);
    const end = endOf(block);
    const at = reserve(count ? COUNT_SIZE + end - (block + HEAD_SIZE) : 0);
    let sizes = at + COUNT_SIZE;
    let out = sizes + (count as usize) * SIZES_SIZE;
    if (count) store<u32>(at, count);
    for (let entry = block + HEAD_SIZE; entry < end;) {
      store<u64>(sizes, load<u64>(entry));
      sizes += SIZES_SIZE;
      const data = sizeOfEntry(entry) - SIZES_SIZE;
      memory.copy(out, entry + SIZES_SIZE, data);
      out += data;
      entry += SIZES_SIZE + data;
    }
    return at;
  }
}

/** An empty block with room for entries of `size` bytes. */
function newBlock(size: usize): ArrayBuffer {
  // Called a string, it is not filled with zeros.
  const block = __new(HEAD_SIZE + size, idof<string>());
  store<u64>(block, 0);
  return changetype<ArrayBuffer>(block);
}

/** The block of the list at this address; a larger copy when an entry of this name and so many bytes would not fit. */
function withRoom(list: usize, name: usize, valueSize: usize): usize {
  const old = load<usize>(list, offsetof<Headers>("block"));
  const used = endOf(old) - old;
  const size = used + (sizeOf(name) >> 1) * MAX_BYTES_PER_UNIT + valueSize + ENTRY_OVERHEAD;
  if (size <= sizeOf(old)) return old;
  const larger = changetype<usize>(newBlock(size << 1));
  memory.copy(larger, old, used);
  store<usize>(list, larger, offsetof<Headers>("block"));
  __link(list, larger, false);
  return larger;
}

/** Begins an entry: writes its name and gives the address of its value, 0 when the name is no field. */
function open(block: usize, name: usize): usize {
  const entry = endOf(block);
  const end = writeField(name, entry + SIZES_SIZE);
  if (!end) return 0;
  store<u32>(entry, (end - entry - SIZES_SIZE) as u32);
  store<u8>(end, 0);
  return end + 1;
}

/** Writes the string at `text` to `out` and gives the address behind it, 0 when it is no field. */
function writeField(text: usize, out: usize): usize {
  const bytes = bytesOfLiteral(text);
  if (isFieldLiteral(bytes)) {
    const size = sizeOf(text) >> 1;
    memory.copy(out, bytes, size);
    return out + size;
  }
  const end = encode(text, out);
  return isField(out, end - out) ? end : 0;
}

/** Ends the entry whose value stands between these addresses; without an end it is left out. */
function close(block: usize, value: usize, valueEnd: usize): void {
  if (!valueEnd) return;
  store<u32>(endOf(block), (valueEnd - value) as u32, 4);
  store<u8>(valueEnd, 0);
  store<u32>(block, load<u32>(block) + 1);
  endAt(block, valueEnd + 1);
}

function endOf(block: usize): usize {
  return block + HEAD_SIZE + load<u32>(block, 4);
}

function endAt(block: usize, end: usize): void {
  store<u32>(block, (end - block - HEAD_SIZE) as u32, 4);
}

function sizeOfEntry(entry: usize): usize {
  return ENTRY_OVERHEAD + load<u32>(entry) + load<u32>(entry, 4);
}

function encodeName(name: string): ArrayBuffer {
  const from = changetype<usize>(name);
  const bytes = __new((sizeOf(from) >> 1) * MAX_BYTES_PER_UNIT, idof<ArrayBuffer>());
  // What is too much is cut off in the header, as for a string.
  store<u32>(bytes - 4, (encode(from, bytes) - bytes) as u32);
  return changetype<ArrayBuffer>(bytes);
}

function isNamed(entry: usize, name: ArrayBuffer): bool {
  return sameName(entry + SIZES_SIZE, load<u32>(entry), changetype<usize>(name), name.byteLength);
}

function copyBytes(from: usize, size: usize): Uint8Array {
  const bytes = new Uint8Array(size as i32);
  memory.copy(bytes.dataStart, from, size);
  return bytes;
}
