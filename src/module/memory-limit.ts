// Keeps a module's memory from growing beyond what its host allows. JavaScript cannot refuse a `memory.grow`, so the
// limit is written into the module before it is compiled: as the maximum of the memory it declares.
// Source: WebAssembly core specification, "Binary Format".

import { LoadError } from "../error.ts";
import { leb128, Reader, SectionId, sections, splice } from "./module-binary.ts";

/** A module whose memory ends at a limit. */
export interface LimitedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes further back its instructions are than in the original, where source maps count. */
  readonly shift: number;
}

const HAS_MAXIMUM = 1;

/** Gives the memories of a valid module a maximum of so many pages; a `LoadError` when one begins with more. */
export function limitMemory(bytes: Uint8Array<ArrayBuffer>, pages: number, name: string): LimitedModule {
  const reader = new Reader(bytes);
  for (const { id, start, end } of sections(reader)) {
    if (id !== SectionId.Memory) continue;
    const content = limitedSection(reader, pages, name);
    const replaced = [id, ...leb128(content.length), ...content];
    return { bytes: splice(bytes, start, end, replaced), shift: replaced.length - (end - start) };
  }
  return { bytes, shift: 0 };
}

function limitedSection(reader: Reader, pages: number, name: string): number[] {
  const count = reader.unsigned();
  const content = leb128(count);
  for (let i = 0; i < count; i++) {
    const flags = reader.byte();
    const initial = reader.unsigned();
    const maximum = flags & HAS_MAXIMUM ? reader.unsigned() : pages;
    if (initial > pages) {
      throw new LoadError(`${name} begins with ${initial} pages of memory; the limit is ${pages} (limits.memoryPages)`);
    }
    content.push(flags | HAS_MAXIMUM, ...leb128(initial), ...leb128(Math.min(maximum, pages)));
  }
  return content;
}
