// Compiles filters/*.ts as a user's project would, to build/<name>.wasm.
// Usage: node bench/build.mjs [NAME …]

import { readdir } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { main as asc } from "assemblyscript/asc";

const root = resolve(import.meta.dirname, "..");

/** Compiles one filter and gives the path of the module; another runtime than `proxy-wasm` stands in its name. */
export async function build(name, runtime = "proxy-wasm") {
  const file = `bench/build/${name}${runtime === "proxy-wasm" ? "" : `-${runtime}`}.wasm`;
  await compile(`bench/filters/${name}.ts`, file, runtime);
  return join(root, file);
}

/** Compiles a source to a module; paths are relative to the repository, `more` are further flags. */
export async function compile(source, file, runtime = "proxy-wasm", more = []) {
  const flags = ["--baseDir", root, "--config", "bench/asconfig.json", "--target", "release", "--runtime", runtime];
  flags.push(...more);
  const { error } = await asc([source, ...flags, "--outFile", file], { stderr: process.stderr });
  if (error) throw new Error(`${file}: ${error.message}`);
}

/** The names of all filters. */
async function filters() {
  const files = await readdir(join(root, "bench/filters"));
  return files.filter((file) => file.endsWith(".ts")).map((file) => basename(file, ".ts"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  for (const name of names.length ? names : await filters()) console.log(relative(process.cwd(), await build(name)));
}
