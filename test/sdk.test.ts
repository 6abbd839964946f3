// The SDK across the boundary: small filters on the host.

import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, loadFilter, LogLevel } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";

const upstream = () => ({ body: "ok", trailers: { "x-u": "first" } });
const messages = (entries: readonly { message: string }[]): string[] => entries.map((entry) => entry.message);

describe("header maps", () => {
  let filter: Filter;
  beforeAll(async () => {
    filter = await loadFilter((await compileFilter("headers")).bytes);
  });

  const send = (command: string, headers: Record<string, string | Uint8Array | (string | Uint8Array)[]> = {}) =>
    filter.request({ headers: { "x-do": command, ...headers } }, { upstream });

  test("give the first value, null when there is none, the empty text when it is empty", async () => {
    expect((await send("get", { "x-a": ["1", "2"] })).logs[0]!.message).toBe('"1"');
    expect((await send("get", {})).logs[0]!.message).toBe("null");
    expect((await send("get", { "x-a": "" })).logs[0]!.message).toBe('""');
  });

  test("give every value, whatever the case of the name", async () => {
    expect((await send("get-all", { "x-a": ["1", "", "3"] })).logs[0]!.message).toBe("1||3");
    expect((await send("get-all")).logs[0]!.message).toBe("");
  });

  test("tell an empty value from none", async () => {
    expect((await send("has", { "x-a": "" })).logs[0]!.message).toBe("a-");
  });

  test("keep bytes that are no text", async () => {
    const response = await send("bytes", { "x-a": Uint8Array.of(0x41, 0xff, 0xfe, 0x80, 0x42) });
    expect(response.logs[0]!.message).toBe("2 65,255,254,128,66 255,255");
    expect(response.upstream!.headers.getBytes("x-copy")).toEqual(Uint8Array.of(0x41, 0xff, 0xfe, 0x80, 0x42));
  });

  test("read bytes that are no UTF-8 as replacement characters", async () => {
    const response = await send("get", { "x-a": Uint8Array.of(0x41, 0xff, 0xf0, 0x9f, 0x98, 0x80, 0xc3) });
    expect(response.logs[0]!.message).toBe('"A\uFFFD😀\uFFFD"');
  });

  test("set one value in place of all, append another, delete all", async () => {
    expect((await send("set", { "x-a": ["1", "2"] })).upstream!.headers.getAll("x-a")).toEqual(["one"]);
    expect((await send("append", { "x-a": "1" })).upstream!.headers.getAll("x-a")).toEqual(["1", "more"]);
    expect((await send("delete", { "x-a": ["1", "2"] })).upstream!.headers.has("x-a")).toBe(false);
  });

  test("give every entry in order", async () => {
    expect(messages((await send("entries", { "x-a": ["1", "2"] })).logs)).toEqual([
      ":authority=localhost",
      ":path=/",
      ":method=GET",
      ":scheme=http",
      "x-do=entries",
      "x-a=1",
      "x-a=2",
      "x-forwarded-proto=http",
      expect.stringMatching(/^x-request-id=[0-9a-f-]{36}$/),
    ]);
  });

  test("take a whole list, larger than the region for what crosses the boundary", async () => {
    const { headers, path } = (await send("replace-all")).upstream!;
    expect(path).toBe("/new");
    // The router sets `:scheme` and how long the upstream has.
    expect(headers.size).toBe(6 + 39);
    expect(headers.has("x-many-7")).toBe(false);
    expect(headers.get("x-many-39")).toBe("value ".repeat(20));
    expect(headers.entries().at(-2)).toEqual(["x-many-8", "ü"]);
  });

  test("take values larger than the region, beyond ASCII", async () => {
    expect((await send("long")).upstream!.headers.get("x-long")).toBe("ü".repeat(5000) + "€😀");
  });

  test("have nothing to give outside of their callback", async () => {
    expect((await send("trailers")).upstream!.headers.get("x-seen")).toBe("null");
  });

  test("exist for trailers in both directions", async () => {
    const response = await filter.request({ body: "x", trailers: { "x-t": "sent" } }, { upstream });
    expect(response.logs[0]!.message).toBe('trailers 1 "sent"');
    expect(response.upstream!.trailers.get("x-t")).toBe("changed");
    expect(response.trailers.getAll("x-u")).toEqual(["first", "added"]);
  });
});

