// A filter cannot fill its host: of everything that is kept for it, there is so much and no more.

import { deflateSync } from "node:zlib";

import { describe, expect, test } from "vitest";

import { toText } from "../src/encoding/bytes.ts";
import { uncompress } from "../src/encoding/compression.ts";
import { Refusal } from "../src/error.ts";
import { envoyLimits } from "../src/limits.ts";
import { encodePairs } from "../src/encoding/pairs.ts";
import { type FilterOptions, type Limits, loadFilter, ProxyState, Status, VirtualClock } from "../src/index.ts";
import "../src/vitest.ts";
import { filterWat } from "./support/compile.ts";

/** A host call with these numbers, the last of which may be an i64. */
type Call = readonly [name: string, ...args: (number | bigint)[]];

/** Places in the memory of `filterOf`, and sizes: a letter, a hundred, the name of a header that there is once. */
const at = { a: [16, 1], long: [16, 100], accept: [1016, 6] } as const;
const three = "(param i32 i32 i32) (result i32)";

/** A filter that does these calls in a callback, so many times. */
function filterOf(calls: readonly Call[], times = 1, callback = "request_headers", answer = 0): Uint8Array {
  const types = (args: Call): string =>
    args
      .slice(1)
      .map((arg) => (typeof arg === "bigint" ? "i64" : "i32"))
      .join(" ");
  const imports = new Map(calls.map((call) => [call[0], types(call)]));
  const made = calls.map(
    ([name, ...args]) =>
      `(drop (call $${name} ${args.map((arg) => `(${typeof arg === "bigint" ? "i64" : "i32"}.const ${arg})`).join(" ")}))`,
  );
  return filterWat({
    imports: [...imports]
      .map(([name, list]) => `(import "env" "${name}" (func $${name} (param ${list}) (result i32)))`)
      .join("\n"),
    malloc: `(func (export "malloc") (param i32) (result i32) (i32.const 8192))`,
    data: `${"abcdefghij".repeat(100)}accept`,
    functions: `(func (export "proxy_on_${callback}") ${three} (local $i i32)
      (loop $again ${made.join("\n")}
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const ${times}))))
      (i32.const ${answer}))`,
  });
}

/** Sends a request to such a filter; gives the statuses of its host calls, and why, where they were not Ok. */
async function run(calls: readonly Call[], times: number, limits: Partial<Limits>, options: FilterOptions = {}) {
  const reasons: string[] = [];
  const filter = await loadFilter(filterOf(calls, times), {
    limits,
    ...options,
    onRefusal: (_call, { reason }) => reasons.push(reason),
  });
  const stream = filter.stream();
  stream.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "a" });
  const statuses = stream.trace.events.flatMap((event) => (event.kind === "call" ? [event.status] : []));
  if (!stream.ended) stream.reset();
  return { filter, stream, statuses, reasons };
}

const refused = Status.InternalFailure;
const sentence = (limit: keyof Limits, what: string, size: number, most: number): string =>
  `${what} would come to ${size}; the most is ${most} (limits.${limit}). Envoy has no bound there but its memory`;

