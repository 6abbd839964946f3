// Compiles a project's filter with asc, in this process: the second time takes a fraction of the first.

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";

import type { main } from "assemblyscript/asc";

/** What is to be compiled. */
export interface CompileOptions {
  /** The folder with the `asconfig.json`. */
  readonly folder: string;
  /** The target of that configuration: `release`, `debug`, or one of its own. */
  readonly target: string;
  /** Where the module goes, from the folder; where the configuration says by default. */
  readonly outFile?: string;
  /** Whether to find out only what comes of it, and write nothing. */
  readonly dry?: boolean;
  /** Further words for asc. */
  readonly flags?: readonly string[];
}

/** What came of it. */
export interface Compilation {
  /** The path of the compiled module; its source map is beside it. `undefined` when it does not compile. */
  readonly module: string | undefined;
  /** Why it does not compile, in a few words; `undefined` when it does. */
  readonly error: string | undefined;
  /** What asc had to say: warnings, and mistakes with file, line and column. */
  readonly messages: string;
  /** The project's files that it was made of, its configuration first. */
  readonly sources: readonly string[];
}

/** The name of a project's configuration. */
export const CONFIG = "asconfig.json";

// asc keeps its state in variables of its module, so one compilation waits for the other.
let last: Promise<unknown> = Promise.resolve();

/** Compiles. What it writes appears when all of it is there; nothing is written when it does not compile. */
export function compile(options: CompileOptions): Promise<Compilation> {
  const compiling = last.then(() => run(options));
  last = compiling.catch(() => {});
  return compiling;
}

async function run({ folder, target, outFile, dry, flags = [] }: CompileOptions): Promise<Compilation> {
  const asc = await findCompiler();
  const config = join(folder, CONFIG);
  const sources: string[] = [config];
  const written = new Map<string, string | Uint8Array>();
  let messages = "";
  const args = [
    "--noColors",
    "--baseDir",
    folder,
    "--target",
    target,
    ...(outFile === undefined ? [] : ["--outFile", outFile]),
  ];
  const compiling = asc([...args, ...flags], {
    stderr: { isTTY: false, write: (text: string | Uint8Array) => void (messages += asText(text)) },
    readFile: async (name: string, baseDir: string) => {
      const file = resolve(baseDir, name);
      const text = await readFile(file, "utf8").catch(() => null);
      if (text !== null && !isDependency(file, folder) && !sources.includes(file)) sources.push(file);
      return text;
    },
    writeFile: (name: string, contents: string | Uint8Array, baseDir: string) => {
      written.set(resolve(baseDir, name), contents);
    },
  } as never);
  const { error } = await compiling.catch((error: NodeJS.ErrnoException) => ({ error: rejection(error) }));
  const module = [...written.keys()].find((file) => file.endsWith(".wasm"));
  if (error || module === undefined) {
    const reason = error?.message ?? `the target ${target} of ${config} has no outFile, such as "build/${target}.wasm"`;
    return { module: undefined, error: reason, messages, sources };
  }
  if (dry) return { module, error: undefined, messages, sources };
  // The module comes last: who waits for it finds its source map.
  const files = [...written.keys()].filter((file) => file !== module);
  try {
    for (const file of [...files, module]) await put(file, written.get(file)!);
  } catch (problem) {
    return { module: undefined, error: `cannot write it: ${(problem as Error).message}`, messages, sources };
  }
  return { module, error: undefined, messages, sources };
}

/** Whether a file is of a package that a project has, seen from its folder: that one may lie below `node_modules` itself. */
export function isDependency(file: string, folder: string): boolean {
  return relative(folder, file).split(sep).includes("node_modules");
}

async function findCompiler(): Promise<typeof main> {
  try {
    return (await import("assemblyscript/asc")).main;
  } catch (error) {
    const reason = "assemblyscript cannot be loaded; npm install --save-dev assemblyscript";
    return () => Promise.reject(new Error(reason, { cause: error }));
  }
}

/** asc rejects when the configuration is not what it should be, or extends one that is not there. */
function rejection(error: NodeJS.ErrnoException): Error {
  const [reason] = error.message.split("\n");
  return new Error(
    error.code === "MODULE_NOT_FOUND" ? `${reason}; have the project's dependencies been installed?` : reason,
    { cause: error },
  );
}

/** Writes a file that is either as before or whole. */
async function put(file: string, contents: string | Uint8Array): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(beside, contents);
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function asText(text: string | Uint8Array): string {
  return typeof text === "string" ? text : new TextDecoder().decode(text);
}
