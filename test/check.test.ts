// Which proxies take a module. What Envoy does is what Envoy 1.36 to 1.40 did with these modules; see envoy-load.test.ts.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Finding, Verdict } from "../src/check/judge.ts";
import { targets } from "../src/check/targets.ts";
import { command } from "./support/command.ts";
import { compileSource, filterWat, hostCall, wat } from "./support/compile.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-check-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Report {
  readonly code: number;
  readonly bytes: number;
  readonly abi: string | null;
  readonly remarks: readonly Finding[];
  readonly verdicts: readonly Verdict[];
}

/** Checks a module for targets, all by default. */
async function check(module: Uint8Array, ...names: string[]): Promise<Report> {
  const file = join(folder, "filter.wasm");
  await writeFile(file, module);
  const { code, stdout } = await command(["check", file, "--json", ...(names.length ? ["--for", ...names] : [])]);
  return { code, ...(JSON.parse(stdout) as Omit<Report, "code">) };
}

/** What a target says of a module: the verdict, and why. */
async function verdict(module: Uint8Array, target: string): Promise<string[]> {
  const [first] = (await check(module, target)).verdicts;
  return [first!.verdict, ...[...first!.problems, ...first!.limits].map(({ message }) => message)];
}

/** The targets that give a verdict. */
async function targetsThat(wanted: Verdict["verdict"], module: Uint8Array): Promise<string[]> {
  return (await check(module)).verdicts.filter((one) => one.verdict === wanted).map(({ target }) => target);
}

const marker = '(func (export "proxy_abi_version_0_2_1"))';
const malloc = '(func (export "malloc") (param i32) (result i32) (i32.const 64))';
const memory = '(memory (export "memory") 1)';
const wasi = (name: string, type: string): string => `(import "wasi_snapshot_preview1" "${name}" (func ${type}))`;

