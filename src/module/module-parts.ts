// What a module's binary is made of: its sections, the functions in it with their sizes, and who produced it.
// Source: WebAssembly core specification, "Binary Format"; tool-conventions, "ProducersSection.md".

import { Reader, SectionId, sections } from "./module-binary.ts";

/** A part of a module. */
export interface Section {
  /** The specification's word, or the name of a custom section. */
  readonly name: string;
  /** Its bytes, the head included. */
  readonly size: number;
}

/** A function that a module has itself. */
export interface ModuleFunction {
  /** Its number, imported functions included. */
  readonly index: number;
  /** What the name section calls it, or the name that it is exported by; undefined when neither tells. */
  readonly name: string | undefined;
  /** Where its body begins and how many bytes it has, as source maps count. */
  readonly offset: number;
  readonly size: number;
  /** The number that it always answers, `""` when it does nothing and answers nothing; undefined when it does more. */
  readonly constant: number | "" | undefined;
}

/** What wrote a module: a language, a compiler (`processed-by`) or an SDK. */
export interface Producer {
  readonly field: string;
  readonly name: string;
  readonly version: string;
}

/** What a module is made of, in order. */
export interface ModuleParts {
  readonly sections: readonly Section[];
  readonly functions: readonly ModuleFunction[];
  readonly producers: readonly Producer[];
  /** The names that functions are exported by, with their numbers. */
  readonly exported: ReadonlyMap<string, number>;
}

const sectionNames =
  "custom type import function table memory global export start element code data data-count tag".split(" ");

/** Takes a valid module apart; `imported` is the number of functions that it imports. */
export function takeApart(bytes: Uint8Array, imported: number): ModuleParts {
  const reader = new Reader(bytes);
  const parts: Section[] = [];
  const bodies: { offset: number; size: number; constant: number | "" | undefined }[] = [];
  const exported = new Map<string, number>();
  const names = new Map<number, string>();
  const producers: Producer[] = [];
  for (const { id, start, end } of sections(reader)) {
    let name = sectionNames[id] ?? `section ${id}`;
    if (id === SectionId.Custom) {
      name = reader.name();
      if (name === "name") readFunctionNames(reader, end, names);
      if (name === "producers") producers.push(...readProducers(reader));
    }
    if (id === SectionId.Export) {
      reader.list(() => {
        const [item, kind, index] = [reader.name(), reader.byte(), reader.unsigned()];
        if (kind === 0) exported.set(item, index);
      });
    }
    if (id === SectionId.Code) reader.list(() => bodies.push(readBody(bytes, reader)));
    parts.push({ name, size: end - start });
  }
  for (const [name, index] of exported) if (!names.has(index)) names.set(index, name);
  const functions = bodies.map(({ offset, size, constant }, i): ModuleFunction => {
    const index = imported + i;
    return { index, name: names.get(index), offset, size, constant };
  });
  return { sections: parts, functions, producers, exported };
}

function readBody(
  bytes: Uint8Array,
  reader: Reader,
): { offset: number; size: number; constant: number | "" | undefined } {
  const size = reader.unsigned();
  const offset = reader.position;
  reader.list(() => {
    reader.unsigned();
    reader.skip(1);
  });
  // `i32.const`, a number of one byte, `end`; or `end` alone.
  const [first, number, last] = bytes.subarray(reader.position, offset + size);
  const answers = first === 0x41 && last === 0x0b && offset + size - reader.position === 3;
  reader.position = offset + size;
  return { offset, size, constant: first === 0x0b ? "" : answers ? number : undefined };
}

/** Reads the subsection with the names of functions, which is the second kind. */
function readFunctionNames(reader: Reader, end: number, names: Map<number, string>): void {
  while (reader.position < end) {
    const kind = reader.byte();
    const next = reader.unsigned() + reader.position;
    if (kind === 1) reader.list(() => names.set(reader.unsigned(), reader.name()));
    reader.position = next;
  }
}

function readProducers(reader: Reader): Producer[] {
  const producers: Producer[] = [];
  reader.list(() => {
    const field = reader.name();
    reader.list(() => producers.push({ field, name: reader.name(), version: reader.name() }));
  });
  return producers;
}