describe("the log", () => {
  const line: Call = ["proxy_log", 2, 16, 100];

  test("takes a line up to its limit", async () => {
    const { reasons, stream } = await run([line, ["proxy_log", 2, 16, 101]], 1, { logLineBytes: 100 });
    expect(reasons).toEqual([sentence("logLineBytes", "the bytes of the line", 101, 100)]);
    expect(stream.logs).toHaveLength(1);
  });

  test("takes as much over WASI", async () => {
    const wasi = (size: number): Uint8Array =>
      filterWat({
        imports: `(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))`,
        data: "abcdefghij".repeat(10),
        functions: `(func (export "proxy_on_request_headers") ${three}
          (i32.store (i32.const 1024) (i32.const 16)) (i32.store (i32.const 1028) (i32.const 60))
          (i32.store (i32.const 1032) (i32.const 16)) (i32.store (i32.const 1036) (i32.const ${size - 60}))
          (call $write (i32.const 1) (i32.const 1024) (i32.const 2) (i32.const 1040)))`,
      });
    for (const [size, errno] of [
      [100, 0],
      [101, 22],
    ] as const) {
      const filter = await loadFilter(wasi(size), { limits: { logLineBytes: 100 } });
      const stream = filter.stream();
      stream.requestHeaders({ ":method": "GET" });
      expect(stream.trace.events[0]).toMatchObject({ result: errno });
      expect(stream.logs).toHaveLength(errno ? 0 : 1);
      const why = `fd_write → EFBIG: ${sentence("logLineBytes", "the bytes of the line", 101, 100)}`;
      if (errno) expect(String(stream.trace)).toContain(why);
    }
  });

  test("is kept in the trace as far as there is room, the newest lines in any case", async () => {
    const { stream } = await run([line], 1000, { traceBytes: 1000 });
    expect(stream.logs.length).toBeGreaterThan(3);
    expect(stream.logs.length).toBeLessThanOrEqual(10);
    expect((await run([line], 10, { traceBytes: 1000 })).stream.logs).toHaveLength(10);
    expect((await run([line], 3, { traceBytes: 10 })).stream.logs).toHaveLength(1);
  });

  test("leaves a step what it has, and one that was too much for the trace the newest lines", async () => {
    const filter = await loadFilter(filterOf([line], 10, "request_body"), { limits: { traceBytes: 1500 } });
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "POST", ":path": "/" });
    const first = stream.requestBody("x");
    for (let i = 0; i < 5; i++) expect(stream.requestBody("x").logs.length).toBeGreaterThan(3);
    expect(first.logs).toHaveLength(10);
    expect(stream.logs.length).toBeLessThanOrEqual(15);
    const many = await loadFilter(filterOf([line], 40), { limits: { traceBytes: 1500 } });
    const last = many.stream().requestHeaders([[":path", "/"]]);
    expect(last.logs.length).toBeGreaterThan(3);
    expect(last.logs.length).toBeLessThanOrEqual(15);
    expect(last.events.at(-1)).toMatchObject({ kind: "log" });
  });

  test("is kept of root contexts and connections as well", async () => {
    const clock = new VirtualClock();
    const functions = ["proxy_on_tick (param i32)", "proxy_on_new_connection (param i32) (result i32)"].map(
      (head) => `(func (export "${head.split(" ")[0]}") ${head.slice(head.indexOf(" "))} (local $i i32)
        (loop $again (drop (call $log (i32.const 2) (i32.const 16) (i32.const 100)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
        ${head.endsWith("(result i32)") ? "(i32.const 0)" : ""})`,
    );
    const bytes = filterWat({
      imports: `(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))`,
      functions: `${functions.join("\n")}
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (drop (call $tick (i32.const 1))) (i32.const 1))`,
    });
    const filter = await loadFilter(bytes, { clock, limits: { traceBytes: 1000 } });
    const connection = filter.connection();
    connection.connect();
    expect(connection.logs.length).toBeLessThanOrEqual(10);
    clock.advance(1);
    expect(filter.rootTrace.logs.length).toBeLessThanOrEqual(10);
    expect(filter.rootTrace.logs.length).toBeGreaterThan(0);
  });
});

describe("header maps", () => {
  const add: Call = ["proxy_add_header_map_value", 0, ...at.a, ...at.long];

  test("grow up to their limit, names and an allowance for each header counted", async () => {
    // The request has 7 + 3, 5 + 1 and 10 + 1 bytes in three headers; what was added is looked at first.
    const { statuses, reasons, stream } = await run([add], 5, { headerMapBytes: 3 * 165 });
    expect(statuses).toEqual([0, 0, 0, refused, refused]);
    const size = 27 + 3 * 64 + 4 * 165;
    expect(reasons[0]).toBe(sentence("headerMapBytes", "the bytes of the request headers", size, 3 * 165));
    expect(stream.upstream.headers.getAll("a")).toHaveLength(3);
  });

  test("count what is there, and not what was", async () => {
    const replace: Call = ["proxy_replace_header_map_value", 0, ...at.a, ...at.long];
    expect((await run([replace], 100, { headerMapBytes: 1000 })).reasons).toEqual([]);
  });

  test("count what is joined to a header that there is once", async () => {
    const join: Call = ["proxy_add_header_map_value", 0, ...at.accept, ...at.long];
    const { statuses, stream } = await run([join], 100, { headerMapBytes: 2000 });
    expect(statuses.slice(0, 11)).not.toContain(refused);
    expect(stream.upstream.headers.get("accept")!.length).toBeLessThan(2000);
  });

  test.each([
    ["proxy_get_header_map_value", [0, 16, 101, 2048, 2052]],
    ["proxy_remove_header_map_value", [0, 16, 101]],
    ["proxy_add_header_map_value", [0, 16, 1, 16, 101]],
  ] as const)("take no name or value beyond it: %s", async (name, args) => {
    const { statuses, reasons } = await run([[name, ...args]], 1, { headerMapBytes: 100 });
    expect(statuses).toEqual([refused]);
    expect(reasons[0]).toMatch(
      /^the bytes of the (name|value) would come to 101; the most is 100 \(limits\.headerMapBytes\)/,
    );
  });
});

