// How a stream passes a filter: actions, bodies, trailers, resets. Expectations are what a running Envoy 1.40 did.

import { describe, expect, test } from "vitest";

import { EnvoyFault, type Filter, loadFilter, StreamError } from "../src/index.ts";
import "../src/vitest.ts";
import { filterWat, hostCall } from "./support/compile.ts";

const headersCallback = (name: string, body: string) =>
  `(func (export "proxy_on_${name}_headers") (param $id i32) (param $count i32) (param $end i32) (result i32) ${body})`;
const bodyCallback = (name: string, body: string) =>
  `(func (export "proxy_on_${name}_body") (param $id i32) (param $size i32) (param $end i32) (result i32) ${body})`;
const trailersCallback = (name: string, body: string) =>
  `(func (export "proxy_on_${name}_trailers") (param $id i32) (param $count i32) (result i32) ${body})`;

const load = (functions: string, options = {}): Promise<Filter> =>
  loadFilter(
    filterWat({
      imports: `${hostCall("continue_stream", 1)} ${hostCall("close_stream", 1)} ${hostCall("set_buffer_bytes", 5)}
        ${hostCall("set_tick_period_milliseconds", 1)} ${hostCall("set_effective_context", 1)}
        ${hostCall("add_header_map_value", 5)} ${hostCall("replace_header_map_value", 5)}
        ${hostCall("get_buffer_status", 3)}`,
      data: "NEWx-t",
      functions,
    }),
    options,
  );

const get = { ":method": "GET", ":path": "/", ":authority": "a", ":scheme": "http" };
const post = { ...get, ":method": "POST" };
const upstream = () => ({ body: "answer" });
const callbacks = (filter: { trace: { events: readonly { kind: string }[] } }) =>
  (filter.trace.events as readonly { kind: string; name: string; args: number[] }[])
    .filter((event) => event.kind === "callback")
    .map(({ name, args }) => `${name.replace("proxy_on_", "")}(${args.slice(1).join()})`);

describe("callbacks", () => {
  const all = ["request", "response"]
    .map(
      (name) =>
        headersCallback(name, "(i32.const 0)") +
        bodyCallback(name, "(i32.const 0)") +
        trailersCallback(name, "(i32.const 0)"),
    )
    .join("");
  const life =
    '(func (export "proxy_on_log") (param i32)) (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1)) (func (export "proxy_on_delete") (param i32))';

  test("come in Envoy's order for a request without body", async () => {
    const filter = await load(all + life);
    expect(callbacks(await filter.request("/", { upstream }))).toEqual([
      "request_headers(6,1)",
      "response_headers(3,0)",
      "response_body(6,0)",
      "response_body(0,1)",
      "log()",
      "done()",
      "delete()",
    ]);
  });

  test("bring each chunk, then the trailers, with end of stream only where nothing follows", async () => {
    const filter = await load(all);
    const response = await filter.request(
      { body: ["ab", "c"], trailers: { "x-t": "1" } },
      { upstream: () => ({ body: ["d", "ef"], trailers: { "x-u": ["1", "2"] } }) },
    );
    expect(callbacks(response)).toEqual([
      "request_headers(6,0)",
      "request_body(2,0)",
      "request_body(1,0)",
      "request_trailers(1)",
      "response_headers(2,0)",
      "response_body(1,0)",
      "response_body(2,0)",
      "response_trailers(2)",
    ]);
    expect(response.text()).toBe("def");
    expect(response.trailers.getAll("x-u")).toEqual(["1", "2"]);
    expect(response.upstream!.text()).toBe("abc");
  });

  test("bring no body for HEAD, 204 and an empty one", async () => {
    const filter = await load(all);
    const ends = async (request: object, response: object) =>
      callbacks(await filter.request(request, { upstream: () => response })).filter((line) =>
        line.startsWith("response"),
      );
    expect(await ends({ method: "HEAD" }, { headers: { "content-length": "9" } })).toEqual(["response_headers(3,1)"]);
    expect(await ends({}, { status: 204 })).toEqual(["response_headers(2,1)"]);
    expect(await ends({}, {})).toEqual(["response_headers(3,1)"]);
  });

  test("end with log, done and delete when the client goes away", async () => {
    const filter = await load(all + life);
    const stream = filter.stream();
    stream.requestHeaders(post);
    stream.reset();
    expect(callbacks(stream)).toEqual(["request_headers(4,0)", "log()", "done()", "delete()"]);
  });
});

