// The filter's memory, seen from outside. Only here are there addresses that mean something.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, byteString, bytesOf, noBytes } from "../encoding/bytes.ts";
import { Misuse, Refusal } from "../error.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** Reads and writes a filter's memory, never beyond its end. Every address comes from the filter and is checked. */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #allocate: (size: number) => number;
  readonly #rules: Pick<HostProfile, "allocatesNothing" | "noRoom" | "trapsMisuse">;
  // Growing detaches the buffer, which leaves both views empty: they are made anew then.
  #bytes: Uint8Array = noBytes;
  #view = new DataView(new ArrayBuffer(0));

  /** `allocate` asks the filter for room and may give anything. */
  constructor(
    memory: WebAssembly.Memory,
    allocate: (size: number) => number,
    rules: Pick<HostProfile, "allocatesNothing" | "noRoom" | "trapsMisuse">,
  ) {
    this.#memory = memory;
    this.#allocate = allocate;
    this.#rules = rules;
  }

  /** How many bytes it has. */
  get size(): number {
    this.#refresh();
    return this.#bytes.length;
  }

  /** Whether `size` bytes at `at` lie inside. A strict host takes 0 for an address of nothing. */
  has(at: number, size: number): boolean {
    return at + size <= this.size && (at !== 0 || size === 0 || !this.#rules.trapsMisuse);
  }

  /** The refusal for a place outside. */
  outside(what: string, at: number, size: number): Refusal {
    return new Misuse(
      Status.InvalidMemoryAccess,
      `${what} (${size} bytes at ${at}) lies outside the filter's memory of ${this.size} bytes`,
    );
  }

  /** A view of `size` bytes at `at`, until the filter runs again; `has` must have said yes. */
  view(at: number, size: number): Uint8Array {
    this.#refresh();
    return this.#bytes.subarray(at, at + size);
  }

  /** A copy of `size` bytes at `at`; `has` must have said yes. */
  copy(at: number, size: number): Uint8Array {
    return this.view(at, size).slice();
  }

  /** The ByteString of `size` bytes at `at`; `has` must have said yes. */
  text(at: number, size: number): ByteString {
    this.#refresh();
    if (size > FEW) return latin1(this.#bytes.subarray(at, at + size));
    const codes: number[] = [];
    for (let i = at; i < at + size; i++) codes.push(this.#bytes[i]!);
    return String.fromCharCode.apply(undefined, codes);
  }

  /** The 32-bit number at `at`; `has` must have said yes. */
  number(at: number): number {
    this.#refresh();
    return this.#view.getUint32(at, true);
  }

  /** Writes a 32-bit number. A strict host wants an address that is a multiple of 4. */
  writeNumber(at: number, value: number): Refusal | undefined {
    if (!this.has(at, 4) || (at & 3 && this.#rules.trapsMisuse)) return this.outside("the place for the answer", at, 4);
    this.#refresh();
    this.#view.setUint32(at, value, true);
    return undefined;
  }

  /** Writes a 64-bit number. */
  writeLong(at: number, value: bigint): Refusal | undefined {
    if (!this.has(at, 8)) return this.outside("the place for the answer", at, 8);
    this.#refresh();
    this.#view.setBigUint64(at, value, true);
    return undefined;
  }

  /**
   * Gives the filter data: asks it for room, copies, and writes address and size. Nothing is asked for when there is
   * nothing to give; the address is 0 then. Some hosts ask for no bytes, and want an address.
   */
  give(data: Uint8Array | ByteString, address: number, size: number): Refusal | undefined {
    let at = 0;
    if (data.length || this.#rules.allocatesNothing) {
      at = this.#allocate(data.length) >>> 0;
      if (!at || !this.has(at, data.length)) {
        return new Refusal(
          this.#rules.noRoom,
          `the filter's allocator gave ${at} for ${data.length} bytes, which is no place in its memory`,
        );
      }
      this.#refresh();
      if (typeof data === "string") {
        for (let i = 0; i < data.length; i++) this.#bytes[at + i] = data.charCodeAt(i);
      } else {
        this.#bytes.set(data, at);
      }
    }
    return this.writeNumber(address, at) ?? this.writeNumber(size, data.length);
  }

  /**
   * Asks the filter for room, even for nothing, and copies data there. Gives the address; 0 when the filter has given no
   * place in its memory.
   */
  place(data: Uint8Array): number {
    const at = this.#allocate(data.length) >>> 0;
    if (!at || !this.has(at, data.length)) return 0;
    this.write(at, data);
    return at;
  }

  /** Writes bytes to a place that `has` said yes to. */
  write(at: number, data: Uint8Array | ByteString): void {
    this.#refresh();
    this.#bytes.set(typeof data === "string" ? bytesOf(data) : data, at);
  }

  #refresh(): void {
    if (this.#bytes.length) return;
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }
}

/** So many bytes are decoded faster one by one than by a TextDecoder. */
const FEW = 32;

const decoder = new TextDecoder("latin1");

// TextDecoder's "latin1" is windows-1252, which differs from ByteString between 0x80 and 0x9f.
function latin1(bytes: Uint8Array): ByteString {
  for (const byte of bytes) {
    if (byte >= 0x80 && byte < 0xa0) return byteString(bytes);
  }
  return decoder.decode(bytes);
}
