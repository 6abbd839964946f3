// What a module's binary says of itself: imports and exports with their types, and where its source map is. The
// JavaScript API leaves the types out, and a proxy compares them.
// Source: WebAssembly core specification, "Binary Format".

/** A function's type, written as WebAssembly has it: `i32 i64 -> i32`. */
export type Signature = string;

/** What a module's binary says of itself. */
export interface ModuleInfo {
  /** What it needs. */
  readonly imports: readonly ModuleImport[];
  /** What it offers, in order; `signature` stands only with functions. */
  readonly exports: readonly { name: string; kind: string; signature?: Signature }[];
  /** The memories that it has itself, in pages of 64 KiB; `maximum` is undefined where it names none. */
  readonly memories: readonly { initial: number; maximum: number | undefined }[];
  /** Whether a function of it runs at instantiation, before a proxy can answer host calls. */
  readonly hasStart: boolean;
  /** Where its source map is, relative to the module, or undefined. */
  readonly sourceMappingUrl: string | undefined;
}

/** Something that a module needs. */
export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: string;
  /** Only of functions. */
  readonly signature?: Signature;
  /** Only of memories and tables. */
  readonly limits?: ImportedLimits;
}

/** How large a memory (in pages of 64 KiB) or table is to be. */
export interface ImportedLimits {
  readonly initial: number;
  readonly maximum?: number;
  /** Whether it is neither shared nor addressed with 64 bits. */
  readonly isPlain: boolean;
  /** What a table holds, when that is known. */
  readonly element?: WebAssembly.TableKind;
}

const kinds = ["function", "table", "memory", "global", "tag"];
const types: Record<number, string> = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64", 0x7b: "v128" };

/** Reads the sections of a valid module. */
export function inspectModule(bytes: Uint8Array): ModuleInfo {
  const reader = new Reader(bytes);
  const signatures: Signature[] = [];
  const functions: Signature[] = [];
  const imports: ModuleImport[] = [];
  const exports: { name: string; kind: string; signature?: Signature }[] = [];
  const memories: { initial: number; maximum: number | undefined }[] = [];
  let hasStart = false;
  let sourceMappingUrl: string | undefined;
  reader.skip(8);
  while (!reader.done) {
    const section = reader.byte();
    const end = reader.unsigned() + reader.position;
    if (section === 0 && reader.name() === "sourceMappingURL") sourceMappingUrl = reader.name();
    if (section === 1) reader.list(() => signatures.push(readType(reader)));
    if (section === 2) {
      reader.list(() => {
        const [module, name, kind] = [reader.name(), reader.name(), kinds[reader.byte()] ?? "unknown"];
        if (kind === "function") {
          const signature = signatures[reader.unsigned()];
          if (signature !== undefined) functions.push(signature);
          imports.push({ module, name, kind, ...(signature !== undefined && { signature }) });
        } else {
          const limits = readImportType(reader, kind);
          imports.push({ module, name, kind, ...(limits && { limits }) });
        }
      });
    }
    if (section === 3) reader.list(() => functions.push(signatures[reader.unsigned()] ?? "unknown"));
    if (section === 5) {
      reader.list(() => {
        const hasMaximum = (reader.byte() & 1) === 1;
        memories.push({ initial: reader.unsigned(), maximum: hasMaximum ? reader.unsigned() : undefined });
      });
    }
    if (section === 7) {
      reader.list(() => {
        const [name, kind, index] = [reader.name(), kinds[reader.byte()] ?? "unknown", reader.unsigned()];
        exports.push({ name, kind, ...(kind === "function" && { signature: functions[index] ?? "unknown" }) });
      });
    }
    if (section === 8) hasStart = true;
    reader.position = end;
  }
  return { imports, exports, memories, hasStart, sourceMappingUrl };
}

/** Reads an entry of the type section; one that is no plain function type counts as unknown, and ends the section. */
function readType(reader: Reader): Signature {
  if (reader.byte() !== 0x60) return "unknown";
  const list = (): string => {
    const names: string[] = [];
    reader.list(() => names.push(types[reader.byte()] ?? "ref"));
    return names.join(" ");
  };
  return `${list()} -> ${list()}`.trim();
}

/** Reads the type behind an import that is no function, and gives the limits of a memory or table. */
function readImportType(reader: Reader, kind: string): ImportedLimits | undefined {
  if (kind === "tag") {
    reader.skip(1);
    reader.unsigned();
  }
  if (kind === "global") reader.skip(2);
  if (kind !== "table" && kind !== "memory") return undefined;
  const element = kind === "table" ? elements[reader.byte()] : undefined;
  const flags = reader.byte();
  const initial = reader.unsigned();
  const maximum = flags & 1 ? reader.unsigned() : undefined;
  const isPlain = flags < 2;
  return { initial, isPlain, ...(maximum !== undefined && { maximum }), ...(element && { element }) };
}

const elements: Readonly<Record<number, WebAssembly.TableKind>> = { 0x70: "anyfunc", 0x6f: "externref" };

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
