// Files on this disk that may be anything: read within bounds, and written whole or not at all.

import { randomBytes } from "node:crypto";
import { constants, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { ImageError } from "./error.ts";

/** Bytes that are asked for at once when a file has more than it said. */
const PIECE_BYTES = 64 << 10;

/**
 * The bytes of a file; undefined when there is none. An `ImageError` refuses what is longer than `limit`, and all that is
 * no regular file: pipes and devices may have no end.
 */
export async function readLimited(path: string, limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let file: FileHandle | undefined;
  try {
    // A pipe that nobody writes to would otherwise be waited for here.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const found = await file.stat();
    if (!found.isFile()) {
      throw new ImageError(
        `cannot read ${path}: it is a ${found.isDirectory() ? "folder" : "pipe or device"}, no file`,
      );
    }
    const bytes = found.size > limit ? undefined : await readUpTo(file, found.size, limit + 1);
    if (bytes && bytes.length <= limit) return bytes;
    throw new ImageError(`${path} has ${bytes ? "more" : found.size} bytes; at most ${limit} were expected`);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ImageError(`cannot read ${path}: ${message}`, { cause: error });
  } finally {
    await file?.close();
  }
}

/** Reads to the end, or up to `most` bytes; `size` is what the file says that it has. */
async function readUpTo(file: FileHandle, size: number, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Buffer<ArrayBuffer>[] = [];
  for (let length = 0; length < most;) {
    const piece = Buffer.allocUnsafe(Math.min(length ? PIECE_BYTES : size + 1, most - length));
    const { bytesRead } = await file.read(piece);
    if (!bytesRead) break;
    pieces.push(piece.subarray(0, bytesRead));
    length += bytesRead;
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/**
 * Makes a folder with those around it. Unlike `mkdir` with `recursive`, it ends where none can be made, such as in
 * `/proc` (Node 20 and 22 ask there without end).
 */
export async function makeFolders(folder: string): Promise<void> {
  const unlessThere = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EEXIST") throw error;
  };
  try {
    await mkdir(folder).catch(unlessThere);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolders(dirname(folder));
    await mkdir(folder).catch(unlessThere);
  }
}

/** Writes a file in place of what is there: beside it first, so that it is either as before or whole. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const write = async (): Promise<void> => {
    await writeFile(temporary, content);
    await rename(temporary, file);
  };
  await orUndo(write, () => remove(temporary));
}

/** Does something; `undo` follows when it fails, and when the process ends meanwhile. */
export async function orUndo<T>(action: () => Promise<T>, undo: () => void): Promise<T> {
  process.once("exit", undo);
  try {
    return await action();
  } catch (error) {
    undo();
    throw error;
  } finally {
    process.off("exit", undo);
  }
}

/** Removes a file or a folder, if it is there and can be removed. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // It stays.
  }
}
