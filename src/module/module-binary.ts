// The form of a module's binary: sections, one after the other, and the numbers and names in them.
// Source: WebAssembly core specification, "Binary Format".

/** The sections that are asked for, by the specification's numbers. */
export enum SectionId {
  Custom = 0,
  Type = 1,
  Import = 2,
  Function = 3,
  Memory = 5,
  Global = 6,
  Export = 7,
  Start = 8,
  Code = 10,
}

/** A section: its number, where it begins, its head included, and where it ends. */
export interface SectionPlace {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** The sections of a module; the reader stands behind the head of each, wherever it was left in the one before. */
export function* sections(reader: Reader): Generator<SectionPlace> {
  reader.skip(8);
  while (!reader.done) {
    const start = reader.position;
    const id = reader.byte();
    const end = reader.unsigned() + reader.position;
    yield { id, start, end };
    reader.position = end;
  }
}

/** Reads the numbers and names of a module's binary, one after the other. */
export class Reader {
  position = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.position >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.position++] ?? 0;
  }

  skip(count: number): void {
    this.position += count;
  }

  /** A LEB128 number; those of a module fit into 32 bits, but for limits of 64-bit memories, which are not used. */
  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte & 0x80)) return value;
    }
  }

  name(): string {
    const size = this.unsigned();
    this.position += size;
    return new TextDecoder().decode(this.#bytes.subarray(this.position - size, this.position));
  }

  list(read: () => void): void {
    for (let count = this.unsigned(); count > 0 && !this.done; count--) read();
  }
}

/** A number as modules have it: seven bits a byte, the lowest first. */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** A copy with other bytes in place of those from `start` to before `end`. */
export function splice(
  bytes: Uint8Array,
  start: number,
  end: number,
  replaced: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length - (end - start) + replaced.length);
  result.set(bytes.subarray(0, start));
  result.set(replaced, start);
  result.set(bytes.subarray(end), start + replaced.length);
  return result;
}
