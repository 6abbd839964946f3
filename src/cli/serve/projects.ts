// From a compiled module back to the project that it is compiled from.

import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { CONFIG } from "../../compile.ts";

/** What has to be compiled for a module. */
export interface Project {
  /** The path of the module. */
  readonly module: string;
  /** The folder with the configuration. */
  readonly folder: string;
  readonly target: string;
}

/** The project whose configuration says that it makes this module; undefined when there is none above it. */
export async function projectOf(module: string): Promise<Project | undefined> {
  const path = resolve(module);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const text = await readFile(join(folder, CONFIG), "utf8").catch(() => undefined);
    if (text !== undefined) {
      const target = targetOf(text, folder, path);
      return target === undefined ? undefined : { module: path, folder, target };
    }
    if (folder === dirname(folder)) return undefined;
  }
}

function targetOf(config: string, folder: string, module: string): string | undefined {
  let targets: Record<string, { outFile?: string }>;
  try {
    ({ targets = {} } = JSON.parse(config) as { targets?: typeof targets });
  } catch {
    return undefined;
  }
  return Object.entries(targets).find(([, { outFile }]) => outFile && resolve(folder, outFile) === module)?.[0];
}

/** When a file was last written, in milliseconds; 0 when there is none. */
export async function writtenAt(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
}
