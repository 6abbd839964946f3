// A plugin for vitest, so that a test imports a filter's source and gets the compiled module:
//
//   import filter from "../assembly/index.ts?filter";
//   await loadFilter(filter);
//
// In watch mode a change of any file that the filter is made of compiles it again and runs the tests that import it.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { type Compilation, compile, CONFIG } from "./compile.ts";
import { parseJson } from "./encoding/parse-json.ts";

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
  return {
    name: "proxy-wasm:filters",
    configResolved(config) {
      cache = join(config.cacheDir, "proxy-wasm");
    },
    async load(id) {
      if (!id.endsWith(QUERY)) return undefined;
      const entry = id.slice(0, -QUERY.length);
      const { module, sources } = await compileEntry(entry, options.target ?? "release", cache);
      for (const source of sources) this.addWatchFile(source);
      return `export default ${JSON.stringify(module)};`;
    },
  };
}

async function compileEntry(entry: string, target: string, cache: string): Promise<Compilation & { module: string }> {
  const config = await findConfig(entry);
  const folder = dirname(config);
  const { entries = [] } = parseJson(await readFile(config, "utf8"), config) as { entries?: string[] };
  if (entries.length !== 1 || resolve(folder, entries[0]!) !== entry) {
    const found = entries.length ? entries.join(", ") : "none";
    throw new Error(
      `${entry} must be the only entry in ${config}; found: ${found}. A second filter needs a folder and an ${CONFIG} of its own`,
    );
  }
  // Folders of the same name are told apart by a hash of their paths.
  const hash = createHash("sha256").update(folder).digest("hex").slice(0, 8);
  const outFile = join(cache, `${basename(folder)}-${hash}-${target}.wasm`);
  const { module, error, messages, sources } = await compile({ folder, target, outFile });
  if (module === undefined) throw new Error(`${entry} does not compile: ${error}\n${messages}`);
  return { module, error, messages, sources };
}

/** The nearest asconfig.json above a file. */
async function findConfig(file: string): Promise<string> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const config = join(folder, CONFIG);
    if (await stat(config).catch(() => undefined)) return config;
    if (folder === dirname(folder)) throw new Error(`there is no asconfig.json above ${file}`);
  }
}