describe("bodies", () => {
  const append: Call = ["proxy_set_buffer_bytes", 0, -1, 0, ...at.long];

  /** Sends a body of two bytes through a filter that does these calls with it. */
  async function send(calls: readonly Call[], times: number, limits: Partial<Limits>) {
    const filter = await loadFilter(filterOf(calls, times, "request_body"), { limits });
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "POST", ":path": "/", ":authority": "a" });
    stream.requestBody("cd", { endStream: true });
    const answers = stream.trace.events.flatMap((event) => (event.kind === "call" ? [event] : []));
    stream.reset();
    return { answers, body: toText(stream.upstream.body) };
  }

  test("grow up to their limit by what a filter writes", async () => {
    const { answers, body } = await send([append], 5, { bodyBytes: 302 });
    expect(answers.map(({ status }) => status)).toEqual([0, 0, 0, refused, refused]);
    expect(answers[3]!.reason).toBe(sentence("bodyBytes", "the bytes of the request body", 402, 302));
    expect(body).toHaveLength(302);
  });

  test("may be replaced as often as one likes", async () => {
    const replace: Call = ["proxy_set_buffer_bytes", 0, 0, 1_000_000, ...at.long];
    expect((await send([replace], 100, { bodyBytes: 100 })).body).toHaveLength(100);
  });

  test("that come in a great many small pieces stay what they are", async () => {
    const byte: Call = ["proxy_set_buffer_bytes", 0, -1, 0, ...at.a];
    expect((await send([byte], 20_000, {})).body).toBe(`cd${"a".repeat(20_000)}`);
  });

  test("of local replies count as well", async () => {
    const reply = (size: number): Call => ["proxy_send_local_response", 200, ...at.a, 16, size, 0, 0, -1];
    const { statuses, reasons, stream } = await run([reply(100), reply(99)], 1, { bodyBytes: 100 });
    expect(statuses).toEqual([refused, 0]);
    expect(reasons).toEqual([sentence("bodyBytes", "the bytes of the reply's details and body", 101, 100)]);
    expect(stream.localReply?.status).toBe(200);
  });
});

describe("what is done after a callback", () => {
  const reply: Call = ["proxy_send_local_response", 200, 0, 0, ...at.long, 0, 0, -1];
  const goOn: Call = ["proxy_continue_stream", 0];
  const send = async (call: Call, times: number, limits: Partial<Limits>) => {
    const filter = await loadFilter(filterOf([call], times, "request_headers", 1), { limits });
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "a" });
    if (!stream.ended) stream.reset();
    return { filter, stream };
  };

  test.each([
    ["replies", reply, 164],
    ["going on", goOn, 64],
  ] as const)("is bounded, and the filter fails that asks for more: %s", async (_what, call, size) => {
    expect((await send(call, 5, { deferredBytes: 5 * size })).filter.trap).toBeNull();
    const { filter, stream } = await send(call, 6, { deferredBytes: 5 * size });
    const why = sentence("deferredBytes", "what is to be done after it", 6 * size, 5 * size);
    expect(filter).toHaveTrapped(`it asks for too much: ${why}`);
    expect(stream.localReply?.status).toBe(503);
  });

  test("may be very much in all", async () => {
    expect((await send(goOn, 300_000, {})).filter.trap).toBeNull();
  });
});