describe("held request headers", () => {
  test.each([1, 3, 4, 5, 255])("hold the body too: answer %i", async (answer) => {
    const filter = await load(
      headersCallback("request", `(i32.const ${answer})`) + bodyCallback("request", "(i32.const 0)"),
    );
    const stream = filter.stream();
    expect(stream.requestHeaders(post)).toPause();
    stream.requestBody("abc");
    stream.requestBody("def", { endStream: true });
    expect(callbacks(stream)).toEqual(["request_headers(4,0)"]);
    expect(stream.paused).toBe("request");
    expect(stream.upstream.headers.size).toBe(0);
  });

  test("go on with everything in one body callback, when a tick continues them", async () => {
    const filter = await load(`
      ${headersCallback("request", "(drop (call $set_tick_period_milliseconds (i32.const 10))) (i32.const 1)")}
      ${bodyCallback("request", "(i32.const 0)")}
      (func (export "proxy_on_tick") (param i32)
        (drop (call $set_effective_context (i32.const 2)))
        (drop (call $continue_stream (i32.const 0)))
        (drop (call $set_tick_period_milliseconds (i32.const 0))))`);
    const stream = filter.stream();
    stream.requestHeaders(post);
    stream.requestBody("abc");
    stream.requestBody("def", { endStream: true });
    (filter.clock as unknown as { advance(ms: number): void }).advance(10);
    expect(callbacks(stream)).toEqual(["request_headers(4,0)", "request_body(6,1)"]);
    expect(Buffer.from(stream.upstream.body).toString()).toBe("abcdef");
    expect(stream.upstream.complete).toBe(true);
  });

  test("let body callbacks run with allowOnHeadersStopIteration, and the first Continue releases them", async () => {
    const filter = await load(
      headersCallback("request", "(i32.const 1)") + bodyCallback("request", "(i32.eqz (local.get $end))"),
      {
        allowOnHeadersStopIteration: true,
      },
    );
    const stream = filter.stream();
    stream.requestHeaders(post);
    stream.requestBody("abc");
    expect(stream.upstream.headers.size).toBe(0);
    stream.requestBody("def", { endStream: true });
    expect(callbacks(stream)).toEqual(["request_headers(4,0)", "request_body(3,0)", "request_body(6,1)"]);
    expect(Buffer.from(stream.upstream.body).toString()).toBe("abcdef");
  });

  test("for ever are an error that names the callback", async () => {
    const filter = await load(headersCallback("request", "(i32.const 1)"));
    await expect(filter.request("/", { upstream })).rejects.toThrow(StreamError);
    await expect(filter.request("/", { upstream })).rejects.toThrow(/the request is held for ever.*on_request_headers/);
  });
});

