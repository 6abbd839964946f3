// What comes of messages that a filter leaves unfit to be sent. Expectations are what a running Envoy 1.40 did.

import { describe, expect, test } from "vitest";

import { EnvoyFault, type Filter, type FilterStream, loadFilter, type VirtualClock } from "../src/index.ts";
import "../src/vitest.ts";
import { filterWat, hostCall } from "./support/compile.ts";

const upstream = () => ({ body: "ok" });

/** A filter that makes one host call on the headers of a message. The words it names stand behind each other at 16. */
function load(message: "request" | "response", call: string, words: readonly string[]): Promise<Filter> {
  let at = 16;
  const places = words.map((word) => `(i32.const ${at}) (i32.const ${((at += word.length), word.length)})`);
  const bytes = [...words.join("")].map((letter) => `\\${letter.charCodeAt(0).toString(16).padStart(2, "0")}`);
  const map = message === "request" ? 0 : 2;
  return loadFilter(
    filterWat({
      imports: `${hostCall("remove_header_map_value", 3)} ${hostCall("replace_header_map_value", 5)}
        ${hostCall("set_header_map_pairs", 3)}`,
      data: bytes.join(""),
      functions: `(func (export "proxy_on_${message}_headers") (param i32 i32 i32) (result i32)
        (drop (call $${call} (i32.const ${map}) ${places.join(" ")})) (i32.const 0))`,
    }),
  );
}

const remove = (message: "request" | "response", name: string): Promise<Filter> =>
  load(message, "remove_header_map_value", [name]);
const replace = (message: "request" | "response", name: string, value: string): Promise<Filter> =>
  load(message, "replace_header_map_value", [name, value]);

describe("a request", () => {
  test.each([
    ["without :path", remove("request", ":path")],
    ["with an empty :path", replace("request", ":path", "")],
    ["with a :path that no route begins with", replace("request", ":path", "a")],
    ["without any header", load("request", "set_header_map_pairs", [""])],
  ])("%s has no route", async (_what, filter) => {
    const response = await (await filter).request("/", { upstream });
    expect(response).toHaveStatus(404);
    expect(response).toHaveBody("");
    expect(response.details).toBe("route_not_found");
    expect(response.upstream).toBeNull();
  });

  test.each([
    [remove("request", ":method"), "missing required header: :method"],
    [replace("request", "x-v", "a\rb"), "invalid header value for: x-v"],
    [replace("request", "x-v", "a\nb"), "invalid header value for: x-v"],
    [replace("request", "x-v", "a\0b"), "invalid header value for: x-v"],
    [replace("request", "x-v", "a\x7fb"), "invalid header value for: x-v"],
    [replace("request", "x v", "1"), "invalid header name: x v"],
    [replace("request", "x:v", "1"), "invalid header name: x:v"],
    [replace("request", "x(v", "1"), "invalid header name: x(v"],
  ])("that cannot be written is answered with 503 (%#)", async (filter, text) => {
    const response = await (await filter).request("/", { upstream });
    expect(response).toHaveStatus(503);
    expect(response).toHaveBody(text);
    expect(response.details).toBe(`filter_removed_required_request_headers{${text.replaceAll(" ", "_")}}`);
    expect(response.upstream).toBeNull();
  });

  test.each([
    ["no :scheme", remove("request", ":scheme")],
    ["no :authority", remove("request", ":authority")],
    ["an empty value", replace("request", "x-v", "")],
    ["bytes that are no ASCII", replace("request", "x-v", "\xff\t\xa0")],
    ["blanks in its method", replace("request", ":method", "A B")],
  ])("with %s goes on", async (_what, filter) => {
    expect(await (await filter).request("/", { upstream })).toHaveStatus(200);
  });
});