describe("properties", () => {
  const set: Call = ["proxy_set_property", ...at.a, ...at.long];

  test("take no path or value beyond their limit", async () => {
    const calls: Call[] = [
      ["proxy_get_property", 16, 101, 2048, 2052],
      ["proxy_set_property", ...at.a, ...at.long],
    ];
    const { statuses, reasons } = await run(calls, 1, { propertyBytes: 100 });
    expect(statuses).toEqual([refused, refused]);
    expect(reasons).toEqual([
      sentence("propertyBytes", "the bytes of the path", 101, 100),
      sentence("propertyBytes", "the bytes of the property", 101, 100),
    ]);
  });

  test("are kept with a stream up to the same", async () => {
    const second: Call = ["proxy_set_property", 17, 1, ...at.long];
    const size = "wasm.a".length + 100 + 64;
    const { statuses, reasons } = await run([set, set, second], 1, { propertyBytes: 2 * size - 1 });
    expect(statuses).toEqual([0, 0, refused]);
    const what = "the bytes of properties that the stream keeps";
    expect(reasons).toEqual([sentence("propertyBytes", what, 2 * size, 2 * size - 1)]);
    expect((await run([set, set, second], 1, { propertyBytes: 2 * size })).reasons).toEqual([]);
  });

  test.each([
    ["declare_property", ["\\0a\\01a", "\\0a\\01b"], 1 + 64, "the bytes of declarations"],
    [
      "set_envoy_filter_state",
      ["\\0a\\0cenvoy.string\\12\\01a", "\\0a\\15envoy.hashable_string\\12\\01b"],
      12 + 1 + 64,
      "the bytes of properties that the stream keeps",
    ],
  ] as const)("are bounded where foreign functions make them: %s", async (name, messages, most, what) => {
    const sizes = messages.map((message) => message.replace(/\\../g, "-").length);
    const calls = sizes.map(
      (size, i) => `(drop (call $foreign (i32.const 16) (i32.const ${name.length})
        (i32.const ${16 + name.length + (i && sizes[0]!)}) (i32.const ${size}) (i32.const 0) (i32.const 0)))`,
    );
    const bytes = filterWat({
      imports: `(import "env" "proxy_call_foreign_function" (func $foreign (param ${"i32 ".repeat(6)}) (result i32)))`,
      data: name + messages.join(""),
      functions: `(func (export "proxy_on_request_headers") ${three} ${calls.join("\n")} (i32.const 0))`,
    });
    const reasons: string[] = [];
    const filter = await loadFilter(bytes, {
      limits: { propertyBytes: most },
      onRefusal: (_call, { reason }) => reasons.push(reason),
    });
    filter.stream().requestHeaders({ ":method": "GET" });
    expect(reasons).toEqual([expect.stringMatching(new RegExp(`^${what} would come to \\d+; the most is ${most} `))]);
  });
});

describe("shared data", () => {
  const set: Call = ["proxy_set_shared_data", ...at.a, ...at.long, 0];
  const second: Call = ["proxy_set_shared_data", 17, 1, ...at.long, 0];
  const size = 165;

  test("takes keys and values up to its limit, whoever of the proxy sets them", async () => {
    const proxy = new ProxyState();
    const limits = { sharedDataBytes: 2 * size };
    expect((await run([set, set, second], 1, limits, { proxy })).reasons).toEqual([]);
    const other = await run([set], 1, limits, { proxy, vmId: "other" });
    expect(other.statuses).toEqual([refused]);
    expect(other.reasons).toEqual([sentence("sharedDataBytes", "the bytes of shared data", 3 * size, 2 * size)]);
  });

  test("forgets what went", async () => {
    const proxy = new ProxyState();
    const limits = { sharedDataBytes: size };
    (await run([set], 1, limits, { proxy })).filter.close();
    expect((await run([set], 1, limits, { proxy, vmId: "next" })).statuses).toEqual([0]);
    const { filter } = await run([set], 1, limits);
    filter.shared.set("a", "");
    expect((await run([set], 1, limits, { proxy: filter.proxy })).statuses).toEqual([0]);
  });
});

