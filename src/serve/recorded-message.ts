// A message as it was at some point: its head, its trailers, and the beginning of its body.

import type { HeaderEntry } from "../http/header-map.ts";

/** Bytes of a body that are kept. */
const MOST_BYTES = 64 * 1024;

/** What is kept of a message. */
export class RecordedMessage {
  /** Names and values; ByteStrings. */
  readonly headers: readonly HeaderEntry[];
  trailers: readonly HeaderEntry[] = [];
  /** The bytes of the body, kept or not. */
  size = 0;
  readonly #chunks: Uint8Array[] = [];
  #kept = 0;

  constructor(headers: Iterable<HeaderEntry>) {
    this.headers = [...headers];
  }

  /** Adds a piece of the body; `most` is how much of it may be kept. */
  add(bytes: Uint8Array, most: number = MOST_BYTES): void {
    this.size += bytes.length;
    const room = Math.min(MOST_BYTES - this.#kept, most);
    if (!bytes.length || room <= 0) return;
    const part = Uint8Array.from(bytes.subarray(0, room));
    this.#kept += part.length;
    this.#chunks.push(part);
  }

  /** What was kept of the body. */
  get body(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }

  /** How many bytes of the body were kept. */
  get kept(): number {
    return this.#kept;
  }

  /** Whether all of the body was kept. */
  get whole(): boolean {
    return this.#kept === this.size;
  }

  /** The first value of a header, or undefined. */
  get(name: string): string | undefined {
    return this.headers.find(([key]) => key === name)?.[1];
  }
}
