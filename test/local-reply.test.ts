import { describe, expect, test } from "vitest";

import { type Filter, loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { compileSource, filterWat, hostCall } from "./support/compile.ts";

// 16: "denied" 22: pairs of x-r: 1, content-length: 99 and content-type: a/b; see `pairs`.
const pairs = (entries: [string, string][]): string => {
  const number = (value: number): string =>
    [value, value >> 8, 0, 0].map((byte) => `\\${(byte & 255).toString(16).padStart(2, "0")}`).join("");
  const sizes = entries.map(([name, value]) => number(name.length) + number(value.length)).join("");
  return number(entries.length) + sizes + entries.map(([name, value]) => `${name}\\00${value}\\00`).join("");
};
const sizeOf = (entries: [string, string][]): number =>
  entries.reduce((sum, [name, value]) => sum + 10 + name.length + value.length, 4);

interface Reply {
  callback?: string;
  code?: number;
  body?: number;
  headers?: [string, string][];
  grpcStatus?: number;
  after?: string;
}

function load({
  callback = "request_headers",
  code = 403,
  body = 6,
  headers = [["x-r", "1"]],
  grpcStatus = -1,
  after = "",
}: Reply): Promise<Filter> {
  const parameters = callback.endsWith("trailers") ? "i32 i32" : "i32 i32 i32";
  const others = ["response_headers", "response_body"].filter((name) => name !== callback);
  return loadFilter(
    filterWat({
      imports: `${hostCall("send_local_response", 8)} ${hostCall("continue_stream", 1)}`,
      data: `denied${pairs(headers)}`,
      functions: `(func (export "proxy_on_${callback}") (param ${parameters}) (result i32)
          (drop (call $send_local_response (i32.const ${code}) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const ${body})
            (i32.const 22) (i32.const ${sizeOf(headers)}) (i32.const ${grpcStatus}))) ${after} (i32.const 0))
        ${others.map((name) => `(func (export "proxy_on_${name}") (param i32 i32 i32) (result i32) (i32.const 0))`).join("")}`,
    }),
  );
}

const upstream = () => ({ body: "upstream" });

describe("a local reply", () => {
  test.each(["request_headers", "request_body", "request_trailers"])(
    "from on_%s passes the filter and never reaches the upstream",
    async (callback) => {
      const filter = await load({ callback });
      const response = await filter.request({ body: "x", trailers: { t: "1" } }, { upstream });
      expect(response).toHaveRepliedLocally(403);
      expect(response).toHaveBody("denied");
      expect(response.headers.entries().slice(0, 3)).toEqual([
        ["x-r", "1"],
        ["content-length", "6"],
        ["content-type", "text/plain"],
      ]);
      const names = response.trace.events.flatMap((event) => (event.kind === "callback" ? [event.name] : []));
      expect(names).toContain("proxy_on_response_headers");
      expect(names).toContain("proxy_on_response_body");
      expect(response.upstream).toBeNull();
    },
  );

  test("in on_response_headers replaces the response without another callback", async () => {
    const response = await (await load({ callback: "response_headers" })).request("/", { upstream });
    expect(response).toHaveStatus(403);
    expect(response).toHaveBody("denied");
    expect(String(response.trace)).not.toContain("on_response_body");
  });

  test("in on_response_body, when the head is gone, breaks the response", async () => {
    const response = await (await load({ callback: "response_body" })).request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response.complete).toBe(false);
  });

  test("without body says so, and loses its content-type", async () => {
    const headers: [string, string][] = [
      ["content-length", "99"],
      ["content-type", "a/b"],
      ["X-Kept", "1"],
    ];
    const response = await (await load({ body: 0, headers })).request("/");
    expect(response.headers.getAll("content-length")).toEqual(["0"]);
    expect(response.headers.has("content-type")).toBe(false);
    expect(response).toHaveHeader("x-kept", "1");
  });

  test("keeps a content-type, counts the content itself and ignores :status", async () => {
    const headers: [string, string][] = [
      ["content-length", "99"],
      ["content-type", "a/b"],
      [":status", "500"],
    ];
    const response = await (await load({ headers })).request("/");
    expect(response).toHaveStatus(403);
    expect(response).toHaveHeader("content-length", "6");
    expect(response).toHaveHeader("content-type", "a/b");
  });

  test("to HEAD has headers only", async () => {
    const response = await (await load({})).request({ method: "HEAD" });
    expect(response).toHaveHeader("content-length", "6");
    expect(response.body).toHaveLength(0);
  });

  test.each([
    [-1, "7"],
    [0, "0"],
    [16, "16"],
    [99, "7"],
  ])("to a gRPC request with status %i says %s", async (grpcStatus, said) => {
    const filter = await load({ grpcStatus });
    const response = await filter.request({ headers: { "content-type": "application/grpc" } });
    expect(response).toHaveStatus(200);
    expect(response).toHaveHeader("grpc-status", said);
    expect(response).toHaveHeader("grpc-message", "denied");
    expect(response.body).toHaveLength(0);
  });

  test("wins over continuing the request", async () => {
    const filter = await load({ after: "(drop (call $continue_stream (i32.const 0)))" });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(403);
    expect(response.upstream).toBeNull();
  });

  test("in on_log is what crashes Envoy", async () => {
    const { bytes } = await compileSource(`
      import { HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      import { proxy_send_local_response } from "proxy-wasm/assembly/env";
      class Filter extends HttpContext {
        override onLog(): void { proxy_send_local_response(500, 0, 0, 0, 0, 0, 0, -1); }
      }
      registerHttpContext(() => new Filter());`);
    await expect((await loadFilter(bytes)).request("/", { upstream })).rejects.toThrow(
      /proxy_send_local_response in on_log/,
    );
  });

  test("of the SDK carries text, bytes, headers and details", async () => {
    const { bytes } = await compileSource(`
      import { Action, Headers, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          const headers = new Headers().append("x-a", "1").append("x-a", "2");
          if (this.requestHeaders.get(":path") == "/text") this.sendLocalResponse(418, "tä", headers, -1, "no such thing");
          else this.sendLocalResponseBytes(201, new Uint8Array(3).fill(255));
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const filter = await loadFilter(bytes);
    const text = await filter.request("/text");
    expect(text).toHaveStatus(418);
    expect(text).toHaveBody("tä");
    expect(text.headers.getAll("x-a")).toEqual(["1", "2"]);
    expect(text.details).toBe("no_such_thing");
    const binary = await filter.request("/bytes");
    expect(binary).toHaveStatus(201);
    expect(binary.body).toEqual(Uint8Array.of(255, 255, 255));
  });
});
