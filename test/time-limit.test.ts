// A filter that runs for ever.

import { describe, expect, test } from "vitest";

import { EnvoyFault, LoadError, loadFilter, ProxyState } from "../src/index.ts";
import { Watchdog } from "../src/module/time-limit.ts";
import "../src/vitest.ts";
import { compileSource, filterWat, hostCall } from "./support/compile.ts";

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

describe("the vitest kit", () => {
  const looping = filterWat({
    functions: `(func (export "proxy_on_request_headers") ${three} ${forever} (i32.const 0))`,
  });

  test("fails a test whose filter loops for ever, and names the callback", async () => {
    const filter = await loadFilter(looping);
    await expect(filter.request("/", { upstream })).rejects.toThrow(
      new EnvoyFault(
        "proxy_on_request_headers ran for more than 5000 ms, as if it never ended: a worker of Envoy would do nothing else " +
          "meanwhile. If it does need that long, load the filter with limits: { callbackMs: … }",
      ),
    );
    expect(filter.trap).toBeNull();
  });

  test("leaves a filter alone that has a limit of its own", async () => {
    const filter = await loadFilter(looping, { limits: { callbackMs: 20 } });
    expect(await filter.request("/", { upstream })).toHaveStatus(503);
  });

  test("interrupts so many callbacks, and again as many in the next test", () => {
    const watchdog = Watchdog.of(20, 1)!;
    const { limit } = watchdog;
    const slow = (): number => {
      const end = Date.now() + 60;
      while (Date.now() < end);
      return 1;
    };
    expect(() => limit(slow, "a", () => {})).toThrow("a ran for more than 20 ms");
    expect(limit(slow, "a", () => {})).toBe(1);
    watchdog.renew();
    expect(() => limit(slow, "a", () => {})).toThrow(EnvoyFault);
  });
});

test("what is interrupted within other calls leaves nothing behind in the proxy", async () => {
  const wat = filterWat({
    imports: hostCall("grpc_stream", 9) + hostCall("register_shared_queue", 3) + hostCall("log", 3),
    data: "queue",
    functions: `
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $register_shared_queue (i32.const 16) (i32.const 5) (i32.const 64))) (i32.const 1))
      (func (export "proxy_on_queue_ready") (param i32 i32) (drop (call $log (i32.const 2) (i32.const 16) (i32.const 5))))
      (func (export "proxy_on_grpc_receive_initial_metadata") (param i32 i32 i32) ${forever})
      (func (export "proxy_on_request_headers") ${three} (call $grpc_stream (i32.const 16) (i32.const 5)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))`,
  });
  const proxy = new ProxyState({ grpc: { queue: null } });
  const failing = await loadFilter(wat, { proxy, vmId: "a", limits: { callbackMs: 500 } });
  const other = await loadFilter(wat, { proxy, vmId: "b", limits: { callbackMs: 10_000 } });
  expect(await failing.request("/", { upstream })).toHaveStatus(503);
  other.queue("queue").push("item");
  expect(other.rootTrace.logs).toEqual([{ level: 2, message: "queue" }]);
});
