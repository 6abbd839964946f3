// Memories and tables that a module imports; the last test shows the same modules to a real Envoy.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { hostCall, wat } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";
import { startHttpFilters } from "./support/envoy-http.ts";

const common = `(func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))`;

/** Logs the digit at 16 + n. */
const say = (n: string): string => `(drop (call $log (i32.const 2) (i32.add (i32.const 16) ${n}) (i32.const 1)))`;
const grow = (pages: number): string => `(memory.grow (i32.const ${pages}))`;
const digits = '(data (i32.const 16) "0123456789")';

/** Logs how many pages there are, what growing says, and what the function in the table gives. */
const modules = {
  memory: wat(`(module ${hostCall("log", 3)} (import "any" "where" (memory 2 3)) ${digits} ${common}
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      ${say("(memory.size)")} ${say(grow(1))} ${say(`(i32.add (i32.const 9) ${grow(1)})`)} (i32.const 0)))`),
  "memory given back": wat(`(module ${hostCall("log", 3)} (import "env" "memory" (memory 1)) ${digits} ${common}
    (export "memory" (memory 0))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      ${say("(memory.size)")} ${say(grow(2))} ${say("(memory.size)")} (i32.const 0)))`),
  table: wat(`(module ${hostCall("log", 3)} (import "env" "table" (table 3 5 funcref))
    (memory (export "memory") 1) ${digits} ${common}
    (type $number (func (result i32)))
    (func $seven (result i32) (i32.const 7))
    (elem (i32.const 1) $seven)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      ${say("(table.size 0)")} ${say("(call_indirect (type $number) (i32.const 1))")} (i32.const 0)))`),
};
const expected = { memory: ["2", "2", "8"], "memory given back": ["1", "1", "3"], table: ["3", "7"] };

describe("a module gets", () => {
  test.each(Object.entries(modules))("the %s that it imports", async (name, module) => {
    const filter = await loadFilter(module);
    const response = await filter.request("/", { upstream: () => ({}) });
    expect(response.logs.map(({ message }) => message)).toEqual(expected[name as keyof typeof expected]);
    // Every VM has one of its own.
    const other = await filter.worker().request("/", { upstream: () => ({}) });
    expect(other.logs.map(({ message }) => message)).toEqual(expected[name as keyof typeof expected]);
  });

  test("no more memory than the limit, whatever it asks for", async () => {
    const module = wat(`(module (import "env" "memory" (memory 1)) ${common}
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (i32.and (i32.eq ${grow(9)} (i32.const 1)) (i32.eq ${grow(1)} (i32.const -1)))))`);
    const filter = await loadFilter(module, { limits: { memoryPages: 10 } });
    expect(filter.usage.memoryBytes).toBe(10 * 65536);
  });
});

describe("refused is", () => {
  test.each([
    [
      '(import "env" "memory" (memory 20))',
      "the module imports the memory env.memory with 20 pages to begin with; the limit is 10 (limits.memoryPages)",
    ],
    [
      '(import "env" "memory" (memory 1 2 shared))',
      "the module imports the memory env.memory, which is shared or has 64-bit addresses; a proxy gives neither",
    ],
    [
      '(import "env" "table" (table 20000000 funcref))',
      "the module imports the table env.table of 20000000 entries; the limit is 10000000",
    ],
  ])("%s", async (text, message) => {
    const load = loadFilter(wat(`(module ${text} ${common})`), { limits: { memoryPages: 10 } });
    await expect(load).rejects.toThrow(message);
  });
});

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

test.skipIf(!envoy)("a real Envoy gives the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "provided-"));
  const names = Object.keys(modules) as (keyof typeof modules)[];
  const entries = names.map((name, i) => [`m${i}`, join(folder, `m${i}.wasm`), modules[name]] as const);
  for (const [, file, bytes] of entries) await writeFile(file, bytes);
  const filters = Object.fromEntries(entries.map(([name, file]) => [name, { file }]));
  const running = await startHttpFilters(envoy!, filters);
  try {
    for (const [i, name] of names.entries()) {
      expect((await fetch(running.url(`m${i}`))).status).toBe(200);
      await expect.poll(() => running.logs(`m${i}`)).toEqual(expected[name]);
    }
  } finally {
    await running.envoy.stop();
    await rm(folder, { recursive: true });
  }
});