describe("a body", () => {
  test("that is buffered comes with its total, and goes on at once", async () => {
    const filter = await load(bodyCallback("request", "(i32.eqz (local.get $end))"));
    const response = await filter.request({ body: ["abc", "defg", "hi"] }, { upstream });
    expect(callbacks(response)).toEqual([
      "request_body(3,0)",
      "request_body(7,0)",
      "request_body(9,0)",
      "request_body(9,1)",
    ]);
    expect(response.upstream!.text()).toBe("abcdefghi");
  });

  test("that is held to the watermark comes chunk by chunk and goes on whole", async () => {
    const filter = await load(bodyCallback("request", "(i32.mul (i32.eqz (local.get $end)) (i32.const 2))"));
    const response = await filter.request({ body: ["abc", "defg", "hi"] }, { upstream });
    expect(callbacks(response)).toEqual([
      "request_body(3,0)",
      "request_body(4,0)",
      "request_body(2,0)",
      "request_body(0,1)",
    ]);
    expect(response.upstream!.text()).toBe("abcdefghi");
  });

  test.each([3, 4, 7, 255])("that is not buffered is dropped: answer %i", async (answer) => {
    const filter = await load(bodyCallback("request", `(i32.mul (i32.eqz (local.get $end)) (i32.const ${answer}))`));
    const response = await filter.request({ body: ["abc", "defg"] }, { upstream });
    expect(response.upstream!.text()).toBe("");
  });

  test.each([
    ["in front", 0, 0, "NEWabc"],
    ["in place of all", 0, 99, "NEW"],
    ["in place of a part", 0, 2, "NEWc"],
    ["behind", 3, 0, "abcNEW"],
    ["behind, far", -1, 5, "abcNEW"],
    ["in the middle, which is refused", 1, 1, "abc"],
  ])("takes new bytes %s", async (_where, start, size, result) => {
    const write = `(if (local.get $size) (then (drop (call $set_buffer_bytes (i32.const 0) (i32.const ${start}) (i32.const ${size}) (i32.const 16) (i32.const 3)))))`;
    const filter = await load(bodyCallback("request", `${write} (i32.const 0)`));
    const response = await filter.request({ body: ["abc"] }, { upstream });
    expect(response.upstream!.text()).toBe(result);
  });

  test("that is not as long as its content-length says breaks the message, which a test hears of", async () => {
    const write =
      "(drop (call $set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 3)))";
    const filter = await load(bodyCallback("request", `(if (local.get $size) (then ${write})) (i32.const 0)`));
    await expect(filter.request({ body: "abc" }, { upstream })).rejects.toThrow(
      "the request's body has 6 bytes, and its content-length says 3",
    );
  });

  test("held with StopIterationNoBuffer is not to be looked at afterwards", async () => {
    const read = "(drop (call $get_buffer_status (i32.const 0) (i32.const 900) (i32.const 904)))";
    const filter = await load(
      bodyCallback("request", "(i32.const 3)") + `(func (export "proxy_on_log") (param i32) ${read})`,
    );
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "POST", ":path": "/" });
    stream.requestBody("abc");
    expect(() => stream.reset()).toThrow("reads memory that it has freed");
  });

  test("larger than the limit fails the request with 413 when it is buffered", async () => {
    const filter = await load(bodyCallback("request", "(i32.const 1)"), { limits: { bufferBytes: 1000 } });
    const response = await filter.request({ body: ["x".repeat(900), "x".repeat(900)] }, { upstream });
    expect(response).toHaveStatus(413);
    expect(response).toHaveBody("Payload Too Large");
    expect(response.upstream).toBeNull();
  });

  test("larger than the limit breaks the response when its head is gone", async () => {
    const filter = await load(bodyCallback("response", "(i32.const 1)"), { limits: { bufferBytes: 10 } });
    const response = await filter.request("/", { upstream: () => ({ body: "x".repeat(100) }) });
    expect(response).toHaveStatus(200);
    expect(response.complete).toBe(false);
    expect(response.details).toBe("response_payload_too_large");
  });

  test("larger than the limit asks the sender to stop when it is held to the watermark", async () => {
    const filter = await load(bodyCallback("request", "(i32.const 2)"), { limits: { bufferBytes: 10 } });
    const marks: boolean[] = [];
    const peer = { headers: () => {}, data: () => {}, trailers: () => {}, reset: () => {} };
    const stream = filter.open({
      downstream: { ...peer, watermark: (above) => void marks.push(above) },
      upstream: peer,
    });
    const { HeaderMap } = await import("../src/http/header-map.ts");
    stream.requestHeaders(new HeaderMap("request", Object.entries(post)), false);
    stream.requestData(new Uint8Array(11), false);
    expect(marks).toEqual([true]);
  });
});

