// What a module's binary says of itself: imports and exports with their types, and where its source map is. The
// JavaScript API leaves the types out, and a proxy compares them.
// Source: WebAssembly core specification, "Binary Format".

import { Reader, SectionId, sections } from "./module-binary.ts";

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
  for (const { id } of sections(reader)) {
    if (id === SectionId.Custom && reader.name() === "sourceMappingURL") sourceMappingUrl = reader.name();
    if (id === SectionId.Type) reader.list(() => signatures.push(readType(reader)));
    if (id === SectionId.Import) {
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
    if (id === SectionId.Function) reader.list(() => functions.push(signatures[reader.unsigned()] ?? "unknown"));
    if (id === SectionId.Memory) {
      reader.list(() => {
        const hasMaximum = (reader.byte() & 1) === 1;
        memories.push({ initial: reader.unsigned(), maximum: hasMaximum ? reader.unsigned() : undefined });
      });
    }
    if (id === SectionId.Export) {
      reader.list(() => {
        const [name, kind, index] = [reader.name(), kinds[reader.byte()] ?? "unknown", reader.unsigned()];
        exports.push({ name, kind, ...(kind === "function" && { signature: functions[index] ?? "unknown" }) });
      });
    }
    if (id === SectionId.Start) hasStart = true;
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
