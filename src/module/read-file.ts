// Files, for those who have them: the only part of the library that needs Node, and only when it is used.

import { LoadError } from "../error.ts";
import { isSourceMap } from "./source-map.ts";

/** The bytes of a file; a `LoadError` when there is none. */
export async function readBytes(file: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const { readFile } = await import("node:fs/promises");
  try {
    return Uint8Array.from(await readFile(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: "there is no such file; has the filter been built?",
      EISDIR: "it is a folder; give the compiled filter in it, such as build/release.wasm",
    };
    const reason = reasons[code ?? ""] ?? message;
    throw new LoadError(`cannot read ${String(file)}: ${reason}`, { cause: error });
  }
}

/** The source map of a module that says it is at `url`, relative to it; undefined when there is none that can be read. */
export async function readSourceMap(module: string | URL, url: string | undefined): Promise<string | undefined> {
  if (url === undefined) return undefined;
  const file = typeof module === "string" ? module.replace(/[^/\\]*$/, url) : new URL(url, module);
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text !== undefined && isSourceMap(text) ? text : undefined;
}
