// What is held, and continued or answered from elsewhere: a tick stands for whatever comes later. Expectations are what
// a running Envoy 1.40 did.

import { describe, expect, test } from "vitest";

import { EnvoyFault, type Filter, type FilterOptions, loadFilter, StreamError } from "../src/index.ts";
import "../src/vitest.ts";
import { filterWat, hostCall } from "./support/compile.ts";

const callback = (name: string, body: string): string => {
  const parameters = name.endsWith("trailers")
    ? "(param $id i32) (param $size i32)"
    : "(param $id i32) (param $size i32) (param $end i32)";
  return `(func (export "proxy_on_${name}") ${parameters} (result i32) ${body})`;
};
const tickSoon = "(drop (call $set_tick_period_milliseconds (i32.const 10)))";
const onTick = (actions: string): string => `(func (export "proxy_on_tick") (param i32)
  (drop (call $set_tick_period_milliseconds (i32.const 0)))
  (if (i32.eqz (call $set_effective_context (i32.const 2))) (then ${actions})))`;
const continueStream = (type: number): string => `(drop (call $continue_stream (i32.const ${type})))`;
const reply = `(drop (call $send_local_response (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 6)
  (i32.const 0) (i32.const 0) (i32.const -1)))`;
const makeTrailers = (map: number): string => `(if (local.get $end) (then (drop
  (call $add_header_map_value (i32.const ${map}) (i32.const 22) (i32.const 3) (i32.const 25) (i32.const 1)))))`;
const writeRequestBody =
  "(drop (call $set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 16) (i32.const 6)))";

