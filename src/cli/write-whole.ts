// The file that a command writes its answer to: whole or not at all.

import { stat } from "node:fs/promises";
import { dirname } from "node:path";

import { makeFolders, replaceFile } from "../oci/files.ts";
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
  try {
    await makeFolders(dirname(file));
    await replaceFile(file, content);
  } catch (error) {
    throw new CommandError(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}
