// From a compiled module back to the project that it is compiled from.

import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { CONFIG } from "../../compile.ts";
import { type Asconfig, asconfigs, DEFAULT_TARGET } from "../asconfig.ts";

/** What has to be compiled for a module. */
export interface Project {
  /** The path of the module. */
  readonly module: string;
  /** The folder with the configuration. */
  readonly folder: string;
  readonly target: string;
}

/**
 * The project whose configuration says that it makes this module; undefined when there is none above it. Rejects when
 * there is a configuration that cannot be read.
 */
export async function projectOf(module: string): Promise<Project | undefined> {
  const path = resolve(module);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((await writtenAt(join(folder, CONFIG))) !== undefined) {
      const target = await targetOf(folder, path);
      return target === undefined ? undefined : { module: path, folder, target };
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** The target of a project that makes this module. */
async function targetOf(project: string, module: string): Promise<string | undefined> {
  const configs: Asconfig[] = [];
  for await (const config of asconfigs(project)) configs.push(config);
  const names = new Set([DEFAULT_TARGET, ...configs.flatMap(({ targets }) => Object.keys(targets))]);
  return [...names].find((name) => outFile(configs, name) === module);
}

/** Where asc writes the module of a target: as the nearest configuration says. */
function outFile(configs: readonly Asconfig[], target: string): string | undefined {
  for (const { folder, targets, options } of configs) {
    const path = targets[target]?.outFile ?? options.outFile;
    if (typeof path === "string") return resolve(folder, path);
  }
  return undefined;
}

/** The source of a module as tests import it; undefined when no project makes the module, or of more than one entry. */
export async function sourceOf(module: string): Promise<string | undefined> {
  const project = await projectOf(module);
  if (!project) return undefined;
  for await (const { folder, entries } of asconfigs(project.folder)) {
    return entries.length === 1 ? resolve(folder, entries[0]!) : undefined;
  }
  return undefined;
}

/** Whether vitest in this folder compiles what tests import with `?filter`. */
export async function compilesInVitest(folder: string): Promise<boolean> {
  for (const name of ["vitest.config", "vite.config"]) {
    for (const extension of ["ts", "mts", "cts", "js", "mjs", "cjs"]) {
      const text = await readFile(join(folder, `${name}.${extension}`), "utf8").catch(() => undefined);
      if (text !== undefined) return text.includes("proxy-wasm/vitest/plugin");
    }
  }
  return false;
}

/** When a file was last written, in milliseconds since 1970, where some tools set all files; undefined without one. */
export async function writtenAt(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.mtimeMs;
}