describe("an upstream", () => {
  const wanted = "x-envoy-upstream-rq-timeout-ms";
  const told = "x-envoy-expected-rq-timeout-ms";
  const get = { ":method": "GET", ":path": "/", ":authority": "h", ":scheme": "http" };
  const open = async (value: string): Promise<{ stream: FilterStream; clock: VirtualClock }> => {
    const filter = await replace("request", wanted, value);
    const stream = filter.stream();
    stream.requestHeaders(get, { endStream: true });
    return { stream, clock: filter.clock as VirtualClock };
  };

  test.each([
    ["150", "150"],
    ["+5000", "5000"],
    ["007000", "7000"],
    [" 6000 ", "6000"],
    ["99999999999", "99999999999"],
    ["0", null],
    ["abc", "15000"],
    ["-1", "15000"],
    ["150.5", "15000"],
    ["0x10", "15000"],
    ["99999999999999999999", "15000"],
  ])("has the time that the filter asks for: %j", async (value, milliseconds) => {
    const { stream, clock } = await open(value);
    expect(stream.upstream.headers.has(wanted)).toBe(false);
    expect(stream.upstream.headers.get(told)).toBe(milliseconds);
    if (milliseconds === null) {
      clock.advance(1e9);
      expect(stream.ended).toBe(false);
      return stream.reset();
    }
    clock.advance(Number(milliseconds) - 1);
    expect(stream.ended).toBe(false);
    clock.advance(1);
    expect(stream.response.headers.get(":status")).toBe("504");
    expect(new TextDecoder().decode(stream.response.body)).toBe("upstream request timeout");
    expect(stream.localReply?.details).toBe("response_timeout");
  });

  test("has 15 seconds from the end of the request", async () => {
    const filter = await loadFilter(filterWat({}));
    const clock = filter.clock as VirtualClock;
    const stream = filter.stream();
    stream.requestHeaders({ ...get, ":method": "POST" });
    clock.advance(60_000);
    expect(stream.ended).toBe(false);
    stream.requestBody("a", { endStream: true });
    clock.advance(14_999);
    expect(stream.ended).toBe(false);
    clock.advance(1);
    expect(stream.response.headers.get(":status")).toBe("504");
  });

  test("that has begun its response is cut off in its middle", async () => {
    const { stream, clock } = await open("200");
    stream.responseHeaders({ ":status": "200" });
    stream.responseBody("a");
    clock.advance(200);
    expect(stream.ended).toBe(true);
    expect(stream.response).toMatchObject({ complete: false });
    expect(stream.response.headers.get(":status")).toBe("200");
    expect(stream.localReply).toBeNull();
  });

  test("that has answered in time has nothing to fear, however long the filter holds the response", async () => {
    const filter = await loadFilter(
      filterWat({
        functions: '(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 1))',
      }),
    );
    const stream = filter.stream();
    stream.requestHeaders(get, { endStream: true });
    stream.responseHeaders({ ":status": "200" }, { endStream: true });
    (filter.clock as VirtualClock).advance(60_000);
    expect(stream.paused).toBe("response");
    stream.reset();
  });
});

describe("a request for another protocol", () => {
  test.each([
    [["upgrade"], "websocket", 403],
    [["keep-alive, Upgrade"], "WebSocket", 403],
    [["keep-alive", "upgrade"], "foo, bar", 403],
    [["upgrade"], "", 403],
    [["upgrade, http2-settings"], "h2c", 200],
    [["upgrade"], null, 200],
    [[], "websocket", 200],
    [["xupgrade"], "websocket", 200],
  ])("connection %j, upgrade %j: %i", async (connection, upgrade, status) => {
    const filter = await replace("request", "x-seen", "1");
    const headers = { connection, ...(upgrade !== null && { upgrade }) };
    const response = await filter.request({ headers }, { upstream });
    expect(response).toHaveStatus(status);
    expect(response.details).toBe(status === 200 ? "via_upstream" : "upgrade_failed");
    expect(response.headers.get("connection")).toBe(status === 200 ? null : "close");
    // No filter sees it, and none of the others show what they asked for.
    expect(response.trace.events.some((event) => event.kind === "call")).toBe(status === 200);
    for (const name of ["connection", "upgrade"]) expect(response.upstream?.headers.has(name) ?? false).toBe(false);
  });
});

describe("a response", () => {
  test.each([
    ["no :status", remove("response", ":status")],
    ["letters in :status", replace("response", ":status", "abc")],
    ["a negative :status", replace("response", ":status", "-1")],
    ["an empty :status", replace("response", ":status", "")],
    ["no header at all", load("response", "set_header_map_pairs", [""])],
  ])("with %s becomes 502", async (_what, filter) => {
    const response = await (await filter).request("/", { upstream });
    expect(response).toHaveStatus(502);
    expect(response).toHaveBody("missing required header: :status");
    expect(response.details).toBe("filter_removed_required_response_headers{missing_required_header:_:status}");
  });

  test.each([
    ["0", 0],
    ["99999", 99999],
    ["+200", 200],
  ])("with :status %s is sent", async (text, status) => {
    expect(await (await replace("response", ":status", text)).request("/", { upstream })).toHaveStatus(status);
  });

  test.each(["a\r\nb: c", "a\nb"])("whose head a line break splits is an error that says so (%#)", async (value) => {
    const answer = (await replace("response", "x-v", value)).request("/", { upstream });
    await expect(answer).rejects.toThrow(EnvoyFault);
    await expect(answer).rejects.toThrow(
      /the response header "x-v" contains a line break .*splits the response's head/,
    );
  });
});

describe("a header value", () => {
  test("keeps its last byte when that is 0xA0, and loses blanks and tabs around it", async () => {
    const filter = await loadFilter(filterWat({}));
    const response = await filter.request({ headers: { "x-a": "voilà", "x-b": " \t two \t" } }, { upstream });
    expect(response.upstream!.headers.get("x-a")).toBe("voilà");
    expect(response.upstream!.headers.get("x-b")).toBe("two");
  });

  test("of the connection is gone: transfer-encoding, and of te what is not trailers", async () => {
    const filter = await loadFilter(filterWat({}));
    const response = await filter.request({ headers: { te: "gzip, trailers" }, body: ["a"] }, { upstream });
    expect(response.upstream!.headers.has("transfer-encoding")).toBe(false);
    expect(response.upstream!.headers.get("te")).toBe("trailers");
  });
});
