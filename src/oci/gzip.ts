// gzip that comes out the same everywhere. zlib's output changes with its version and with the machine, so nothing is
// compressed: the bytes stand in stored blocks, and the header names neither time nor system.
// Source: RFC 1951, section 3.2.4; RFC 1952, section 2.3.

import { constants, createGunzip } from "node:zlib";

import { crc32 } from "../encoding/crc32.ts";

const BLOCK_BYTES = 0xffff;

/** Wraps bytes as gzip. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  const output = new Uint8Array(10 + blocks * 5 + bytes.length + 8);
  const view = new DataView(output.buffer);
  // Magic, deflate, no flags, no time, no hint, unknown system.
  output.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  let position = 10;
  for (let i = 0; i < blocks; i++) {
    const block = bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    output[position] = i === blocks - 1 ? 1 : 0;
    view.setUint16(position + 1, block.length, true);
    view.setUint16(position + 3, ~block.length & 0xffff, true);
    output.set(block, position + 5);
    position += 5 + block.length;
  }
  view.setUint32(position, crc32(bytes), true);
  view.setUint32(position + 4, bytes.length, true);
  return output;
}

/** What unpacking gave. */
export interface Unpacked {
  readonly bytes: Uint8Array;
  /** Why it ended early; undefined when everything is there. */
  readonly problem: "not gzip" | "damaged" | "too long" | undefined;
}

/** Unpacks gzip, up to `limit` bytes. */
export async function gunzip(bytes: Uint8Array, limit: number): Promise<Unpacked> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) return { bytes: new Uint8Array(), problem: "not gzip" };
  const stream = createGunzip({ chunkSize: 1 << 18, finishFlush: constants.Z_SYNC_FLUSH });
  stream.end(bytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  let problem: Unpacked["problem"];
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      chunks.push(length + chunk.length > limit ? chunk.subarray(0, limit - length) : chunk);
      length += chunks.at(-1)!.length;
      if (chunks.at(-1)!.length < chunk.length) {
        problem = "too long";
        break;
      }
    }
  } catch {
    problem = "damaged";
  }
  return { bytes: Buffer.concat(chunks), problem };
}
