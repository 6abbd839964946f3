import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { LoadError, loadFilter } from "../src/index.ts";
import { filterWat, hostCall, wat } from "./support/compile.ts";

const marker = '(func (export "proxy_abi_version_0_2_1"))';
const malloc = '(func (export "malloc") (param i32) (result i32) (i32.const 64))';
const memory = '(memory (export "memory") 1)';

async function refusal(module: string | Uint8Array, options = {}): Promise<string> {
  const error = await loadFilter(module, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LoadError);
  return (error as LoadError).message;
}

describe("loading refuses, in a sentence,", () => {
  test("a file that is not there", async () => {
    expect(await refusal("build/no-such.wasm")).toBe(
      "cannot read build/no-such.wasm: there is no such file; has the filter been built?",
    );
  });

  test("an empty file", async () => {
    expect(await refusal(new Uint8Array())).toBe("the module is empty; a compiled filter was expected");
  });

  test("what is no WebAssembly", async () => {
    const file = join(tmpdir(), "proxy-wasm-no-module.wasm");
    await writeFile(file, "export default 1;");
    expect(await refusal(file)).toBe(
      `${file} is no WebAssembly module: it does not begin with "\\0asm"; give the compiled filter`,
    );
  });

  test("what is no valid WebAssembly", async () => {
    expect(await refusal(Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 9, 9, 9))).toMatch(
      /^the module is no valid WebAssembly module: /,
    );
  });

  test("a module without ABI marker", async () => {
    expect(await refusal(wat(`(module ${memory} ${malloc})`))).toMatch(
      /exports none of proxy_abi_version_0_1_0, proxy_abi_version_0_2_0, proxy_abi_version_0_2_1/,
    );
  });

  test("a marker that is no function", async () => {
    const module = wat(`(module ${memory} ${malloc} (global (export "proxy_abi_version_0_2_1") i32 (i32.const 1)))`);
    expect(await refusal(module)).toMatch(/exports none of/);
  });

  test("imports that no proxy offers, all at once", async () => {
    const module = wat(`(module
      (import "env" "abort" (func (param i32 i32 i32 i32)))
      (import "env" "proxy_log" (func (param i32 i32) (result i32)))
      (import "other" "thing" (func))
      (import "env" "g" (global i32))
      ${memory} ${malloc} ${marker})`);
    const message = await refusal(module);
    expect(message).toContain("env.abort (i32 i32 i32 i32 ->) is missing");
    expect(message).toContain("env.proxy_log is i32 i32 i32 -> i32, the module wants i32 i32 -> i32");
    expect(message).toContain("other.thing (->) is missing");
    expect(message).toContain("env.g (global) is missing");
  });

  test("a host call of another version of the ABI", async () => {
    const module = filterWat({ imports: hostCall("continue_request", 0) });
    expect(await refusal(module)).toContain("env.proxy_continue_request (-> i32) is missing (it belongs to ABI 0.1.0)");
  });

  test("a module without allocator", async () => {
    expect(await refusal(wat(`(module ${memory} ${marker})`))).toMatch(/exports no allocator: malloc/);
  });

  test("a callback of another type", async () => {
    const module = filterWat({
      functions: '(func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))',
    });
    expect(await refusal(module)).toBe(
      "the module exports proxy_on_request_headers as i32 i32 -> i32; a proxy calls it as i32 i32 i32 -> i32",
    );
  });

  test("a filter that does not start", async () => {
    const module = filterWat({
      functions: '(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))',
    });
    expect(await refusal(module)).toMatch(/^the filter refused to start \(onVmStart answered false\)/);
  });

  test("a filter that traps while it starts", async () => {
    const module = filterWat({
      functions: '(func (export "proxy_on_configure") (param i32 i32) (result i32) unreachable)',
    });
    expect(await refusal(module)).toBe("the filter stopped in proxy_on_configure while it was started: unreachable");
  });

  test("a start function that asks the host too much", async () => {
    const module = filterWat({
      imports: hostCall("get_current_time_nanoseconds", 1),
      functions: '(func (export "_initialize") (drop (call $get_current_time_nanoseconds (i32.const 0))))',
    });
    expect(await refusal(module)).toContain(
      "_initialize failed: restricted_callback: proxy_get_current_time_nanoseconds",
    );
  });

  test("a host call in the start section, which crashes Envoy", async () => {
    const module = filterWat({
      imports: hostCall("log", 3),
      functions: "(start $s) (func $s (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))))",
    });
    expect(await refusal(module)).toMatch(/calls proxy_log in its start section.*SIGSEGV/);
  });

  test("a start section that traps", async () => {
    expect(await refusal(filterWat({ functions: "(start $s) (func $s unreachable)" }))).toBe(
      "the module cannot be instantiated: unreachable",
    );
  });

  test("more memory than a proxy gives", async () => {
    const module = wat(`(module (memory (export "memory") 17000) ${malloc} ${marker})`);
    expect(await refusal(module)).toBe(
      "the module begins with 17000 pages of memory; the limit is 16384 (limits.memoryPages)",
    );
  });
});