describe("a module", () => {
  test("of this SDK is taken everywhere but by APISIX, which needs another start function", async () => {
    const source = `
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          this.responseHeaders.set("x-a", "one");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`;
    const { bytes } = await compileSource(source);
    const report = await check(bytes);
    expect(report).toMatchObject({ code: 0, bytes: bytes.length, abi: "0.2.1", remarks: [] });
    const others = targets.map(({ id }) => id).filter((id) => id !== "apisix");
    expect(await targetsThat("loads", bytes)).toEqual(others);
    expect(await verdict(bytes, "apisix")).toEqual([
      "refused",
      "_initialize is never called, only _start; with asc: --exportStart _start",
    ]);
    const started = await compileSource(source, ["--exportStart", "_start"]);
    expect(await targetsThat("loads", started.bytes)).toEqual(targets.map(({ id }) => id));
  });

  test("without a marker of the ABI is taken by nobody who looks for one", async () => {
    const module = wat(`(module ${memory} ${malloc})`);
    expect(await verdict(module, "envoy-1.40")).toEqual([
      "refused",
      "it exports none of proxy_abi_version_0_1_0, proxy_abi_version_0_2_0, proxy_abi_version_0_2_1, so it is no proxy-wasm filter",
    ]);
  });

  test("with Higress' own marker and host calls is taken by Higress alone", async () => {
    const module = wat(`(module (import "env" "proxy_get_upstream_hosts" (func (param i32 i32) (result i32)))
      ${memory} ${malloc} (func (export "proxy_abi_version_0_2_100")))`);
    expect(await targetsThat("loads", module)).toEqual(["higress-2"]);
  });

  test("with the marker of 0.2.0 or 0.1.0 gets that version's host calls", async () => {
    const older = wat(`(module ${hostCall("continue_request", 0)} ${memory} ${malloc}
      (func (export "proxy_abi_version_0_1_0")))`);
    expect(await verdict(older, "envoy-1.40")).toEqual(["loads"]);
    const newer = filterWat({ imports: hostCall("continue_request", 0) });
    expect(await verdict(newer, "envoy-1.40")).toEqual([
      "refused",
      "env.proxy_continue_request (-> i32) is missing (it belongs to ABI 0.1.0)",
    ]);
  });

  test("that imports what asc does by default is refused with the remedy", async () => {
    const module = filterWat({ imports: '(import "env" "abort" (func (param i32 i32 i32 i32)))' });
    const { code, verdicts } = await check(module);
    expect(code).toBe(1);
    expect(new Set(verdicts.map((one) => one.verdict))).toEqual(new Set(["refused"]));
    expect(verdicts[0]!.problems).toEqual([
      {
        code: "import-missing",
        subject: "env.abort",
        message:
          'env.abort (i32 i32 i32 i32 ->) is missing (compile with "use": ["abort=~lib/proxy-wasm/assembly/abort/abort"])',
      },
    ]);
  });

  test("with another type of an import or a callback is refused", async () => {
    expect(await verdict(filterWat({ imports: hostCall("log", 2) }), "istio-1.30")).toEqual([
      "refused",
      "env.proxy_log is i32 i32 i32 -> i32, the module wants i32 i32 -> i32",
    ]);
    const functions = '(func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))';
    expect(await verdict(filterWat({ functions }), "istio-1.30")).toEqual([
      "refused",
      "proxy_on_request_headers is exported as i32 i32 -> i32, and called as i32 i32 i32 -> i32",
    ]);
  });

  test("without allocator is refused; APISIX looks for one by its other name only", async () => {
    expect(await verdict(wat(`(module ${memory} ${marker})`), "envoy-1.36")).toEqual([
      "refused",
      "it exports no allocator: malloc or proxy_on_memory_allocate, of type i32 -> i32",
    ]);
    expect(await verdict(filterWat({}), "apisix")).toEqual([
      "refused",
      "it exports no allocator: proxy_on_memory_allocate, of type i32 -> i32",
    ]);
  });

  test("needs three exports in nginx", async () => {
    expect(await verdict(filterWat({}), "kong")).toEqual([
      "refused",
      "it does not export proxy_on_context_create, which has to be there",
      "it does not export proxy_on_vm_start, which has to be there",
      "it does not export proxy_on_configure, which has to be there",
    ]);
  });

  test("that begins with too much memory is refused, by Google with less", async () => {
    const module = (pages: number): Uint8Array =>
      wat(`(module (memory (export "memory") ${pages}) ${marker} ${malloc})`);
    expect(await verdict(module(17_000), "envoy")).toEqual([
      "refused",
      "its memory begins with 17,000 pages of 64 KiB; 16,384 are the most",
    ]);
    expect(await targetsThat("refused", module(300))).toContain("google");
    expect(await verdict(module(256), "google")).toEqual(["loads"]);
  });

  test("that is too large is refused by those who have a limit", async () => {
    const data = "x".repeat(5 * 1024 * 1024);
    const module = wat(`(module (memory (export "memory") 100) (data (i32.const 0) "${data}") ${marker} ${malloc})`);
    expect(await verdict(module, "google")).toEqual([
      "refused",
      expect.stringMatching(/^it has 5,242,\d{3} bytes; 5,242,880/),
    ]);
    expect(await verdict(module, "istio-1.29")).toEqual(["loads"]);
  });

  test("with WASI is taken where these functions are", async () => {
    const old = filterWat({ imports: wasi("fd_write", "(param i32 i32 i32 i32) (result i32)") });
    expect(await targetsThat("refused", old)).toEqual(["kong-3.9", "nginx", "apisix"]);
    const recent = filterWat({ imports: wasi("clock_res_get", "(param i32 i32) (result i32)") });
    const { verdicts } = await check(recent, "envoy");
    expect(verdicts.map((one) => [one.target, one.verdict])).toEqual([
      ["envoy-1.40", "loads"],
      ["envoy-1.39", "loads"],
      ["envoy-1.38", "refused"],
      ["envoy-1.37", "refused"],
      ["envoy-1.36", "refused"],
    ]);
  });

  test("that uses what does nothing somewhere is limited there", async () => {
    const module = filterWat({
      imports: hostCall("http_call", 10),
      functions: `(func (export "proxy_on_tick") (param i32) (call $log))
        (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1)) (func $log)`,
    });
    expect(await verdict(module, "google")).toEqual([
      "limited",
      "proxy_http_call: not supported",
      "proxy_on_tick: not supported",
    ]);
  });

  test("may want a memory from Envoy, which makes one", async () => {
    const module = wat(`(module (import "env" "memory" (memory 1)) ${marker} ${malloc})`);
    expect(await verdict(module, "envoy-1.40")).toEqual(["loads"]);
    expect(await verdict(module, "apisix")).toContain("env.memory: no memory is given to a module");
    const large = wat(`(module (import "env" "memory" (memory 17000)) ${marker} ${malloc})`);
    expect(await verdict(large, "envoy-1.40")).toEqual([
      "refused",
      "its memory begins with 17,000 pages of 64 KiB; 16,384 are the most",
    ]);
  });
});