const load = (functions: string, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(
    filterWat({
      imports: `${hostCall("continue_stream", 1)} ${hostCall("set_tick_period_milliseconds", 1)}
        ${hostCall("set_effective_context", 1)} ${hostCall("send_local_response", 8)}
        ${hostCall("add_header_map_value", 5)} ${hostCall("set_buffer_bytes", 5)}`,
      data: "deniedx-tv",
      functions,
    }),
    options,
  );

const upstream = () => ({ body: ["abc"] });
const callbacks = (filter: { trace: { events: readonly { kind: string }[] } }): string[] =>
  (filter.trace.events as readonly { kind: string; name: string; args: number[] }[])
    .filter((event) => event.kind === "callback")
    .map(({ name, args }) => `${name.replace("proxy_on_", "")}(${args.slice(1).join()})`);

describe("a held request", () => {
  test("goes on to the upstream when a tick continues it", async () => {
    const filter = await load(callback("request_headers", `${tickSoon} (i32.const 1)`) + onTick(continueStream(0)));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveBody("abc");
    expect(response.upstream!.path).toBe("/");
  });

  test("is answered by a tick, and the answer passes the filter", async () => {
    const filter = await load(
      callback("request_headers", `${tickSoon} (i32.const 1)`) +
        callback("response_headers", "(i32.const 0)") +
        callback("response_body", "(i32.const 0)") +
        onTick(reply),
    );
    const response = await filter.request({ body: "x" }, { upstream });
    expect(response).toHaveRepliedLocally(403);
    expect(response).toHaveBody("denied");
    expect(callbacks(response)).toContain("response_body(6,1)");
  });

  test("has a body that a tick can rewrite while it is buffered", async () => {
    const filter = await load(
      callback("request_body", `${tickSoon} (i32.const 1)`) + onTick(writeRequestBody + continueStream(0)),
    );
    const response = await filter.request({ body: ["abc", "def"] }, { upstream });
    expect(response.upstream!.text()).toBe("denied");
  });

  test("that is answered and continued is an error: Envoy does both", async () => {
    const filter = await load(
      callback("request_headers", `${tickSoon} (i32.const 1)`) + onTick(reply + continueStream(0)),
    );
    await expect(filter.request({ body: "x" }, { upstream })).rejects.toThrow(
      /answers it and sends it upstream as well/,
    );
  });
});

describe("a body beyond the limit", () => {
  const limits = { bufferBytes: 10 };

  test("is shown to the callback once more before the request is answered with 413", async () => {
    const filter = await load(callback("request_body", "(i32.const 1)"), { limits });
    const response = await filter.request({ body: ["abc", "defghijkl"] }, { upstream });
    expect(response).toHaveStatus(413);
    expect(callbacks(response)).toEqual(["request_body(3,0)", "request_body(12,0)"]);
  });

  test("that is held to the watermark is read no further", async () => {
    const filter = await load(callback("request_body", "(i32.const 2)"), { limits });
    const answer = filter.request({ body: ["abcdefghijkl", "m"] }, { upstream });
    await expect(answer).rejects.toThrow(StreamError);
    await expect(answer).rejects.toThrow(/holds more of a body than the limit/);
  });

  test("is read on when a tick lets it go", async () => {
    const filter = await load(
      callback("request_body", `${tickSoon} (i32.mul (i32.const 2) (i32.gt_u (local.get $size) (i32.const 10)))`) +
        onTick(continueStream(0)),
      { limits },
    );
    const response = await filter.request({ body: ["abcdefghijkl", "m"] }, { upstream });
    expect(response.upstream!.text()).toBe("abcdefghijklm");
  });

  test("after chunks that were dropped does not fail the response", async () => {
    const filter = await load(
      callback("response_body", "(i32.mul (i32.const 3) (i32.eq (local.get $size) (i32.const 1)))"),
      {
        limits,
      },
    );
    const response = await filter.request("/", { upstream: () => ({ body: ["a", "bcdefghijklm"] }) });
    expect(response).toHaveBody("bcdefghijklm");
    expect(response.complete).toBe(true);
  });
});

describe("trailers that a filter makes", () => {
  test("follow a response's body that was held", async () => {
    const filter = await load(callback("response_body", `${makeTrailers(3)} (i32.eqz (local.get $end))`));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveBody("abc");
    expect(response.trailers.get("x-t")).toBe("v");
  });

  test("behind a request's body that was held are an error: Envoy sends them twice", async () => {
    const filter = await load(callback("request_body", `${makeTrailers(1)} (i32.eqz (local.get $end))`));
    const answer = filter.request({ body: ["abc"] }, { upstream });
    await expect(answer).rejects.toThrow(EnvoyFault);
    await expect(answer).rejects.toThrow(/sends them twice/);
  });
});

describe("a callback that continues and lets pass as well is an error", () => {
  const trailers = { t: "1" };

  test("in on_request_trailers: Envoy sends them twice", async () => {
    const filter = await load(callback("request_trailers", `${continueStream(0)} (i32.const 0)`));
    await expect(filter.request({ body: "x", trailers }, { upstream })).rejects.toThrow(/sends them twice/);
  });

  test("in on_response_trailers: Envoy crashes", async () => {
    const filter = await load(callback("response_trailers", `${continueStream(1)} (i32.const 0)`));
    const answer = filter.request("/", { upstream: () => ({ body: "x", trailers }) });
    await expect(answer).rejects.toThrow(/continued the response to its end .* crashes \(SIGSEGV\)/);
  });

  test("in the last on_response_body, when the body was held: Envoy crashes", async () => {
    const filter = await load(
      callback("response_body", `(if (local.get $end) (then ${continueStream(1)})) (i32.eqz (local.get $end))`),
    );
    await expect(filter.request("/", { upstream })).rejects.toThrow(/crashes \(SIGSEGV\)/);
  });

  test("in on_response_headers of a response without body: Envoy sends the head twice", async () => {
    const filter = await load(callback("response_headers", `${continueStream(1)} (i32.const 0)`));
    await expect(filter.request("/", { upstream: () => ({ status: 204 }) })).rejects.toThrow(/head twice/);
  });

  test.each(["request_trailers", "response_trailers"])("but not when it returns Pause: on_%s", async (name) => {
    const filter = await load(callback(name, `${continueStream(name.startsWith("request") ? 0 : 1)} (i32.const 1)`));
    const response = await filter.request({ body: "x", trailers }, { upstream: () => ({ body: "y", trailers }) });
    expect(response.upstream!.trailers.get("t")).toBe("1");
    expect(response.trailers.get("t")).toBe("1");
  });
});

describe("a stream that ended in an error", () => {
  test("is gone from the filter, with on_log, on_done and on_delete", async () => {
    const ids = new Set<number>();
    const filter = await load(
      callback("request_headers", "(i32.const 1)") + '(func (export "proxy_on_delete") (param i32))',
    );
    for (let i = 0; i < 3; i++) {
      const error = await filter.request("/", { upstream }).catch((reason: unknown) => reason as Error);
      expect((error as Error).message).toContain("is held for ever");
    }
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "a" });
    for (const event of stream.trace.events) if (event.kind === "callback") ids.add(event.args[0]!);
    expect([...ids]).toEqual([5]);
  });
});