describe("trailers", () => {
  test("come into being when they are written to in the last body callback, and not before", async () => {
    const add =
      "(drop (call $add_header_map_value (i32.const 1) (i32.const 19) (i32.const 3) (i32.const 16) (i32.const 3)))";
    const filter = await load(
      bodyCallback("request", `${add} (i32.const 0)`) + trailersCallback("request", "(i32.const 0)"),
    );
    const response = await filter.request({ body: "abc" }, { upstream });
    expect(response.upstream!.trailers.entries()).toEqual([["x-t", "NEW"]]);
    expect(callbacks(response)).toEqual(["request_body(3,0)", "request_body(0,1)"]);
    expect(response.trace.events.filter((event) => event.kind === "call").map((event) => event.status)).toEqual([2, 0]);
  });

  test("release what was buffered until them", async () => {
    const filter = await load(bodyCallback("request", "(i32.const 1)") + trailersCallback("request", "(i32.const 0)"));
    const response = await filter.request({ body: ["abc", "d"], trailers: { "x-t": "1" } }, { upstream });
    expect(response.upstream!.text()).toBe("abcd");
    expect(response.upstream!.trailers.get("x-t")).toBe("1");
  });
});

describe("what breaks a real Envoy is an error that says so:", () => {
  test("continuing the request and letting it pass as well", async () => {
    const filter = await load(headersCallback("request", "(drop (call $continue_stream (i32.const 0))) (i32.const 0)"));
    await expect(filter.request("/", { upstream })).rejects.toThrow(EnvoyFault);
    await expect(filter.request("/", { upstream })).rejects.toThrow(/sends the request upstream twice/);
  });

  test("continuing the response and letting it pass as well", async () => {
    const filter = await load(
      headersCallback("response", "(drop (call $continue_stream (i32.const 1))) (i32.const 0)"),
    );
    await expect(filter.request("/", { upstream })).rejects.toThrow(/sends the response's head twice/);
  });

  test("continuing a response that is not there", async () => {
    const filter = await load(headersCallback("request", "(drop (call $continue_stream (i32.const 1))) (i32.const 0)"));
    await expect(filter.request("/", { upstream })).rejects.toThrow(/SIGSEGV/);
  });

  test("closing the stream when it is over", async () => {
    const filter = await load('(func (export "proxy_on_log") (param i32) (drop (call $close_stream (i32.const 0))))');
    await expect(filter.request("/", { upstream })).rejects.toThrow(/proxy_close_stream in on_log.*SIGSEGV/);
  });
});

describe("a stream that is closed", () => {
  test("gives the client no answer", async () => {
    const filter = await load(headersCallback("request", "(drop (call $close_stream (i32.const 0))) (i32.const 0)"));
    await expect(filter.request("/", { upstream })).rejects.toThrow(/ended without an answer: wasm_close_stream/);
  });
});

describe("an upstream that fails", () => {
  test("is Envoy's 503, and passes the filter", async () => {
    const { UpstreamError } = await import("../src/index.ts");
    const filter = await load(
      headersCallback(
        "response",
        "(drop (call $replace_header_map_value (i32.const 2) (i32.const 19) (i32.const 3) (i32.const 16) (i32.const 3))) (i32.const 0)",
      ),
    );
    const response = await filter.request("/", {
      upstream: () => {
        throw new UpstreamError();
      },
    });
    expect(response).toHaveStatus(503);
    expect(response).toHaveHeader("x-t", "NEW");
    expect(response).toHaveBody(
      "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
    );
  });

  test("that is missing is a mistake of the test", async () => {
    const filter = await load("");
    await expect(filter.request("/x")).rejects.toThrow(/lets GET \/x through, and no upstream was given/);
  });
});

test("headers with the names of an object's members are headers like others", async () => {
  const filter = await load("");
  const headers: [string, string][] = [
    ["constructor", "a"],
    ["__proto__", "b"],
  ];
  const response = await filter.request("/", { upstream: () => ({ headers }) });
  expect(Object.entries(response.headers.toJSON())).toEqual(expect.arrayContaining(headers));
});