describe("remarks tell of", () => {
  const remarks = async (module: Uint8Array): Promise<string[]> =>
    (await check(module)).remarks.map(({ message }) => message);

  test("callbacks that nobody calls, and those that do nothing", async () => {
    const functions = `(func (export "proxy_on_grpc_trailing_metadata") (param i32 i32 i32))
      (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
      (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 1))
      (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))`;
    expect(await remarks(filterWat({ functions }))).toEqual([
      "no proxy calls proxy_on_grpc_trailing_metadata; is it misspelt?",
      "proxy_on_request_body does nothing, and a proxy that finds it calls it each time; do not export it",
    ]);
  });

  test("a start section and a second marker", async () => {
    const functions = '(func (export "proxy_abi_version_0_2_0")) (start $s) (func $s)';
    expect(await remarks(filterWat({ functions }))).toEqual([
      expect.stringContaining('with asc: "exportStart": "_initialize"'),
      "proxy_abi_version_0_2_1 and proxy_abi_version_0_2_0 are exported; proxies take the first, proxy_abi_version_0_2_1",
    ]);
  });
});

describe("the command", () => {
  test("prints a row for each proxy, with versions that judge alike together", async () => {
    const file = join(folder, "printed.wasm");
    await writeFile(file, filterWat({ imports: wasi("clock_res_get", "(param i32 i32) (result i32)") }));
    const { code, stdout, stderr } = await command(["check", file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`${file}: 165 bytes, ABI 0.2.1, memory from 2 pages\n\n  Envoy 1.39 to 1.40 `);
    expect(stdout).toMatch(
      /\n {2}Envoy 1\.36 to 1\.38 +refused\n {6}wasi_snapshot_preview1\.clock_res_get \(i32 i32 -> i32\) is missing\n/,
    );
  });

  test("fails when a chosen target refuses, and says which and why", async () => {
    const file = join(folder, "refused.wasm");
    await writeFile(file, filterWat({ imports: wasi("clock_res_get", "(param i32 i32) (result i32)") }));
    const { code, stdout, stderr } = await command(["check", file, "--quiet", "--for", "istio", "envoy-1.40"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(
      `error: ${file} would be refused by Istio 1.28 to 1.30: ` +
        "wasi_snapshot_preview1.clock_res_get (i32 i32 -> i32) is missing\n",
    );
    expect(await command(["check", file, "--quiet", "--for", "envoy-1.40"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  test("tells what is different in a chosen target", async () => {
    const file = join(folder, "notes.wasm");
    await writeFile(file, filterWat({}));
    const { stdout } = await command(["check", file, "--for", "google"]);
    expect(stdout).toContain("      (Action.Pause is taken for Action.Continue)\n");
  });

  test("refuses a proxy that it does not know, with those it knows", async () => {
    const { code, stderr } = await command(["check", "filter.wasm", "--for", "istoi"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: unknown proxy "istoi"; did you mean istio\? known: envoy, istio, .*envoy-1\.40.*\n$/,
    );
  });
});