describe("queues", () => {
  const register: Call = ["proxy_register_shared_queue", ...at.a, 2048];
  const enqueue: Call = ["proxy_enqueue_shared_queue", 1, ...at.long];
  const dequeue: Call = ["proxy_dequeue_shared_queue", 1, 2048, 2052];

  test("take names and items up to their limit, with the notices that are to come", async () => {
    // A name; an item; and for each of two items a notice.
    const most = 65 + 164 + 64 + 164 + 64;
    const { statuses, reasons } = await run([register, enqueue, enqueue, enqueue], 1, { queueBytes: most });
    expect(statuses).toEqual([0, 0, 0, refused]);
    expect(reasons).toEqual([sentence("queueBytes", "the bytes in queues", most + 164 + 64 - 64, most)]);
  });

  test("have room again for what was taken out", async () => {
    const filter = await loadFilter(filterOf([register, enqueue, dequeue]), { limits: { queueBytes: 1000 } });
    for (let i = 0; i < 20; i++) await filter.request("/", { upstream: () => ({}) });
    expect(filter.queue("a").size).toBe(0);
    for (let i = 0; i < 20; i++) {
      filter.queue("a").push("b".repeat(100));
      filter.queue("a").shift();
    }
    const last = await filter.request("/", { upstream: () => ({}) });
    expect(last.trace.events.filter((event) => event.kind === "call" && event.status !== Status.Ok)).toEqual([]);
  });

  test("give notice of very many items in one callback, and refuse when even more are taken out at once", async () => {
    const { statuses } = await run([register, enqueue, dequeue], 100, { queueBytes: 4000 });
    expect(statuses).toContain(refused);
    const many = await run([register, enqueue, dequeue], 100_000, {});
    expect(many.reasons).toEqual([]);
  });

  test("forget what went", async () => {
    const proxy = new ProxyState();
    const limits = { queueBytes: 65 + 164 + 64 };
    (await run([register, enqueue], 1, limits, { proxy })).filter.close();
    const next: Call = ["proxy_enqueue_shared_queue", 2, ...at.long];
    expect((await run([register, next], 1, limits, { proxy, vmId: "next" })).statuses).toEqual([0, 0]);
  });
});

describe("metrics", () => {
  const define = (place: number, size = 1): Call => ["proxy_define_metric", 0, place, size, 2048];

  test("take names up to their limit, once each", async () => {
    const { statuses, reasons } = await run([define(16), define(16), define(17), define(18)], 1, { metricBytes: 130 });
    expect(statuses).toEqual([0, 0, 0, refused]);
    expect(reasons).toEqual([sentence("metricBytes", "the bytes of the metrics' names", 195, 130)]);
    const long = await run([define(16, 101)], 1, { metricBytes: 100 });
    expect(long.reasons).toEqual([sentence("metricBytes", "the bytes of the name", 101, 100)]);
  });

  test("are defined so often by a VM, and no more", async () => {
    const { statuses, reasons } = await run([define(16)], 4, { metricDefinitions: 3 });
    expect(statuses).toEqual([0, 0, 0, refused]);
    expect(reasons).toEqual([sentence("metricDefinitions", "the metrics that the VM defines", 4, 3)]);
  });
});

