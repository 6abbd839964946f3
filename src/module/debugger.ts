// A module for a debugger that listens: with its source map inside, whose sources are the files on disk. V8 tells
// debuggers of no other place for it, since a module that is compiled from bytes has no address of its own.

import { bytesOf, encodeText } from "../encoding/bytes.ts";
import type { LimitedModule } from "./memory-limit.ts";
import { leb128, Reader, SectionId, sections, splice } from "./module-binary.ts";
import { nodeInspector } from "../node-modules.ts";
import { addressOf, sourceFile } from "./source-files.ts";
import { relocate } from "./source-map.ts";

/** Whether a debugger may be attached to this process, as with `node --inspect`. */
export function isDebugged(): boolean {
  return nodeInspector()?.url() !== undefined;
}

/** The module with this map in place of the address of one; `file` is where the module was read. */
export function withSourceMap<M extends LimitedModule>(module: M, map: string, file: string | URL): M {
  const address = addressOf(file);
  const text = relocate(map, module.shift, (source) => sourceFile(source, address)?.href ?? source);
  const url = `data:application/json;base64,${btoa(encodeText(text))}`;
  return { ...module, bytes: replaceSourceMappingUrl(module.bytes, url) };
}

/** Puts another address into a module. One in front of the code stays: the code would move. */
function replaceSourceMappingUrl(bytes: Uint8Array<ArrayBuffer>, url: string): Uint8Array<ArrayBuffer> {
  const reader = new Reader(bytes);
  let codeSeen = false;
  for (const { id, start, end } of sections(reader)) {
    if (id === SectionId.Custom && reader.name() === "sourceMappingURL") {
      if (!codeSeen) break;
      const content = [...name("sourceMappingURL"), ...name(url)];
      return splice(bytes, start, end, [id, ...leb128(content.length), ...content]);
    }
    codeSeen ||= id === SectionId.Code;
  }
  return bytes;
}

function name(text: string): number[] {
  return [...leb128(text.length), ...bytesOf(text)];
}
