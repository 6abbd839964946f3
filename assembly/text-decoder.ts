// Text that arrives in pieces, cut anywhere.

import { reserve } from "./memory";
import { decode } from "./utf8";

/**
 * Decodes UTF-8 that arrives in pieces, as the web's class of this name does with `stream: true`: the beginning of a
 * character at the end of a piece waits for the next one. What is no UTF-8 becomes U+FFFD. One for each body.
 */
export class TextDecoder {
  /** Up to three bytes of a character that has only begun, the first one lowest. @internal */
  waiting: u32 = 0;
  /** How many they are. @internal */
  waitingSize: u32 = 0;

  /** How many bytes wait for the rest of their character. */
  get pending(): u32 {
    return this.waitingSize;
  }

  /** The text of a piece. With `last`, nothing follows, and what waits becomes U+FFFD. */
  decode(bytes: Uint8Array, last: bool = false): string {
    return this.decodeAt(bytes.dataStart, bytes.byteLength, last);
  }

  /** As `decode`, of `size` bytes at an address. @internal */
  decodeAt(from: usize, size: usize, last: bool): string {
    const before = this.waitingSize as usize;
    if (before) {
      const joined = reserve(before + size + sizeof<u32>());
      store<u32>(joined, this.waiting);
      memory.copy(joined + before, from, size);
      from = joined;
      size += before;
    }
    const rest: usize = last ? 0 : begun(from, size);
    size -= rest;
    let waiting: u32 = 0;
    for (let i: usize = 0; i < rest; i++) waiting |= (load<u8>(from + size + i) as u32) << ((i << 3) as u32);
    this.waiting = waiting;
    this.waitingSize = rest as u32;
    return decode(from, size);
  }
}

/** How many bytes at the end are the beginning of a character whose rest is missing: 0 to 3. */
function begun(from: usize, size: usize): usize {
  for (let back: usize = 1; back <= 3 && back <= size; back++) {
    const byte = load<u8>(from + size - back) as u32;
    if ((byte & 0xc0) == 0x80) continue;
    const wanted: usize = byte < 0xc2 || byte > 0xf4 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return wanted > back ? back : 0;
  }
  return 0;
}
