// A plugin for vitest, so that a test imports a filter's source and gets the compiled module:
//
//   import filter from "../assembly/index.ts?filter";
//   await loadFilter(filter);
//
// In watch mode a change of any file that the filter is made of compiles it again and runs the tests that import it.

import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";

/** What vite knows of it. */
export interface FilterPlugin {
  /** Its name in vite's messages. */
  readonly name: string;
  /** Learns where vite keeps what it may make again. */
  configResolved(config: { readonly cacheDir: string }): void;
  /** Compiles the filter that is imported; undefined for any other import. */
  load(this: { addWatchFile(file: string): void }, id: string): Promise<string | undefined>;
}

const QUERY = "?filter";

/**
 * Makes the plugin, for `plugins` in vitest's configuration. A filter is compiled with the nearest `asconfig.json`
 * above it, of which it must be an entry; `target` is the configuration's target, `release` by default.
 */
export function filters(options: { readonly target?: string } = {}): FilterPlugin {
  let cache = "";
  // asc keeps its state in variables of its module, so one compilation waits for the other.
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: "proxy-wasm:filters",
    configResolved(config) {
      cache = join(config.cacheDir, "proxy-wasm");
    },
    async load(id) {
      if (!id.endsWith(QUERY)) return undefined;
      const entry = id.slice(0, -QUERY.length);
      const compiling = last.then(() => compile(entry, options.target ?? "release", cache));
      last = compiling.catch(() => {});
      const { module, sources } = await compiling;
      for (const source of sources) this.addWatchFile(source);
      return `export default ${JSON.stringify(module)};`;
    },
  };
}

interface Compiled {
  readonly module: string;
  /** The files it was made of. */
  readonly sources: readonly string[];
}

async function compile(entry: string, target: string, cache: string): Promise<Compiled> {
  const { main: asc } = await import("assemblyscript/asc");
  const config = await findConfig(entry);
  const folder = dirname(config);
  const { entries = [] } = JSON.parse(await readFile(config, "utf8")) as { entries?: string[] };
  if (entries.length !== 1 || resolve(folder, entries[0]!) !== entry) {
    const found = entries.length ? entries.join(", ") : "none";
    throw new Error(`${entry} must be the only entry in ${config}; found: ${found}`);
  }
  const module = join(cache, `${basename(folder)}-${target}.wasm`);
  const sources: string[] = [config];
  const messages: string[] = [];
  const { error } = await asc(
    ["--config", basename(config), "--target", target, "--outFile", relative(folder, module)],
    {
      baseDir: folder,
      stderr: { write: (text: string) => void messages.push(text) },
      readFile: async (name: string, baseDir: string) => {
        const file = resolve(baseDir, name);
        const text = await readFile(file, "utf8").catch(() => null);
        if (text !== null && !file.includes("node_modules")) sources.push(file);
        return text;
      },
      writeFile: async (name: string, contents: string | Uint8Array, baseDir: string) => {
        const file = resolve(baseDir, name);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, contents);
      },
    } as never,
  );
  if (error) throw new Error(`${entry} does not compile: ${error.message}\n${messages.join("")}`);
  return { module, sources };
}

/** The nearest asconfig.json above a file. */
async function findConfig(file: string): Promise<string> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const config = join(folder, "asconfig.json");
    if (await stat(config).catch(() => undefined)) return config;
    if (folder === dirname(folder)) throw new Error(`there is no asconfig.json above ${file}`);
  }
}
