// Bytes on their way through a stream: chunks that are moved, not copied, until a filter wants to see them as one.

import { Status } from "../../assembly/abi.ts";
import { joinBytes, noBytes } from "../encoding/bytes.ts";
import { Refusal } from "../error.ts";

/** The most chunks that are kept apart: each takes a hundred bytes more than it holds. */
const MOST_CHUNKS = 4096;

/** A buffer of bytes with Envoy's rules for changing it. */
export class Body {
  #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(bytes?: Uint8Array) {
    if (bytes) this.append(bytes);
  }

  /** How many bytes it holds. */
  get length(): number {
    return this.#length;
  }

  /** Adds bytes at the end. The array is kept, not copied. */
  append(bytes: Uint8Array): void {
    if (bytes.length) this.#chunks.push(bytes);
    this.#length += bytes.length;
    if (this.#chunks.length > MOST_CHUNKS) this.bytes();
  }

  /** Takes every byte of another buffer, which is empty afterwards. */
  moveFrom(other: Body): void {
    if (other === this) return;
    if (this.#chunks.length) this.#chunks.push(...other.#chunks);
    else this.#chunks = other.#chunks;
    this.#length += other.#length;
    if (this.#chunks.length > MOST_CHUNKS) this.bytes();
    other.clear();
  }

  /** Forgets every byte. */
  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }

  /** All bytes as one array; not a copy, so not to be written to. */
  bytes(): Uint8Array {
    if (this.#chunks.length > 1) this.#chunks = [joinBytes(this.#chunks)];
    return this.#chunks[0] ?? noBytes;
  }

  /** The bytes from `start`, at most `size` of them; none when `start` lies beyond the end. */
  slice(start: number, size: number): Uint8Array {
    if (start >= this.#length) return noBytes;
    return this.bytes().subarray(start, Math.min(start + size, this.#length));
  }

  /**
   * Puts bytes in place of `size` bytes from `start`: at 0 they replace a prefix (of no bytes, of some, of all), at or
   * beyond the end they are added. Envoy refuses what lies between.
   */
  splice(start: number, size: number, bytes: Uint8Array): Refusal | undefined {
    if (start >= this.#length && start > 0) {
      this.append(bytes);
      return undefined;
    }
    if (start > 0) {
      return new Refusal(
        Status.BadArgument,
        `a change must begin at 0 or at the end (${this.#length}); this one begins at ${start}`,
      );
    }
    const rest = size < this.#length ? this.bytes().subarray(size) : noBytes;
    this.clear();
    this.append(bytes);
    this.append(rest);
    return undefined;
  }

  /**
   * nginx's way: at 0 with a size of 0 bytes go in front; otherwise everything from `start` on gives way to the first
   * `size` of them, or to all when the size is 0.
   */
  overwrite(start: number, size: number, bytes: Uint8Array): undefined {
    const old = this.bytes();
    const isPrepended = !start && !size && bytes.length > 0;
    this.clear();
    if (!isPrepended) this.append(old.subarray(0, start));
    this.append(start && !size ? bytes : isPrepended ? bytes : bytes.subarray(0, size));
    if (isPrepended) this.append(old);
    return undefined;
  }
}
