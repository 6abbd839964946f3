// Bytes behind which there are zeros, more of them than anybody would like to keep.

/** The most that a read gives: no filter has room for more. */
const MOST = 2 ** 30;

/** Some bytes, and zeros up to a length. */
export class PaddedBytes {
  readonly length: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, length: number = bytes.length) {
    this.#bytes = bytes;
    this.length = length;
  }

  /** A copy of at most `size` bytes from `start` on. */
  slice(start: number, size: number): Uint8Array {
    const end = Math.min(start + size, this.length);
    if (end <= this.#bytes.length) return this.#bytes.slice(start, end);
    const result = new Uint8Array(Math.max(0, Math.min(end - start, MOST)));
    result.set(this.#bytes.subarray(start, end));
    return result;
  }
}
