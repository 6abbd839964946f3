// What happens when a filter fails. Expectations are what a running Envoy 1.40 did.

import { describe, expect, test } from "vitest";

import { type Filter, type FilterOptions, loadFilter, VirtualClock } from "../src/index.ts";
import "../src/vitest.ts";
import { filterWat } from "./support/compile.ts";

const three = "(param i32 i32 i32) (result i32)";

function load(callback: string, options: FilterOptions = {}): Promise<Filter> {
  // Traps when the request's path has more than one byte more than "/": the count of headers tells, so a header does it.
  return loadFilter(
    filterWat({
      functions: `
        (func (export "proxy_on_${callback}") ${three} (if (i32.gt_u (local.get 1) (i32.const 6)) (then unreachable)) (i32.const 0))
        ${callback === "response_headers" ? "" : `(func (export "proxy_on_response_headers") ${three} (i32.const 0))`}
        (func (export "proxy_on_log") (param i32))`,
    }),
    options,
  );
}

const upstream = () => ({ body: "ok" });
const bad = { headers: { "x-bad": "1" } };

describe("a filter that traps", () => {
  test("answers 503 without a body, then and for ever, and runs no more", async () => {
    const filter = await load("request_headers");
    expect(await filter.request("/", { upstream })).toHaveStatus(200);
    const failed = await filter.request(bad, { upstream });
    expect(failed).toHaveStatus(503);
    expect(failed.body).toHaveLength(0);
    expect(failed.details).toBe("wasm_fail_stream");
    expect(failed.upstream).toBeNull();
    expect(String(failed.trace)).not.toContain("on_log");
    const later = await filter.request("/", { upstream });
    expect(later).toHaveStatus(503);
    expect(later.trace.events).toEqual([]);
    expect(filter).toHaveTrapped("the filter stopped in proxy_on_request_headers: unreachable");
  });

  test("replaces a response whose head has not gone", async () => {
    const filter = await load("response_headers");
    const response = await filter.request("/", {
      upstream: () => ({ headers: { a: "1", b: "2", c: "3", d: "4", e: "5" } }),
    });
    expect(response).toHaveStatus(503);
  });

  test("breaks a response whose head has gone", async () => {
    const filter = await load("response_body");
    const response = await filter.request("/", { upstream: () => ({ body: "longer than six" }) });
    expect(response).toHaveStatus(200);
    expect(response.complete).toBe(false);
    expect(response.details).toBe("wasm_fail_stream");
  });

  test("answers gRPC with status 14", async () => {
    const filter = await load("request_headers");
    const response = await filter.request({ headers: { "x-bad": "1", "content-type": "application/grpc" } });
    expect(response).toHaveStatus(200);
    expect(response).toHaveHeader("grpc-status", "14");
  });

  test("is left out of new streams with the policy open", async () => {
    const filter = await load("request_headers", { failurePolicy: "open" });
    expect(await filter.request(bad, { upstream })).toHaveStatus(503);
    expect(await filter.request("/", { upstream })).toHaveStatus(200);
  });

  test("lets its own stream go on with the deprecated fail_open", async () => {
    const filter = await load("request_headers", { failurePolicy: "fail_open" });
    expect(await filter.request(bad, { upstream })).toHaveStatus(200);
    expect(await filter.request("/", { upstream })).toHaveStatus(200);
  });

  test("is loaded again with the policy reload, not before the back-off has passed", async () => {
    const filter = await load("request_headers", { failurePolicy: "reload", reloadBackoffMs: 1000 });
    const clock = filter.clock as VirtualClock;
    expect(await filter.request(bad, { upstream })).toHaveStatus(503);
    clock.advance(999);
    expect(await filter.request("/", { upstream })).toHaveStatus(503);
    clock.advance(1);
    expect(await filter.request("/", { upstream })).toHaveStatus(200);
    expect(await filter.request(bad, { upstream })).toHaveStatus(503);
    expect(await filter.request("/", { upstream })).toHaveStatus(503);
  });
});