describe("callouts", () => {
  const held = "the bytes of what has no answer yet";
  const upstreams = { abc: () => null };
  const grpc = { abc: () => null };
  const send: Call = ["proxy_grpc_send", 6, ...at.long, 0];
  const stream: Call = ["proxy_grpc_stream", 16, 3, ...at.a, ...at.a, 0, 0, 2048];
  const unary: Call = ["proxy_grpc_call", 16, 3, ...at.a, ...at.a, 0, 0, ...at.long, 0, 2048];

  test("hold so much together: HTTP callouts", async () => {
    const headers = encodePairs([
      [":method", "GET"],
      [":path", "/"],
      [":authority", "a"],
    ]);
    const data = [...headers].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
    const bytes = filterWat({
      imports: `(import "env" "proxy_http_call" (func $call (param ${"i32 ".repeat(10)}) (result i32)))`,
      data: `abc${data}`,
      functions: `(func (export "proxy_on_request_headers") ${three}
        (drop (call $call ${[16, 3, 19, headers.length, 16, 100, 0, 0, 0, 2048].map((n) => `(i32.const ${n})`).join(" ")}))
        (i32.const 0))`,
    });
    const size = 4096 + 3 + 27 + 3 * 64 + 100;
    const reasons: string[] = [];
    const filter = await loadFilter(bytes, {
      upstreams,
      limits: { calloutRequestBytes: 2 * size },
      onRefusal: (_call, { reason }) => reasons.push(reason),
    });
    const send = () => filter.request("/", { upstream: () => ({}) });
    await send();
    await send();
    expect(filter.callouts).toHaveLength(2);
    await send();
    expect(reasons).toEqual([sentence("calloutRequestBytes", held, 3 * size, 2 * size)]);
    filter.pending("abc").respond();
    await send();
    expect(reasons).toHaveLength(1);
    for (const callout of filter.callouts) callout.respond();
    expect(filter.callouts).toEqual([]);
  });

  test("hold so much together: gRPC calls", async () => {
    const size = 4096 + 3 + 1 + 1 + 100;
    const { statuses, reasons, filter } = await run([unary], 3, { calloutRequestBytes: 2 * size }, { grpc });
    expect(statuses).toEqual([0, 0, refused]);
    expect(reasons).toEqual([sentence("calloutRequestBytes", held, 3 * size, 2 * size)]);
    for (const one of filter.grpcCalls) one.end({ message: "" });
    const again = await run([unary], 2, { calloutRequestBytes: 2 * size }, { proxy: filter.proxy, vmId: "b" });
    expect(again.statuses).toEqual([0, 0]);
    for (const one of filter.grpcCalls) one.end({ message: "" });
  });

  test("hold so much together: messages of a gRPC stream", async () => {
    const most = 4096 + 5 + 2 * 4196;
    const { statuses, reasons, filter } = await run(
      [stream, send, send, send],
      1,
      { calloutRequestBytes: most },
      { grpc },
    );
    expect(statuses).toEqual([0, 0, 0, refused]);
    expect(reasons).toEqual([sentence("calloutRequestBytes", held, most + 4196, most)]);
    expect(filter.grpcCalls[0]!.messages).toHaveLength(2);
    filter.grpcCalls[0]!.end();
  });

  test("hold so much together: names to be resolved", async () => {
    const resolve: Call = ["envoy_resolve_dns", ...at.long, 2048];
    const { statuses, filter } = await run([resolve], 3, { calloutRequestBytes: 2 * 4196 });
    expect(statuses).toEqual([0, 0, refused]);
    await filter.settle();
    const again = await run([resolve], 2, { calloutRequestBytes: 2 * 4196 }, { proxy: filter.proxy, vmId: "b" });
    expect(again.statuses).toEqual([0, 0]);
    await filter.settle();
  });

  test.each([
    ["proxy_http_call", [16, 3, 0, 0, 16, 98, 0, 0, 0, 2048], "the bytes of the callout"],
    ["proxy_grpc_call", [16, 3, 0, 0, 0, 0, 0, 0, 16, 98, 0, 2048], "the bytes of the gRPC call"],
    ["envoy_resolve_dns", [16, 101, 2048], "the bytes of the name"],
  ] as const)("take nothing beyond the limit: %s", async (name, args, what) => {
    const { statuses, reasons } = await run([[name, ...args]], 1, { calloutRequestBytes: 100 }, { upstreams, grpc });
    expect(statuses).toEqual([refused]);
    expect(reasons).toEqual([sentence("calloutRequestBytes", what, 101, 100)]);
  });

  test("that are over stay in the trace as far as there is room", async () => {
    const { stream: one, filter } = await run([unary], 20, { traceBytes: 10 * 4201 }, { grpc });
    expect(one.grpcCalls.length).toBeGreaterThan(3);
    expect(one.grpcCalls.length).toBeLessThanOrEqual(10);
    for (const call of filter.grpcCalls) call.end({ message: "" });
  });
});

describe("foreign functions", () => {
  const result = (size: number) => ({ foreign: { a: () => new Uint8Array(size) } });
  const call = (size = 1): Call => ["proxy_call_foreign_function", ...at.a, 16, size, 2048, 2052];

  test("take and answer so much", async () => {
    expect((await run([call()], 1, { foreignBytes: 100 }, result(100))).reasons).toEqual([]);
    const long = await run([call()], 1, { foreignBytes: 100 }, result(101));
    expect(long.statuses).toEqual([refused]);
    expect(long.reasons).toEqual([sentence("foreignBytes", "the bytes that a answers", 101, 100)]);
    const given = await run([call(101)], 1, { foreignBytes: 100 }, result(0));
    expect(given.reasons).toEqual([sentence("foreignBytes", "the bytes of the argument", 101, 100)]);
  });

  test("uncompress no more than that", () => {
    const limits = { ...envoyLimits, foreignBytes: 1000 };
    expect(uncompress(deflateSync(new Uint8Array(1000)), limits)).toHaveLength(1000);
    expect(uncompress(deflateSync(new Uint8Array(1001)), limits)).toEqual(
      new Refusal(refused, sentence("foreignBytes", "the bytes that uncompress answers", 1001, 1000)),
    );
  });
});