describe("contexts", () => {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compileFilter("lifecycle");
  });

  test("live from creation to deletion, in Envoy's order", async () => {
    const filter = await loadFilter(compiled.bytes, { rootId: "main", config: "cfg", vmConfig: "vm-cfg" });
    expect(messages(filter.rootTrace.logs)).toEqual(["vm 6 vm-cfg", "configure 3 cfg"]);
    const response = await filter.request({ path: "/p", body: "abc" }, { upstream: () => ({ body: "ok" }) });
    expect(messages(response.logs)).toEqual([
      "create 2",
      "request 7 cfg",
      "debug",
      "request body 3",
      "request body 0 end",
      "response body 2",
      "response body 0 end",
      "log /p 200",
      "done",
      "delete",
    ]);
    filter.close();
    expect(messages(filter.rootTrace.logs).slice(-2)).toEqual(["root done", "root delete"]);
  });

  test("build no message for a level that the proxy drops", async () => {
    const filter = await loadFilter(compiled.bytes, { rootId: "main", config: "cfg", logLevel: LogLevel.Info });
    expect(messages((await filter.request("/", { upstream })).logs)).not.toContain("debug");
  });

  test("are chosen by root id", async () => {
    const filter = await loadFilter(compiled.bytes, { rootId: "other", config: "x" });
    expect((await filter.request("/", { upstream })).logs).toEqual([]);
  });

  test("refuse a root id that nobody registered, and say which there are", async () => {
    await expect(loadFilter(compiled.bytes, { rootId: "nobody" })).rejects.toThrow(
      /refused its configuration.*no root context is registered for the root id "nobody"; registered are: "other" "main"/,
    );
  });

  test("may leave a stream alone", async () => {
    const filter = await loadFilter(compiled.bytes, { rootId: "main", config: "none" });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response.logs).toEqual([]);
  });

  test("refuse a configuration, and the host says so with what was logged", async () => {
    await expect(loadFilter(compiled.bytes, { rootId: "main", config: "refuse" })).rejects.toThrow(
      /the filter refused its configuration \(onConfigure answered false\).*the name must not be refuse/,
    );
  });

  test("tick on the clock until they stop it", async () => {
    const now = new Date("2026-06-01T00:00:00Z");
    const filter = await loadFilter(compiled.bytes, { rootId: "main", config: "tick", now });
    const { clock } = filter as { clock: { advance?(ms: number): void } };
    clock.advance!(1000);
    const ticks = messages(filter.rootTrace.logs).filter((line) => line.startsWith("tick"));
    expect(ticks).toEqual([1, 2, 3].map((n) => `tick ${n} at ${now.getTime() + n * 100}`));
  });

  test("that are not known let everything pass", async () => {
    // Straight calls, as a host makes them that has lost count.
    const env = new Proxy({}, { get: () => () => 0, has: () => true });
    const { instance } = await WebAssembly.instantiate(Uint8Array.from(compiled.bytes), { env });
    const exports = instance.exports as Record<string, (...args: number[]) => number>;
    exports["_initialize"]!();
    expect(exports["proxy_on_request_headers"]!(77, 1, 1)).toBe(0);
    expect(exports["proxy_on_done"]!(77)).toBe(1);
    exports["proxy_on_log"]!(77);
    exports["proxy_on_delete"]!(77);
    exports["proxy_on_tick"]!(77);
    expect(exports["malloc"]!(0)).not.toBe(0);
  });
});

