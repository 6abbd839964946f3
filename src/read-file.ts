// Files, for those who have them: the only part of the library that needs Node, and only when it is used.

import { LoadError } from "./error.ts";

/** The bytes of a file; a `LoadError` when there is none. */
export async function readBytes(file: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const { readFile } = await import("node:fs/promises");
  try {
    return Uint8Array.from(await readFile(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file; has the filter been built?" : message;
    throw new LoadError(`cannot read ${String(file)}: ${reason}`, { cause: error });
  }
}

/** The text of a file that may be missing. */
export async function readTextIfAny(file: string | URL): Promise<string | undefined> {
  const { readFile } = await import("node:fs/promises");
  return readFile(file, "utf8").catch(() => undefined);
}
