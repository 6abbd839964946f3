// Writes a project: all of it or nothing, and nothing outside of its folder.

import { lstat, mkdir, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { CommandError } from "../errors.ts";

/** The names in a folder that stand in the way of a project; none when there is no folder. A repository may be there. */
export async function obstacles(folder: string): Promise<string[]> {
  const kind = await kindOf(folder);
  if (kind === "file") throw new CommandError(`${folder} is a file; give a folder, which may be new`);
  if (kind === "none") return [];
  return (await readdir(folder)).filter((name) => name !== ".git");
}

/** Writes files into a folder, which is made when there is none. Files of the same names are replaced. */
export async function writeProject(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const root = resolve(folder);
  const isNew = (await kindOf(root)) === "none";
  if (!isNew) for (const path of files.keys()) await checkPlace(folder, root, path);
  const firstMade = isNew ? await mkdir(dirname(root), { recursive: true }) : undefined;
  const stage = isNew ? `${root}.${process.pid}.tmp` : join(root, `.proxy-wasm-init.${process.pid}.tmp`);
  try {
    for (const [path, text] of files) {
      await mkdir(dirname(join(stage, "new", path)), { recursive: true });
      await writeFile(join(stage, "new", path), text);
    }
    if (isNew) await rename(join(stage, "new"), root);
    else await moveIn(stage, root, [...files.keys()]);
  } catch (error) {
    if (firstMade !== undefined) await rm(firstMade, { recursive: true, force: true });
    throw new CommandError(`cannot write to ${folder}, so nothing was changed: ${(error as Error).message}`);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** Moves files from the stage to their places, and everything back when one cannot be moved. */
async function moveIn(stage: string, root: string, paths: readonly string[]): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const path of paths) {
      const [place, old] = [join(root, path), join(stage, "old", path)];
      if ((await kindOf(dirname(place))) === "none") {
        const made = await mkdir(dirname(place), { recursive: true });
        undo.push(() => rmdir(made ?? dirname(place)));
      }
      if ((await kindOf(place)) === "file") {
        await mkdir(dirname(old), { recursive: true });
        await rename(place, old);
        undo.push(() => rename(old, place));
      }
      await rename(join(stage, "new", path), place);
      undo.push(() => rm(place));
    }
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** Refuses a file whose place is a folder, or that a link would lead out of the project. */
async function checkPlace(folder: string, root: string, path: string): Promise<void> {
  const parts = path.split("/");
  for (let i = 1; i <= parts.length; i++) {
    const part = parts.slice(0, i).join("/");
    const kind = await kindOf(join(root, part), false);
    const isLast = i === parts.length;
    const name = join(folder, part);
    if (kind === "link") throw new CommandError(`${name} is a link, and nothing is written outside of ${folder}`);
    if (isLast && kind === "folder") throw new CommandError(`${name} is a folder; a file has to be written there`);
    if (!isLast && kind === "file") throw new CommandError(`${name} is a file; a folder has to be there`);
  }
}

async function kindOf(path: string, follow = true): Promise<"none" | "link" | "folder" | "file"> {
  const found = await (follow ? stat(path) : lstat(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new CommandError(`cannot look at ${path}: ${error.message}`);
  });
  if (!found) return "none";
  return found.isSymbolicLink() ? "link" : found.isDirectory() ? "folder" : "file";
}