describe("what stops a filter", () => {
  test("is named with message, file, line and column, and costs the client a 503", async () => {
    const compiled = await compileFilter("lifecycle");
    const filter = await loadFilter(compiled.file, { rootId: "main", config: "throw" });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(503);
    expect(response.body).toHaveLength(0);
    expect(response.details).toBe("wasm_fail_stream");
    expect(response).toHaveLogged("critical", /^thrown on purpose at .*assembly\/index\.ts:\d+:\d+$/);
    expect(filter).toHaveTrapped("thrown on purpose at");
    expect(filter.trap).toContain('if (this.root.name == "throw") throw new Error("thrown on purpose");');
  });

  test("may be the runtime's own check", async () => {
    const compiled = await compileFilter("lifecycle");
    const filter = await loadFilter(compiled.file, { rootId: "main", config: "index" });
    expect(await filter.request("/", { upstream })).toHaveLogged(
      "critical",
      /^Index out of range at ~lib\/array\.ts:\d+:\d+$/,
    );
  });
});

describe("the runtimes", () => {
  const source = `
    import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
    class Filter extends HttpContext {
      names: string[] = [];
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        const entries = this.requestHeaders.entries();
        for (let i = 0; i < entries.length; i++) this.names.push(entries[i].name);
        return Action.Continue;
      }
      override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
        this.responseHeaders.set("x-names", this.names.join(","));
        return Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`;

  test.each(["proxy-wasm", "incremental", "minimal", "stub"])(
    "%s keeps what a stream holds, with streams open side by side",
    async (runtime) => {
      const filter = await loadFilter((await compileSource(source, ["--runtime", runtime])).bytes);
      const streams = Array.from({ length: 300 }, (_, i) => {
        const stream = filter.stream();
        stream.requestHeaders(
          { ":method": "GET", ":path": "/", ":authority": "a", [`x-${i}`]: "y".repeat(1000) },
          { endStream: true },
        );
        return { stream, i };
      });
      for (let i = 0; i < 500; i++) await filter.request("/", { upstream });
      for (const { stream, i } of streams.sort((a, b) => ((a.i * 7919) % 300) - ((b.i * 7919) % 300))) {
        stream.responseHeaders({ ":status": "200" }, { endStream: true });
        expect(stream.response.headers.get("x-names")).toBe(`:method,:path,:authority,x-${i}`);
      }
    },
  );
});

describe("a host that calls back from inside a host call", () => {
  test("disturbs neither what went out nor what came in", async () => {
    const compiled = await compileSource(`
      import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          logInfo("outer " + this.requestHeaders.get("x-outer")!);
          return Action.Continue;
        }
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          logInfo("inner " + this.responseHeaders.get("x-inner")! + " " + "long ".repeat(2000));
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const lines: string[] = [];
    const text = (at: number, size: number): string => Buffer.from(memory().buffer, at, size).toString();
    let nested = false;
    const env = {
      proxy_log(_level: number, at: number, size: number) {
        lines.push(text(at, size));
        return 0;
      },
      proxy_set_effective_context: () => 0,
      proxy_get_header_map_value(_map: number, key: number, keySize: number, data: number, size: number) {
        const name = text(key, keySize);
        const value = Buffer.from(`value of ${name}`);
        // The answer is put down first, so that a careless guest would lose it.
        const at = exports["malloc"]!(value.length);
        Buffer.from(memory().buffer).set(value, at);
        if (!nested) {
          nested = true;
          exports["proxy_on_response_headers"]!(3, 1, 1);
          expect(text(key, keySize)).toBe(name);
        }
        const view = new DataView(memory().buffer);
        view.setUint32(data, at, true);
        view.setUint32(size, value.length, true);
        return 0;
      },
    };
    const { instance } = await WebAssembly.instantiate(Uint8Array.from(compiled.bytes), { env });
    const exports = instance.exports as Record<string, (...args: number[]) => number>;
    const memory = (): WebAssembly.Memory => instance.exports["memory"] as WebAssembly.Memory;
    exports["_initialize"]!();
    exports["proxy_on_context_create"]!(1, 0);
    exports["proxy_on_context_create"]!(2, 1);
    exports["proxy_on_context_create"]!(3, 1);
    exports["proxy_on_request_headers"]!(2, 1, 1);
    expect(lines.map((line) => line.slice(0, 30).trim())).toEqual([
      "inner value of x-inner long lo",
      "outer value of x-outer",
    ]);
  });
});
