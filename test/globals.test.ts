// What JavaScript has as globals, in a filter.

import { describe, expect, test } from "vitest";

import { loadFilter, LogLevel } from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, compileSource } from "./support/compile.ts";

const { bytes, imports } = await compileFilter("globals");
const environment = { A: "1", EMPTY: "", EQUALS: "a=b", É: "ö" };

/** The lines that the filter logs. */
async function run(options = {}): Promise<string[]> {
  const filter = await loadFilter(bytes, { environment, ...options });
  const { logs } = await filter.request("/", { upstream: () => ({}) });
  return logs.map(({ level, message }) => `${LogLevel[level]} ${message}`);
}

describe("globals", () => {
  test("log, tell the time, and give random numbers and the environment", async () => {
    expect(await run()).toEqual([
      "Info log",
      "Debug debug",
      "Info info",
      "Warn warn",
      "Error error",
      "Error Assertion failed: three",
      'Warn Timer "none" does not exist',
      "Info a: 0.0 ms",
      "Trace trace 1.5, -2.0",
      "Info now 1767225600000",
      "Info date 2026-01-01T00:00:00.000Z",
      "Info passed true true",
      "Info random true",
      "Info bytes true",
      "Info env A=1",
      "Info env EMPTY=",
      "Info env EQUALS=a=b",
      "Info env É=ö",
      "Info argv 0",
    ]);
  });

  test("import host calls and the oldest functions of WASI", () => {
    expect(imports.sort()).toEqual([
      "env.proxy_get_header_map_value",
      "env.proxy_log",
      "wasi_snapshot_preview1.clock_time_get",
      "wasi_snapshot_preview1.environ_get",
      "wasi_snapshot_preview1.environ_sizes_get",
      "wasi_snapshot_preview1.random_get",
    ]);
  });

  test.each([
    "--runtime proxy-wasm",
    "--runtime incremental",
    "--runtime minimal",
    "--runtime stub",
    "--use GC_STRESS=2",
  ])("outlive a callback with %s", async (flags) => {
    const compiled = await compileFilter("globals", flags.split(" "));
    const filter = await loadFilter(compiled.bytes, { environment });
    const lines = [];
    for (let i = 0; i < 3; i++) {
      const { logs } = await filter.request("/", { upstream: () => ({}) });
      lines.push(logs.map(({ message }) => message).filter((message) => message.startsWith("env ")));
    }
    expect(lines[0]).toHaveLength(4);
    expect(lines).toEqual([lines[0], lines[0], lines[0]]);
    expect(filter.trap).toBeNull();
  });

  test("may be used at the top level", async () => {
    const compiled = await compileFilter("globals-at-start");
    const filter = await loadFilter(compiled.bytes, { environment });
    expect(await filter.request("/", { upstream: () => ({}) })).toHaveLogged("info", "1767225600000 true true 1");
  });

  test("process.exit stops the filter, and says so", async () => {
    const filter = await loadFilter(bytes);
    const response = await filter.request("/", { upstream: () => ({ headers: { "x-exit": "1" } }) });
    expect(response).toHaveStatus(503);
    expect(filter).toHaveTrapped("process.exit(3)");
  });

  test("crypto.getRandomValues gives no bytes that are not random", async () => {
    const compiled = await compileSource(`
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          crypto.getRandomValues(new Uint8Array(8));
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const filter = await loadFilter(compiled.bytes, { limits: { randomBytes: 4 } });
    expect(await filter.request("/")).toHaveStatus(503);
    expect(filter).toHaveTrapped("crypto.getRandomValues: the proxy gave no random bytes");
  });
});
