// Compiles small filters for tests: AssemblyScript as an author's project would, and WAT.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

import { main as asc } from "assemblyscript/asc";
import binaryen from "binaryen";

const root = resolve(import.meta.dirname, "../..");
const build = join(root, "test/build");

/** What compiling gave. */
export interface Compiled {
  readonly bytes: Uint8Array;
  /** What asc wrote to stderr. */
  readonly stderr: string;
  readonly imports: string[];
  readonly exports: string[];
  /** The path of the module, with its source map beside it. */
  readonly file: string;
}

/** Compiles a source with a shipped configuration, in a folder of its own; `flags` are further words for asc. */
export async function compileSource(
  source: string,
  flags: readonly string[] = [],
  config = "asconfig.json",
): Promise<Compiled> {
  await mkdir(build, { recursive: true });
  const folder = await mkdtemp(join(build, "filter-"));
  await mkdir(join(folder, "assembly"));
  await writeFile(join(folder, "assembly/index.ts"), source);
  await writeFile(
    join(folder, "asconfig.json"),
    JSON.stringify({
      extends: `proxy-wasm/${config}`,
      entries: ["assembly/index.ts"],
      targets: { release: { outFile: "release.wasm" }, debug: { outFile: "release.wasm" } },
    }),
  );
  const stderr: string[] = [];
  const write = (text: string | Uint8Array): void =>
    void stderr.push(typeof text === "string" ? text : Buffer.from(text).toString());
  const { error } = await asc(
    ["--config", relative(process.cwd(), join(folder, "asconfig.json")), "--target", "release", ...flags],
    {
      stderr: { write } as never,
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr.join("")}`);
  const file = join(folder, "release.wasm");
  return { ...describe(await readFile(file)), stderr: stderr.join(""), file };
}

/** Compiles `test/filters/<name>.ts`. */
export async function compileFilter(
  name: string,
  flags: readonly string[] = [],
  config = "asconfig.json",
): Promise<Compiled> {
  return compileSource(await readFile(join(root, "test/filters", `${name}.ts`), "utf8"), flags, config);
}

/** Removes what compiling left. */
export async function removeBuild(): Promise<void> {
  await rm(build, { recursive: true, force: true });
}

/** The binary of a module in text form. */
export function wat(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

/**
 * A filter in text form: marker, memory and an allocator that hands out ever new places from 4096 on; `imports` and
 * `functions` are the rest. Text for the filter to use stands in `data` at address 16.
 */
export function filterWat(parts: { imports?: string; functions?: string; data?: string; malloc?: string }): Uint8Array {
  return wat(`(module
    ${parts.imports ?? ""}
    (memory (export "memory") 2)
    (data (i32.const 16) "${parts.data ?? ""}")
    (global $free (mut i32) (i32.const 4096))
    (func (export "proxy_abi_version_0_2_1"))
    ${
      parts.malloc ??
      `(func (export "malloc") (param i32) (result i32)
        (global.set $free (i32.add (global.get $free) (local.get 0)))
        (i32.sub (global.get $free) (local.get 0)))`
    }
    ${parts.functions ?? ""})`);
}

/** The declaration of a host call for `filterWat`, as `$name` without `proxy_`. */
export function hostCall(name: string, parameters: number): string {
  return `(import "env" "proxy_${name}" (func $${name} (param ${"i32 ".repeat(parameters)}) (result i32)))`;
}

function describe(bytes: Uint8Array): Pick<Compiled, "bytes" | "imports" | "exports"> {
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  return {
    bytes,
    imports: WebAssembly.Module.imports(module).map((item) => `${item.module}.${item.name}`),
    exports: WebAssembly.Module.exports(module).map((item) => item.name),
  };
}
