// A filter that runs for ever.

import { describe, expect, test } from "vitest";

import { LoadError, loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { compileSource, filterWat } from "./support/compile.ts";

const three = "(param i32 i32 i32) (result i32)";
const forever = "(loop $again (br $again))";
const upstream = () => ({});

describe("limits.callbackMs", () => {
  test("stops a callback that does not end; the filter has failed then", async () => {
    const functions = `(func (export "proxy_on_request_headers") ${three} ${forever} (i32.const 0))`;
    const filter = await loadFilter(filterWat({ functions }), { limits: { callbackMs: 20 } });
    expect(await filter.request("/", { upstream })).toHaveStatus(503);
    expect(filter).toHaveTrapped("ran longer than 20 ms (limits.callbackMs)");
  });

  test("stops a start function and an allocator", async () => {
    const start = filterWat({ functions: `(func (export "_initialize") ${forever})` });
    await expect(loadFilter(start, { limits: { callbackMs: 20 } })).rejects.toThrow(LoadError);
    const malloc = filterWat({
      imports: `(import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))`,
      functions: `(func (export "proxy_on_request_headers") ${three} (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))`,
      malloc: `(func (export "malloc") (param i32) (result i32) ${forever} (i32.const 0))`,
    });
    const filter = await loadFilter(malloc, { limits: { callbackMs: 20 } });
    expect(await filter.request("/", { upstream })).toHaveStatus(503);
  });

  test("leaves other callbacks as they are", async () => {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          this.responseHeaders.set("x-a", "1");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const filter = await loadFilter(bytes, { limits: { callbackMs: 10_000 } });
    expect(await filter.request("/", { upstream })).toHaveHeader("x-a", "1");
  });

  test.each([0, -1, 1.5, Number.NaN])("%d is no limit", async (callbackMs) => {
    await expect(loadFilter(filterWat({}), { limits: { callbackMs } })).rejects.toThrow(
      `limits.callbackMs is ${callbackMs}; it must be a whole number of milliseconds above 0`,
    );
  });
});
