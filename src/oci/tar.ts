// Archives: written in one form only, so that they come out the same everywhere, and read in each that is in use.
// Source: POSIX.1-2017, pax interchange format and ustar; GNU tar's manual, "Standard"; how Go's archive/tar reads.

const BLOCK_BYTES = 512;

/** A file to write. */
export interface TarFile {
  /** Up to 100 bytes. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Writes files in the given order: rights 0644, owner 0, time 0. */
export function writeTar(files: readonly TarFile[]): Uint8Array {
  const sizes = files.map(({ bytes }) => BLOCK_BYTES + padded(bytes.length));
  const output = new Uint8Array(sizes.reduce((sum, size) => sum + size, 2 * BLOCK_BYTES));
  let position = 0;
  for (const [i, { name, bytes }] of files.entries()) {
    output.set(header(name, bytes.length), position);
    output.set(bytes, position + BLOCK_BYTES);
    position += sizes[i]!;
  }
  return output;
}

function header(name: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const put = (offset: number, text: string): void => void new TextEncoder().encodeInto(text, block.subarray(offset));
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  put(0, name);
  // Rights, owner, group; size, time; the sum counts as blanks; the kind; the format; device numbers.
  for (const [offset, value] of [0o644, 0, 0].entries()) put(100 + offset * 8, octal(value, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  put(148, `${" ".repeat(8)}0`);
  put(257, "ustar\x0000");
  put(329, octal(0, 7));
  put(337, octal(0, 7));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0`);
  return block;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
}

/** A file, folder or link that was read. */
export interface TarEntry {
  readonly name: string;
  /** As the header says. */
  readonly size: number;
  /** Fewer bytes than `size` when the archive ends before. */
  readonly bytes: Uint8Array;
}

/** The archive cannot be read any further; the message is that of Go's reader. */
export class TarError extends Error {
  override name = "TarError";
}

/** Reads an archive, entry by entry. */
export function* readTar(archive: Uint8Array): Generator<TarEntry> {
  let position = 0;
  // What extended headers say of the next entry.
  let next: { name?: string; size?: number } = {};
  while (position < archive.length) {
    const block = archive.subarray(position, position + BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) throw new TarError("unexpected EOF");
    position += BLOCK_BYTES;
    if (block.every((byte) => byte === 0)) return;
    checkSum(block);
    const type = String.fromCharCode(block[156]!);
    // Links, devices and folders have no content, whatever the header says.
    const size = /[1-6]/.test(type) ? 0 : (next.size ?? number(block, 124, 12));
    const bytes = archive.subarray(position, position + size);
    position += padded(size);
    if (type === "x") Object.assign(next, extended(bytes));
    else if (type === "L") next.name = text(bytes, 0, bytes.length);
    else if (type !== "g" && type !== "K") {
      yield { name: next.name ?? nameOf(block), size, bytes };
      next = {};
    }
  }
}

function checkSum(block: Uint8Array): void {
  let [unsigned, signed] = [0, 0];
  for (const [i, byte] of block.entries()) {
    const value = i >= 148 && i < 156 ? 0x20 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const sum = number(block, 148, 8);
  if (sum !== unsigned && sum !== signed) throw new TarError("archive/tar: invalid tar header");
}

function nameOf(block: Uint8Array): string {
  const isUstar = text(block, 257, 6) === "ustar" && text(block, 263, 2) === "00";
  const prefix = isUstar ? text(block, 345, 155) : "";
  return prefix ? `${prefix}/${text(block, 0, 100)}` : text(block, 0, 100);
}

/** The records of an extended header: `<length> <key>=<value>\n`. */
function extended(bytes: Uint8Array): { name?: string; size?: number } {
  const found: { name?: string; size?: number } = {};
  for (let position = 0; position < bytes.length;) {
    const space = bytes.indexOf(0x20, position);
    const length = Number(new TextDecoder().decode(bytes.subarray(position, space)));
    const end = position + length;
    if (space < 0 || !(length > 0) || end > bytes.length) throw new TarError("archive/tar: invalid tar header");
    const record = new TextDecoder().decode(bytes.subarray(space + 1, end - 1));
    const [key, value] = [record.slice(0, record.indexOf("=")), record.slice(record.indexOf("=") + 1)];
    if (key === "path") found.name = value;
    if (key === "size") found.size = sizeOf(Number(value));
    position = end;
  }
  return found;
}

function text(block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function number(block: Uint8Array, offset: number, length: number): number {
  // The highest bit says that the number stands there in base 256.
  if (block[offset]! & 0x80) {
    let value = block[offset]! & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + block[offset + i]!;
    return sizeOf(value);
  }
  const digits = text(block, offset, length).trim();
  return digits ? sizeOf(/^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN) : 0;
}

function sizeOf(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TarError("archive/tar: invalid tar header");
}
