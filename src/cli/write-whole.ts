// Files that are written whole or not at all.

import { randomBytes } from "node:crypto";
import { rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { makeFolders, orUndo, remove } from "../oci/files.ts";
import { CommandError, UsageError } from "./errors.ts";

/** Whether a file may be replaced, and the flag that names another one. */
export interface Place {
  readonly force: boolean;
  readonly flag: string;
}

/** Refuses a place where something is that is not to be replaced. */
export async function checkFree(file: string, { force, flag }: Place): Promise<void> {
  if (!file) throw new UsageError(`${flag} names no file`);
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) throw new CommandError(`${file} is a folder; ${flag} names a file`);
  if (found && !force) throw new CommandError(`${file} exists; --force replaces it, ${flag} names another file`);
}

/** Writes a file, with its folder. */
export async function writeWhole(file: string, content: string | Uint8Array, place: Place): Promise<void> {
  await checkFree(file, place);
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const write = async (): Promise<void> => {
    await makeFolders(dirname(file));
    await writeFile(temporary, content);
    await rename(temporary, file);
  };
  await orUndo(write, () => remove(temporary)).catch((error: Error) => {
    throw new CommandError(`cannot write ${file}: ${error.message}`, { cause: error });
  });
}