describe("loading takes", () => {
  test("a module whose memory then ends at the limit", async () => {
    const grow = (pages: number): string => `(i32.eq (memory.grow (i32.const ${pages})) (i32.const -1))`;
    const module = filterWat({
      functions: `(func (export "proxy_on_configure") (param i32 i32) (result i32)
        (i32.and (i32.eqz ${grow(8)}) ${grow(1)}))`,
    });
    await loadFilter(module, { limits: { memoryPages: 10 } });
  });

  test("proxy_on_memory_allocate in place of malloc", async () => {
    const allocate = '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 64))';
    await loadFilter(wat(`(module ${memory} ${marker} ${allocate})`));
  });

  test("the older versions of the ABI, each with its own calls", async () => {
    const module = wat(`(module
      (import "env" "proxy_continue_request" (func (result i32)))
      (import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))
      ${memory} ${malloc} (func (export "proxy_abi_version_0_1_0"))
      (func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0)))`);
    const filter = await loadFilter(module);
    expect((await filter.request("/", { upstream: () => ({}) })).status).toBe(200);
  });

  test("_start where there is no _initialize, and main after _initialize", async () => {
    const log = (name: string, digit: number, type = "") =>
      `(func (export "${name}") ${type} (drop (call $log (i32.const 2) (i32.const ${15 + digit}) (i32.const 1)))`;
    const lines: string[] = [];
    const onLog = ({ message }: { message: string }): void => void lines.push(message);
    const imports = hostCall("log", 3);
    await loadFilter(filterWat({ imports, data: "123", functions: `${log("_start", 1)})` }), { onLog });
    await loadFilter(
      filterWat({
        imports,
        data: "123",
        functions: `${log("_start", 1)}) ${log("_initialize", 2)}) ${log("main", 3, "(param i32 i32) (result i32)")} (i32.const 0))`,
      }),
      { onLog },
    );
    expect(lines).toEqual(["1", "2", "3"]);
  });

  test("WASI under both names, with the answers of a proxy", async () => {
    const module = filterWat({
      imports: `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_unstable" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))`,
      data: "hello\\0a",
      functions: `(func (export "_initialize")
        (i32.store (i32.const 100) (i32.const 16)) (i32.store (i32.const 104) (i32.const 6))
        (if (call $write (i32.const 2) (i32.const 100) (i32.const 1) (i32.const 108)) (then unreachable))
        (if (call $sizes (i32.const 112) (i32.const 116)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 112)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 116)) (i32.const 6)) (then unreachable)))`,
    });
    const lines: string[] = [];
    await loadFilter(module, {
      environment: { AA: "bc" },
      onLog: ({ level, message }, prefix) => lines.push(`${prefix}: ${level} ${message}`),
    });
    expect(lines).toEqual(["wasm log: 4 hello"]);
  });
});
