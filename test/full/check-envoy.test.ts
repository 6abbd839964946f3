// `check` says of a module what a real Envoy does with it. ENVOY_PATH leads to Envoys of other versions as well.

import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { readFacts } from "../../src/check/facts.ts";
import { judge } from "../../src/check/judge.ts";
import { targetsOf } from "../../src/check/targets.ts";
import { envFunctions, wasiFunctions } from "../../src/profiles/function-types.ts";
import { filterWat, hostCall, wat } from "../support/compile.ts";
import { httpListener, pluginConfig, wasmFilter } from "../support/envoy-config.ts";
import { explainMissingEnvoy, findEnvoy } from "../support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const marker = '(func (export "proxy_abi_version_0_2_1"))';
const malloc = '(func (export "malloc") (param i32) (result i32) (i32.const 64))';
const memory = '(memory (export "memory") 1)';
const callback = (name: string, parameters: string): string =>
  filterText(`(func (export "${name}") (param ${parameters}) (result i32) (i32.const 0))`);
const filterText = (rest: string): string => `(module ${rest} ${memory} ${malloc} ${marker})`;
const imported = (module: string, name: string, signature: string): string => {
  const [parameters = "", result = ""] = signature.split("->");
  return `(import "${module}" "${name}" (func (param ${parameters}) ${result.trim() && `(result ${result})`}))`;
};
const every = (table: Readonly<Record<string, string>>, module: string): string =>
  Object.entries(table)
    .map(([name, signature]) => imported(module, name, signature))
    .join("");
const newest = Object.entries(envFunctions).filter(([, { versions }]) => versions.includes("0.2.1"));
const env = Object.fromEntries(newest.map(([name, { signature }]) => [name, signature]));

const modules: Record<string, Uint8Array> = {
  "a filter": filterWat({}),
  "no marker": wat(`(module ${memory} ${malloc})`),
  "Higress' marker": wat(`(module ${memory} ${malloc} (func (export "proxy_abi_version_0_2_100")))`),
  "a marker that is a global": wat(
    `(module ${memory} ${malloc} (global (export "proxy_abi_version_0_2_1") i32 (i32.const 1)))`,
  ),
  "no allocator": wat(`(module ${memory} ${marker})`),
  "the other allocator": wat(`(module ${memory} ${marker} ${malloc.replace("malloc", "proxy_on_memory_allocate")})`),
  "an allocator of another type": wat(`(module ${memory} ${marker} (func (export "malloc")))`),
  "every host call": wat(filterText(every(env, "env"))),
  "every function of WASI": wat(filterText(every(wasiFunctions, "wasi_snapshot_preview1"))),
  "WASI by its old name": wat(filterText(imported("wasi_unstable", "fd_write", "i32 i32 i32 i32 -> i32"))),
  "what WASI does not have": wat(filterText(imported("wasi_snapshot_preview1", "proc_raise", "i32 -> i32"))),
  abort: filterWat({ imports: imported("env", "abort", "i32 i32 i32 i32 ->") }),
  "a host call of 0.1.0": filterWat({ imports: hostCall("continue_request", 0) }),
  "a host call of another type": filterWat({ imports: hostCall("log", 2) }),
  "an imported global": filterWat({ imports: '(import "env" "g" (global i32))' }),
  "an imported table": filterWat({ imports: '(import "env" "t" (table 1 funcref))' }),
  "an imported memory": wat(`(module (import "env" "memory" (memory 1)) ${marker} ${malloc})`),
  "an imported memory that is too large": wat(`(module (import "env" "memory" (memory 17000)) ${marker} ${malloc})`),
  "a callback": wat(callback("proxy_on_request_headers", "i32 i32 i32")),
  "a callback of another type": wat(callback("proxy_on_request_headers", "i32 i32")),
  "a callback that nobody calls": wat(callback("proxy_on_nothing", "i64")),
  "a start section": filterWat({ functions: "(start $s) (func $s)" }),
  "much memory": wat(`(module (memory (export "memory") 16384) ${marker} ${malloc})`),
  "too much memory": wat(`(module (memory (export "memory") 17000) ${marker} ${malloc})`),
};

describe.skipIf(!envoy)("a real Envoy", () => {
  let folder: string;
  let version: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "proxy-wasm-check-"));
    const text = execFileSync(envoy!, ["--version"], { encoding: "utf8" });
    version = `envoy-${/\/(\d+\.\d+)\.\d+\//.exec(text)![1]!}`;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(Object.entries(modules))("and check agree on %s", async (_what, bytes) => {
    const [target] = targetsOf(version);
    expect(target?.id).toBe(version);
    const { facts } = await readFacts(Uint8Array.from(bytes), "filter");
    const { verdict, problems } = judge(facts, target!);
    const file = join(folder, "filter.wasm");
    await writeFile(file, bytes);
    expect({ problems, loads: verdict !== "refused" }).toEqual({ problems, loads: await loads(file) });
  });

  async function loads(file: string): Promise<boolean> {
    const listeners = [httpListener("main", 0, [wasmFilter(pluginConfig("filter", "", file))], [])];
    const args = ["--mode", "validate", "--log-level", "error", "--config-yaml"];
    const config = JSON.stringify({ static_resources: { listeners } });
    return promisify(execFile)(envoy!, [...args, config]).then(
      () => true,
      () => false,
    );
  }
});
