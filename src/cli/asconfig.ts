// A project's asconfig.json and what it extends, read as asc reads them.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";

import { CONFIG } from "../compile.ts";
import { parseJson } from "../encoding/parse-json.ts";
import { CommandError } from "./errors.ts";

/** The options of asc that are used here. */
interface Options {
  /** Where the module goes, from the configuration's folder. */
  readonly outFile?: string;
}

/** One configuration. */
export interface Asconfig {
  readonly folder: string;
  /** The files that it compiles, from its folder. */
  readonly entries: readonly string[];
  readonly targets: Readonly<Record<string, Options>>;
  /** For all targets. */
  readonly options: Options;
}

/** What asc compiles when it is told no target, whether or not a configuration has it. */
export const DEFAULT_TARGET = "release";

/** Reads a project's configuration, then those that it extends, the nearest first. */
export async function* asconfigs(project: string): AsyncGenerator<Asconfig> {
  const seen = new Set<string>();
  for (let file: string | undefined = join(project, CONFIG); file !== undefined && !seen.has(file);) {
    seen.add(file);
    const text: string | undefined = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      // Of an extended one asc takes no notice then.
      if (seen.size > 1) return undefined;
      const missing = "there is none; proxy-wasm init makes a project that has one";
      throw new CommandError(`cannot read ${file}: ${error.code === "ENOENT" ? missing : error.message}`);
    });
    if (text === undefined) return;
    const config = asObject(parseJson(text, relative("", file), CommandError));
    const folder: string = dirname(file);
    yield {
      folder,
      entries: Array.isArray(config["entries"]) ? config["entries"].map(String) : [],
      targets: asObject(config["targets"]) as Asconfig["targets"],
      options: asObject(config["options"]),
    };
    file = typeof config["extends"] === "string" ? extended(config["extends"], file) : undefined;
  }
}

/** asc says what is wrong with another value. */
function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The file that a configuration extends: a path, or a package's. */
function extended(name: string, file: string): string {
  if (isAbsolute(name)) return name;
  if (name.startsWith(".")) return join(dirname(file), name);
  try {
    return createRequire(resolve(file)).resolve(name);
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new CommandError(
      `cannot read what ${file} extends: ${reason}; have the project's dependencies been installed?`,
    );
  }
}
