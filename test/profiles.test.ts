// What hosts other than Envoy 1.40 do. nginx: Kong/ngx_wasm_module 3bed278 and its own tests (t/03-proxy_wasm).

import { crc32 } from "node:zlib";

import { beforeAll, describe, expect, test } from "vitest";

import {
  type CalloutUpstreams,
  type Filter,
  type FilterOptions,
  HostFault,
  hostProfiles,
  type HostName,
  type HostVariant,
  LoadError,
  loadFilter,
  LogLevel,
  ProxyState,
  type Trace,
  UpstreamError,
  type VirtualClock,
} from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

const names = Object.keys(hostProfiles) as (keyof typeof hostProfiles)[];

describe.each([...names, { version: "1.36" }, { version: "1.33" }])("a filter of the SDK on %j", (host) => {
  let bytes: Uint8Array;
  beforeAll(async () => {
    bytes = await (compiled ??= compileFilter("portable").then((filter) => filter.bytes));
  });
  const upstream = () => ({ body: "hello" });

  test("sets a header and changes both bodies", async () => {
    const filter = await loadFilter(bytes, { host });
    const response = await filter.request({ body: ["some ", "text"] }, { upstream: () => ({ body: ["hel", "lo"] }) });
    expect(response).toHaveStatus(200);
    expect(response).toHaveHeader("x-service-name", "portable");
    expect(response).toHaveBody("HELLO");
    expect(response.upstream!.text()).toBe("SOME TEXT");
  });

  test("answers by itself", async () => {
    const filter = await loadFilter(bytes, { host });
    const response = await filter.request("/local", { upstream });
    expect(response).toHaveRepliedLocally(403);
    expect(response).toHaveHeader("x-service-name", "portable");
    expect(response).toHaveBody(/^no\n?$/i);
  });

  test("waits for a callout", async () => {
    const filter = await loadFilter(bytes, {
      host,
      upstreams: { "auth:80": () => ({ status: 204, headers: { "x-1": "1" } }) },
    });
    const response = await filter.request("/callout", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveCalled("auth:80", { path: "/check" });
    expect(response.upstream!.headers.get("x-auth")).toBe("204");
  });
});
let compiled: Promise<Uint8Array> | undefined;

test("a filter of the SDK that asks how long a body is does not load in nginx, and the error says why", async () => {
  const { bytes } = await compileSource(`
    import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
    class Size extends HttpContext {
      override onRequestBody(_size: u32, _end: bool): Action {
        return this.requestBody.size > 9 ? Action.Pause : Action.Continue;
      }
    }
    registerHttpContext(() => new Size());`);
  await loadFilter(bytes);
  await expect(loadFilter(bytes, { host: "nginx" })).rejects.toThrow(
    "imports what nginx (ngx_wasm_module) does not offer to ABI 0.2.1: env.proxy_get_buffer_status " +
      "(i32 i32 i32 -> i32) is missing",
  );
});

describe("a filter of the SDK in nginx", () => {
  test("collects and rewrites bodies", async () => {
    const { bytes } = await compileSource(`
      import { Action, BodyContext, registerHttpContext } from "proxy-wasm/assembly";
      class Bodies extends BodyContext {
        override onRequestHeaders(_count: u32, _end: bool): Action { return this.collectRequestBody(99); }
        override onWholeRequestBody(_size: u32): Action {
          this.requestBody.replace(this.requestBody.text() + "!");
          return Action.Continue;
        }
        override onResponseHeaders(_count: u32, _end: bool): Action { return this.collectResponseBody(99); }
        override onWholeResponseBody(_size: u32): Action {
          this.responseBody.replace(this.responseBody.text() + "?");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Bodies());`);
    const filter = await loadFilter(bytes, { host: "nginx" });
    const response = await filter.request({ body: ["a", "b"] }, { upstream: () => ({ body: ["c", "d"] }) });
    expect(response.upstream!.text()).toBe("ab!");
    expect(response).toHaveBody("cd?");
  });

  test("keeps shared data with update, has no use for set, and no timers", async () => {
    const { bytes } = await compileSource(`
      import {
        Action, HttpContext, logInfo, registerRootContext, RootContext, SharedData, Status,
      } from "proxy-wasm/assembly";
      class Root extends RootContext {
        override onConfigure(size: u32): bool {
          if (size) this.setRepeatingTimer<Root>(10, (_self) => {});
          return true;
        }
        override createHttpContext(): HttpContext { return new Stream(); }
      }
      class Stream extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action {
          const first = SharedData.set("a", "1");
          const second = SharedData.set("a", "2");
          const third = SharedData.update("a", (_value) => "3");
          logInfo(first.toString() + " " + second.toString() + " " + third.toString());
          return Action.Continue;
        }
      }
      registerRootContext("", () => new Root());`);
    const host = { base: "nginx", sharedDataZones: ["*"] } as const;
    const filter = await loadFilter(bytes, { host });
    expect(await filter.request("/", { upstream })).toHaveLogged("info", "0 8 0");
    expect(filter.shared.get("a")).toBe("3");

    const timing = await loadFilter(bytes, { host, config: "timer" });
    (timing.clock as VirtualClock).advance(20);
    expect(timing).toHaveTrapped(/it ticks already; set the period to 0 first/);
  });
});

// Filters in text form.

const started = `
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))`;
const configured = '(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))';
const callback = (name: string, parameters: number, body: string, result = true) =>
  `(func (export "proxy_on_${name}") (param ${"i32 ".repeat(parameters)}) ${result ? "(result i32)" : ""} ${body})`;
const onRequest = (body: string) => callback("request_headers", 3, `${body} (i32.const 0)`);
const onRequestBody = (body: string) => callback("request_body", 3, `${body} (i32.const 0)`);
const onResponse = (body: string) => callback("response_headers", 3, `${body} (i32.const 0)`);
const onResponseBody = (body: string) => callback("response_body", 3, `${body} (i32.const 0)`);
const call = (name: string, ...args: number[]) =>
  `(drop (call $${name} ${args.map((arg) => `(i32.const ${arg})`).join(" ")}))`;

/** What filters say stands at 16, one text behind the other; `at` gives address and size of one. */
const texts = ["x-a", "1", ":scheme", ":method", "x-b", "a\nb", "vm", "wasmx.mine", "request.time", "x-empty", "NEW"];
const at = (text: string): [number, number] => {
  const before = texts.slice(0, texts.indexOf(text)).join("");
  return [16 + before.length, text.length];
};
/** Where answers are written. */
const [ANSWER, SIZE] = [1024, 1032];

const arity = {
  continue_stream: 1,
  set_effective_context: 1,
  done: 0,
  get_buffer_bytes: 5,
  set_buffer_bytes: 5,
  get_header_map_value: 5,
  get_header_map_pairs: 3,
  set_header_map_pairs: 3,
  add_header_map_value: 5,
  replace_header_map_value: 5,
  remove_header_map_value: 3,
  get_property: 4,
  set_property: 4,
  send_local_response: 8,
  http_call: 10,
  get_shared_data: 5,
  set_shared_data: 5,
  register_shared_queue: 3,
  enqueue_shared_queue: 3,
  dequeue_shared_queue: 3,
  define_metric: 4,
  get_metric: 2,
  set_tick_period_milliseconds: 1,
  call_foreign_function: 6,
  log: 3,
};
const all = Object.entries(arity)
  .map(([name, count]) => hostCall(name, count))
  .join(" ");

const escaped = texts.join("").replaceAll("\n", "\\0a");
const module = (functions: string, parts: { malloc?: string; imports?: string } = {}): Uint8Array =>
  filterWat({
    imports: `${all} ${parts.imports ?? ""}`,
    data: escaped,
    functions: started + (functions.includes("proxy_on_configure") ? "" : configured) + functions,
    ...(parts.malloc && { malloc: parts.malloc }),
  });
const load = (functions: string, options: FilterOptions = {}, parts = {}): Promise<Filter> =>
  loadFilter(module(functions, parts), { host: "nginx", ...options });

const upstream = () => ({ body: "answer" });
/** The host calls and what they answered. */
const calls = ({ trace }: { trace: Trace }): string[] =>
  trace.events.flatMap((event) => (event.kind === "call" ? [`${event.name.slice(6)} ${event.status}`] : []));
const callbacks = ({ trace }: { trace: Trace }): string[] =>
  trace.events.flatMap((event) =>
    event.kind === "callback" ? [`${event.name.replace("proxy_on_", "")}(${event.args.slice(1).join()})`] : [],
  );
const set = (map: number, name: string, value: string) =>
  call("replace_header_map_value", map, ...at(name), ...at(value));
const get = (map: number, name: string) => call("get_header_map_value", map, ...at(name), ANSWER, SIZE);
const reply = (status = 403) => call("send_local_response", status, 0, 0, ...at("NEW"), 0, 0, -1);

describe("the option host", () => {
  const bytes = filterWat({});

  test.each([
    ["apache", 'there is no host "apache"; there are envoy, higress, kong, nginx'],
    [{ version: "1.9" }, "there is no profile of Envoy 1.9; there are 1.33, 1.34"],
    [{ base: "nginx", version: "1.27" }, "there is one version of the host nginx"],
    [{ colour: "red" }, "a host has no value colour"],
  ])("is checked: %j", async (host, message) => {
    await expect(loadFilter(bytes, { host: host as HostVariant })).rejects.toThrow(message);
  });

  test("belongs to the proxy that filters share", async () => {
    const proxy = new ProxyState({ host: { version: "1.36" } });
    expect(proxy.profile.title).toBe("Envoy 1.36");
    await loadFilter(bytes, { proxy });
    await expect(loadFilter(bytes, { proxy, host: "kong" })).rejects.toThrow("host is an option of the proxy");
  });

  test.each([
    ["nginx", { failurePolicy: "open" }],
    ["kong", { mainThread: true }],
    [{ version: "1.34" }, { allowOnHeadersStopIteration: true }],
  ] as [HostName | HostVariant, FilterOptions][])(
    "refuses settings that the host does not have: %j %j",
    async (host, options) => {
      const setting = Object.keys(options)[0]!;
      await expect(loadFilter(bytes, { host, ...options } as FilterOptions)).rejects.toThrow(
        `has no such setting as ${setting}`,
      );
    },
  );

  test("takes values over those of another host", async () => {
    const filter = await load(onRequest(""), { host: { base: "nginx", server: "test", title: "my nginx" } });
    expect(await filter.request("/", { upstream })).toHaveHeader("server", "test");
  });
});

describe("older Envoys and Higress", () => {
  const newWasi = filterWat({
    imports: '(import "wasi_snapshot_preview1" "fd_tell" (func (param i32 i32) (result i32)))',
  });
  const midWasi = filterWat({ imports: '(import "wasi_unstable" "sched_yield" (func (result i32)))' });

  test("lack functions of WASI", async () => {
    await loadFilter(newWasi, { host: { version: "1.39" } });
    await expect(loadFilter(newWasi, { host: { version: "1.38" } })).rejects.toThrow(
      /what Envoy 1.38 does not.*fd_tell/,
    );
    await loadFilter(midWasi, { host: { version: "1.36" } });
    await expect(loadFilter(midWasi, { host: { version: "1.35" } })).rejects.toThrow(/sched_yield/);
  });

  test("have no foreign function sign before 1.37", async () => {
    const { bytes } = await compileSource(`
      import { Action, callForeignFunction, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      class Sign extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action {
          const answer = callForeignFunction("sign", new Uint8Array(0));
          logInfo(answer === null ? "none" : "some");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Sign());`);
    const statusIn = async (version: string) => {
      const filter = await loadFilter(bytes, { host: { version } });
      return calls(await filter.request("/", { upstream })).find((line) => line.startsWith("call_foreign"));
    };
    expect(await statusIn("1.36")).toBe("call_foreign_function 1");
    expect(await statusIn("1.37")).toBe("call_foreign_function 2");
  });

  test("Higress has host calls of its own, which are not played", async () => {
    const bytes = filterWat({
      imports: hostCall("redis_init", 7),
      functions: onRequest(call("redis_init", 0, 0, 0, 0, 0, 0, 0)),
    });
    await expect(loadFilter(bytes)).rejects.toThrow("env.proxy_redis_init");
    const filter = await loadFilter(bytes, { host: "higress" });
    expect(calls(await filter.request("/", { upstream }))).toEqual(["redis_init 12"]);
  });
});

describe("nginx loads", () => {
  test("modules with all of its own exports only", async () => {
    await expect(loadFilter(filterWat({ functions: started }), { host: "nginx" })).rejects.toThrow(
      "does not export proxy_on_configure, which nginx (ngx_wasm_module) insists on",
    );
  });

  test.each([
    [
      "a function with another type",
      hostCall("get_log_level", 1),
      /get_log_level is i32 i32 -> i32, the module wants i32/,
    ],
    ["a function that it lacks", hostCall("get_header_map_size", 2), /get_header_map_size .* is missing/],
    ["WASI's old name", '(import "wasi_unstable" "random_get" (func (param i32 i32) (result i32)))', /wasi_unstable/],
    ["a table", '(import "env" "t" (table 1 funcref))', /env.t \(table\) is missing/],
  ])("no module that imports %s", async (_what, imports, message) => {
    const loading = loadFilter(filterWat({ imports, functions: started + configured }), { host: "nginx" });
    await expect(loading).rejects.toThrow(LoadError);
    await expect(loading).rejects.toThrow(message);
  });

  test("modules that import functions of any version, and of a draft, some of which work", async () => {
    const imports = `${hostCall("get_configuration", 2)} ${hostCall("create_timer", 3)} ${hostCall("send_http_response", 8)}`;
    const functions = onRequest(`${call("get_configuration", ANSWER, SIZE)}
      ${call("send_http_response", 418, 0, 0, 0, 0, 0, 0, -1)}`);
    const filter = await load(functions, { config: "abc" }, { imports });
    expect(await filter.request("/")).toHaveRepliedLocally(418);
  });

  test("no module whose start function calls the host: the worker crashes", async () => {
    const functions = '(func (export "_initialize") (drop (call $log (i32.const 2) (i32.const 16) (i32.const 1))))';
    await expect(load(functions)).rejects.toThrow(/crashes at a host call from a start function/);
  });

  test("no filters for TCP", async () => {
    const filter = await load("");
    expect(() => filter.connection()).toThrow("nginx (ngx_wasm_module) has no filters for TCP");
  });
});

describe("contexts in nginx", () => {
  test("have a hash as the root's number, and streams from 1 on", async () => {
    const filter = await load(onRequest(""), { name: "mine", config: "abc" });
    const root = crc32("mineabc0");
    expect(filter.rootTrace.events[0]).toMatchObject({ name: "proxy_on_context_create", args: [root, 0] });
    const { trace } = await filter.request("/", { upstream });
    expect(trace.events[0]).toMatchObject({ name: "proxy_on_context_create", args: [1, root] });
  });

  test("end with done, log, delete; the root without a word", async () => {
    const last =
      callback("done", 1, "(i32.const 1)") + callback("log", 1, "", false) + callback("delete", 1, "", false);
    const filter = await load(last);
    expect(callbacks(await filter.request("/", { upstream })).slice(1)).toEqual(["done()", "log()", "delete()"]);
    const before = filter.rootTrace.events.length;
    filter.close();
    expect(filter.rootTrace.events.length).toBe(before);
  });

  test("cannot be chosen", async () => {
    const filter = await load(onRequest(`${call("set_effective_context", 99)} ${set(0, "x-a", "1")}`));
    const response = await filter.request("/", { upstream });
    expect(calls(response)).toEqual(["set_effective_context 0", "replace_header_map_value 0"]);
    expect(response.upstream!.headers.get("x-a")).toBe("1");
  });
});

describe("a mistake in nginx", () => {
  test.each([
    ["a call that it has not implemented", call("done"), /proxy_done ended the VM: .* has not implemented it/],
    ["an address outside of the memory", call("log", 2, 1 << 20, 4), /proxy_log ended the VM.*lies outside/],
    ["no address", call("log", 2, 0, 4), /lies outside/],
    ["an odd address for an answer", call("get_header_map_value", 0, ...at("x-a"), 1025, SIZE), undefined],
    [
      "a response body in a request callback",
      call("get_buffer_bytes", 1, 0, 9, ANSWER, SIZE),
      /only in on_response_body/,
    ],
    ["a tick in a stream", call("set_tick_period_milliseconds", 9), /only a root context can tick/],
    ["a metric of no type", call("define_metric", 7, ...at("x-a"), ANSWER), /no metric type 7/],
    ["a metric that is not there", call("get_metric", 5, ANSWER), /there is no metric 5/],
    [
      "an unknown foreign function",
      call("call_foreign_function", ...at("x-a"), 0, 0, ANSWER, SIZE),
      /no foreign function "x-a"/,
    ],
    [
      "a callout without :method",
      call("http_call", ...at("x-a"), 0, 0, 0, 0, 0, 0, 9, ANSWER),
      /no :method and no :path/,
    ],
    ["two answers", reply() + reply(), /answered already/],
  ])("ends the VM: %s", async (_what, body, message) => {
    const filter = await load(onRequest(body));
    const response = await filter.request({ headers: { "x-a": "1" } }, { upstream });
    expect(response).toHaveStatus(500);
    expect(response).toHaveBody(/<h1>500 Internal Server Error<\/h1>/);
    expect(response.upstream).toBeNull();
    expect(filter).toHaveTrapped(message ?? /lies outside/);
  });

  test("makes a new VM for the next stream, which hears of its configuration, not of the start of the VM", async () => {
    const filter = await load(onRequest(call("done")));
    expect(await filter.request("/", { upstream })).toHaveStatus(500);
    const again = await filter.request("/", { upstream });
    expect(again).toHaveStatus(500);
    expect(filter.rootTrace.events.map((event) => event.kind === "callback" && event.name)).toEqual([
      "proxy_on_context_create",
      "proxy_on_configure",
    ]);
  });

  test("in a response callback lets the response go on unfiltered", async () => {
    const filter = await load(onResponse(`${set(2, "x-a", "1")} ${call("done")}`) + onResponseBody(""));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveBody("answer");
    expect(callbacks(response)).not.toContain("response_body(6,1)");
  });
});

describe("headers in nginx", () => {
  test("of the request can be read to the end, and changed before there is a response", async () => {
    const filter = await load(onResponse(get(0, "x-a")) + callback("log", 1, get(0, "x-a"), false));
    const response = await filter.request({ headers: { "x-a": "1" } }, { upstream });
    expect(calls(response)).toEqual(["get_header_map_value 0", "get_header_map_value 0"]);

    const late = await load(onResponse(set(0, "x-a", "1")));
    expect(await late.request("/", { upstream })).toHaveStatus(200);
    expect(late).toHaveTrapped(/cannot be changed in on_response_headers, only in on_request_headers/);
  });

  test("of the response can be set by the request's callbacks", async () => {
    const filter = await load(onRequest(set(2, "x-a", "1")));
    expect(await filter.request("/", { upstream })).toHaveHeader("x-a", "1");
  });

  test("can still be changed when the body has come, and the request goes up with its length", async () => {
    const filter = await load(
      onRequestBody(`${set(0, "x-a", "1")} ${call("set_buffer_bytes", 0, 0, 9, ...at("NEW"))}`),
    );
    const response = await filter.request({ body: "some text" }, { upstream });
    expect(response.upstream!.text()).toBe("NEW");
    expect(response.upstream!.headers.get("x-a")).toBe("1");
    expect(response.upstream!.headers.get("content-length")).toBe("3");
  });

  test("answer other statuses when they are not there", async () => {
    const pairs = (map: number) => call("get_header_map_pairs", map, ANSWER, SIZE);
    const filter = await load(
      onRequest(get(0, "x-b") + get(1, "x-b") + get(6, "x-b") + pairs(1) + pairs(6) + set(6, "x-a", "1")),
    );
    expect(calls(await filter.request("/", { upstream }))).toEqual([
      "get_header_map_value 1",
      "get_header_map_value 1",
      "get_header_map_value 1",
      "get_header_map_pairs 2",
      "get_header_map_pairs 2",
      "replace_header_map_value 2",
    ]);
  });

  test("ask the allocator for nothing when they are empty, and fail when it gives nothing", async () => {
    const malloc =
      '(func (export "malloc") (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.const 4096)) (else (i32.const 0))))';
    const functions = onRequest(get(0, "x-empty"));
    const request = { headers: { "x-empty": "" } };
    const inNginx = await load(functions, {}, { malloc });
    expect(calls(await inNginx.request(request, { upstream }))).toEqual(["get_header_map_value 10"]);
    const inEnvoy = await load(functions, { host: "envoy" }, { malloc });
    expect(calls(await inEnvoy.request(request, { upstream }))).toEqual(["get_header_map_value 0"]);
  });

  test("are kept apart, cleaned of control characters, and partly read-only", async () => {
    const add = (name: string, value: string) => call("add_header_map_value", 0, ...at(name), ...at(value));
    const filter = await load(
      onRequest(`${add("x-a", "a\nb")} ${set(0, ":scheme", "vm")} ${set(0, ":method", "NEW")}`),
    );
    const { upstream: seen, trace } = await filter.request({ headers: { "x-a": "0" } }, { upstream });
    expect(seen!.headers.getAll("x-a")).toEqual(["0", "a%0Ab"]);
    expect(seen!.headers.get(":scheme")).toBe("http");
    expect(seen!.method).toBe("NEW");
    expect(String(trace)).toContain("does not change :scheme, and says Ok");
  });

  test("set as a whole end with the first that is read-only", async () => {
    const filter = await loadFilter(
      (
        await compileSource(`
        import { Action, Headers, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
        class Pairs extends HttpContext {
          override onRequestHeaders(_count: u32, _end: bool): Action {
            this.requestHeaders.replaceAll(
              new Headers().append("x-1", "a").append("x-1", "b").append(":scheme", "https").append("x-2", "c"));
            return Action.Continue;
          }
        }
        registerHttpContext(() => new Pairs());`)
      ).bytes,
      { host: "nginx" },
    );
    const { upstream: seen } = await filter.request({ headers: { "x-0": "0" } }, { upstream });
    expect(seen!.headers.entries().filter(([name]) => name.startsWith("x-"))).toEqual([["x-1", "b"]]);
    expect(seen!.headers.get(":path")).toBe("/");
  });

  test("are shown up to a hundred", async () => {
    const functions = `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      ${call("get_header_map_pairs", 0, ANSWER, SIZE)}
      (i32.store8 (i32.const ${at("1")[0]}) (i32.load (i32.load (i32.const ${ANSWER}))))
      ${set(0, "x-b", "1")} (i32.const 0))`;
    const filter = await load(functions);
    const headers = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`h-${i}`, "v"]));
    const { upstream: seen } = await filter.request({ headers }, { upstream });
    expect(seen!.headers.get("x-b")!.charCodeAt(0)).toBe(100);
  });

  test("cannot be read where there is no stream: the worker crashes", async () => {
    const functions = `${callback("configure", 2, `${call("set_tick_period_milliseconds", 10)} (i32.const 1)`)}
      ${callback("tick", 1, get(0, "x-a"), false)}`;
    const filter = await load(functions);
    expect(() => (filter.clock as VirtualClock).advance(10)).toThrow(HostFault);
  });
});

describe("bodies in nginx", () => {
  const bodies = callback("request_body", 3, "(i32.const 0)") + onResponseBody("") + onRequest("") + onResponse("");

  test("of requests come whole, without trailers, and those of responses with their ends", async () => {
    const filter = await load(bodies);
    const response = await filter.request(
      { body: ["ab", "c"], trailers: { "x-t": "1" } },
      { upstream: () => ({ body: ["d", "ef"], trailers: { "x-u": "1" } }) },
    );
    expect(callbacks(response).slice(1)).toEqual([
      "request_headers(1,0)",
      "request_body(3,1)",
      "response_headers(0,0)",
      "response_body(1,0)",
      "response_body(2,0)",
      "response_body(0,1)",
    ]);
    expect(response.trailers.size).toBe(0);
    expect(response.upstream!.trailers.size).toBe(0);
  });

  test("of requests that are empty come not at all, those of responses do, but for HEAD and 204", async () => {
    const filter = await load(bodies);
    const seen = async (request: object, response: object) =>
      callbacks(await filter.request(request, { upstream: () => response })).slice(1);
    expect(await seen({ body: [""] }, {})).toEqual([
      "request_headers(1,0)",
      "response_headers(1,0)",
      "response_body(0,1)",
    ]);
    expect(await seen({}, { status: 204 })).toEqual(["request_headers(1,0)", "response_headers(0,0)"]);
    expect(await seen({ method: "HEAD" }, {})).toEqual(["request_headers(1,0)", "response_headers(0,0)"]);
  });

  test("of responses end with the piece that is as long as content-length says", async () => {
    const filter = await load(bodies);
    const whole = await filter.request("/", { upstream });
    expect(callbacks(whole).slice(3)).toEqual(["response_body(6,1)"]);
    const pieces = await filter.request("/", {
      upstream: () => ({ headers: { "content-length": "6" }, body: ["ans", "wer"] }),
    });
    expect(callbacks(pieces).slice(3)).toEqual(["response_body(3,0)", "response_body(3,0)"]);
  });

  const pausing = onResponse("") + callback("response_body", 3, "(i32.const 1)");

  test("of responses are collected once after Pause", async () => {
    const filter = await load(pausing);
    const pieces = await filter.request("/", { upstream: () => ({ body: ["ab", "cd", "ef"] }) });
    expect(callbacks(pieces).slice(2)).toEqual(["response_body(2,0)", "response_body(6,1)"]);
    expect(pieces).toHaveBody("abcdef");
    const atOnce = await filter.request("/", { upstream });
    expect(callbacks(atOnce).slice(2)).toEqual(["response_body(6,1)", "response_body(6,1)"]);
    expect(atOnce).toHaveBody("answer");
  });

  test("of responses are collected as far as there is room", async () => {
    const filter = await load(pausing, { host: { base: "nginx", responseBufferBytes: 4 } });
    const response = await filter.request("/", { upstream: () => ({ body: ["ab", "cd", "ef"] }) });
    expect(callbacks(response).slice(2)).toEqual([
      "response_body(2,0)",
      "response_body(4,0)",
      "response_body(2,0)",
      "response_body(0,1)",
    ]);
    expect(response).toHaveBody("abcdef");
  });

  test("are read from the beginning, and nothing is written where there is nothing", async () => {
    const read = (start: number, size: number) => call("get_buffer_bytes", 0, start, size, ANSWER, SIZE);
    const keep = "(i32.store (i32.const 1032) (i32.const 77))";
    const filter = await load(`
      (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
        ${read(2, 3)}
        (drop (call $set_buffer_bytes (i32.const 0) (i32.const 99) (i32.const 0) (i32.load (i32.const ${ANSWER})) (i32.load (i32.const ${SIZE}))))
        ${keep} ${read(0, 0)}
        (i32.store8 (i32.const ${at("1")[0]}) (i32.load (i32.const ${SIZE})))
        ${set(0, "x-b", "1")} (i32.const 0))`);
    const { upstream: seen } = await filter.request({ body: "abcdef" }, { upstream });
    expect(seen!.text()).toBe("abcdefabc");
    expect(seen!.headers.get("x-b")).toBe("M");
  });

  test.each([
    ["in front", 0, 0, "NEWabcd"],
    ["in place of all, cut to the size", 0, 2, "NE"],
    ["in place of the rest", 2, 9, "abNEW"],
    ["in place of the rest, cut to the size", 2, 1, "abN"],
    ["in place of the rest, whole without a size", 2, 0, "abNEW"],
    ["behind", 99, 0, "abcdNEW"],
  ])("take new bytes %s", async (_where, start, size, result) => {
    const filter = await load(onRequestBody(call("set_buffer_bytes", 0, start, size, ...at("NEW"))));
    const { upstream: seen } = await filter.request({ body: "abcd" }, { upstream });
    expect(seen!.text()).toBe(result);
  });

  test("of requests could be set before they have come, which this host does not play", async () => {
    const filter = await load(onRequest(call("set_buffer_bytes", 0, 0, 9, ...at("NEW"))));
    expect(calls(await filter.request({ body: "abcd" }, { upstream }))).toEqual(["set_buffer_bytes 12"]);
  });

  test("of requests cannot be read when they are long, nor before they have come", async () => {
    const read = call("get_buffer_bytes", 0, 0, 9, ANSWER, SIZE);
    const filter = await load(onRequest(read) + onRequestBody(read) + callback("log", 1, read, false));
    const response = await filter.request({ body: "x".repeat(16_385) }, { upstream });
    expect(calls(response)).toEqual(["get_buffer_bytes 1", "get_buffer_bytes 1", "get_buffer_bytes 1"]);
    expect(String(response.trace)).toContain("client_body_buffer_size");
    expect(calls(await filter.request({ body: "short" }, { upstream }))).toEqual([
      "get_buffer_bytes 1",
      "get_buffer_bytes 0",
      "get_buffer_bytes 0",
    ]);
  });
});

describe("answers of callbacks in nginx", () => {
  test("do not hold a response", async () => {
    const filter = await load(callback("response_headers", 3, "(i32.const 1)"));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveBody("answer");
    expect(String(response.trace)).toContain("Pause in on_response_headers lets it go on");
  });

  test("hold a request, which proxy_continue_stream does not change", async () => {
    const filter = await load(callback("request_headers", 3, `${call("continue_stream", 0)} (i32.const 1)`));
    await expect(filter.request("/", { upstream })).rejects.toThrow("held for ever");
  });

  test("fail the stream when they are others", async () => {
    const filter = await load(
      callback("request_headers", 3, "(i32.const 2)") + onResponse("") + callback("log", 1, "", false),
    );
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(500);
    expect(callbacks(response).slice(1)).toEqual(["request_headers(1,0)"]);
    expect(filter.trap).toBeNull();
  });

  test("continue no stream but those of HTTP", async () => {
    const filter = await load(onRequest(call("continue_stream", 1) + call("continue_stream", 2)));
    expect(calls(await filter.request("/", { upstream }))).toEqual(["continue_stream 0", "continue_stream 10"]);
  });
});

describe("the filter's own replies in nginx", () => {
  test("end with a line feed, and have a length even without a body", async () => {
    const filter = await load(onRequest(reply(418)) + onResponse("") + onResponseBody(""));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveRepliedLocally(418);
    expect(response).toHaveBody("NEW\n");
    expect(response).toHaveHeader("content-type", "text/plain");
    expect(callbacks(response).slice(1)).toEqual([
      "request_headers(1,0)",
      "response_headers(2,0)",
      "response_body(4,1)",
    ]);
    const empty = await load(onRequest(call("send_local_response", 204, 0, 0, 0, 0, 0, 0, -1)));
    expect(await empty.request("/", { upstream })).toHaveHeader("content-length", "0");
  });

  test("need a status from 100 to 999", async () => {
    const filter = await load(onRequest(reply(1000)));
    const response = await filter.request("/", { upstream });
    expect(calls(response)).toEqual(["send_local_response 2"]);
    expect(response).toHaveBody("answer");
  });

  test("give a response another status and body, and its own headers, content-length too", async () => {
    const drop = call("remove_header_map_value", 2, ...at("x-a"));
    const filter = await load(onResponse(drop + reply(418)) + onResponseBody(""));
    const response = await filter.request("/", {
      upstream: () => ({ headers: { "x-b": "kept" }, body: ["an", "swer"] }),
    });
    expect(response).toHaveStatus(418);
    expect(response).toHaveBody("NEW\n");
    expect(response).toHaveHeader("x-b", "kept");
    await expect(filter.request("/", { upstream })).rejects.toThrow(
      /body has 4 bytes, and its content-length says 6: nginx \(ngx_wasm_module\) sends/,
    );
  });

  test("come too late in a body callback", async () => {
    const filter = await load(onResponseBody(reply()));
    expect(await filter.request("/", { upstream })).toHaveBody("answer");
    expect(filter).toHaveTrapped(/the response is on its way already/);
  });
});

describe("callouts in nginx", () => {
  // `:method: GET`, `:path: /` as pairs, at 2048.
  const pairs = "0200000007000000030000000500000001000000";
  const data = `${pairs.replace(/../g, "\\$&")}:method\\00GET\\00:path\\00/\\00`;
  const withPairs = (functions: string) => `${functions} (data (i32.const 2048) "${data}")`;
  const send = call("http_call", ...at("x-a"), 2048, 40, 0, 0, 0, 0, 500, ANSWER);
  const pause = (body: string) => callback("request_headers", 3, `${body} (i32.const 1)`);
  const heard = (body: string) => callback("http_call_response", 5, body, false);

  test("are told to their own context, with the root's number, and the request goes on by itself", async () => {
    const filter = await load(withPairs(pause(send + send) + heard(set(0, "x-b", "1"))), {
      upstreams: { "x-a": () => ({ headers: { "x-1": "1" }, body: "ok", trailers: { "x-t": "1" } }) },
    });
    const response = await filter.request("/", { upstream });
    expect(response.callouts.map(({ id }) => id)).toEqual([0, 1]);
    expect(response.callouts[0]!.request.headers.entries()).toEqual([
      [":method", "GET"],
      [":path", "/"],
      [":authority", "x-a"],
      ["connection", "close"],
      ["content-length", "0"],
    ]);
    expect(callbacks(response).slice(2)).toEqual(["http_call_response(0,1,2,0)", "http_call_response(1,1,2,0)"]);
    expect(response.upstream!.headers.get("x-b")).toBe("1");
  });

  test.each<[what: string, upstreams: CalloutUpstreams, status: string]>([
    ["a host that refuses", { auth: null }, "broken connection"],
    [
      "a connection that breaks",
      { auth: () => Promise.reject(new UpstreamError("remote reset")) },
      "broken connection",
    ],
    ["no answer in time", { auth: () => null }, "timeout"],
    ["a name that nobody knows", {}, "resolver failure"],
    // As `constructor` is by every object.
    ["a name that is inherited", Object.create({ auth: () => ({}) }) as CalloutUpstreams, "resolver failure"],
  ])("fail with a word: %s", async (_what, upstreams, status) => {
    const { bytes } = await (calling ??= compileSource(`
      import { Action, HttpCall, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
      class Calling extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action {
          return this.pauseFor(this.httpCall<Calling>(new HttpCall("auth").get("/").timeoutMs(50), (_self, response) => {
            const word = response.headers.get(":dispatch_status");
            logInfo((response.isReset ? "reset: " : "answer: ") + (word === null ? "none" : word));
          }));
        }
      }
      registerHttpContext(() => new Calling());`));
    const filter = await loadFilter(bytes, { host: "nginx", upstreams });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveLogged("info", `reset: ${status}`);
    expect(response).toHaveBody("answer");
  });
  let calling: ReturnType<typeof compileSource> | undefined;

  test("cannot be sent by the response's callbacks, nor while the filter is configured", async () => {
    const filter = await load(withPairs(onResponse(send)));
    expect(await filter.request("/", { upstream })).toHaveBody("answer");
    expect(filter).toHaveTrapped(/sends no callout in on_response_headers, only in on_request_headers/);
    const configuring = withPairs(callback("configure", 2, `${send} (i32.const 1)`));
    await expect(load(configuring)).rejects.toThrow(/stopped in proxy_on_configure/);
  });

  test("are cancelled when the filter answers", async () => {
    const filter = await load(withPairs(pause(send + send) + heard(reply())), { upstreams: { "x-a": () => ({}) } });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveRepliedLocally(403);
    expect(response.callouts.map(({ state }) => state)).toEqual(["answered", "cancelled"]);
  });

  test("have a body that can be read in their callback alone", async () => {
    const read = call("get_buffer_bytes", 4, 0, 9, ANSWER, SIZE);
    const filter = await load(withPairs(pause(send) + heard(read)), { upstreams: { "x-a": () => ({}) } });
    expect(calls(await filter.request("/", { upstream })).at(-1)).toBe("get_buffer_bytes 1");
    const early = await load(onRequest(read));
    expect(await early.request("/", { upstream })).toHaveStatus(500);
  });
});

describe("properties in nginx", () => {
  let probe: Uint8Array;
  beforeAll(async () => {
    ({ bytes: probe } = await compileSource(`
      import { Action, getProperty, HttpContext, logInfo, registerHttpContext, setProperty } from "proxy-wasm/assembly";
      function show(path: string): void {
        const value = getProperty(path);
        logInfo(path + "=" + (value === null ? "none" : value));
      }
      class Probe extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action {
          setProperty(["wasmx.mine"], "1");
          setProperty(["kong.mine"], "2");
          const paths = this.requestHeaders.get("x-paths")!.split(" ");
          for (let i = 0; i < paths.length; i++) show(paths[i]);
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Probe());`));
  });
  const read = async (host: HostName | HostVariant, paths: string, options: FilterOptions = {}) => {
    const filter = await loadFilter(probe, { host, ...options });
    const request = { path: "/a?b=c", headers: { "x-paths": paths } };
    const { logs } = await filter.request(request, { upstream });
    return logs.filter(({ level }) => level === LogLevel.Info).map(({ message }) => message);
  };

  test("are text", async () => {
    const paths =
      "request.path request.query source.address source.port connection.mtls request.time request.headers.x-paths";
    expect((await read("nginx", paths)).slice(0, 6)).toEqual([
      "request.path=/a?b=c",
      "request.query=b=c",
      "source.address=127.0.0.1",
      "source.port=50000",
      "connection.mtls=false",
      "request.time=1767225600.000",
    ]);
  });

  test("are fewer than Envoy's", async () => {
    expect(
      await read("nginx", "xds.cluster_name plugin_vm_id response.flags plugin_root_id", { rootId: "mine" }),
    ).toEqual(["xds.cluster_name=none", "plugin_vm_id=none", "response.flags=none", "plugin_root_id=0"]);
  });

  test("are variables too, and the filter's own", async () => {
    const properties = { "ngx.hostname": "here", "kong.route_id": "r" };
    expect(await read("nginx", "ngx.hostname wasmx.mine kong.mine", { properties })).toEqual([
      "ngx.hostname=here",
      "wasmx.mine=1",
      "kong.mine=none",
    ]);
    expect(await read("kong", "kong.route_id wasmx.mine kong.mine", { properties })).toEqual([
      "kong.route_id=r",
      "wasmx.mine=none",
      "kong.mine=2",
    ]);
  });

  test("cannot be had outside of a request", async () => {
    const ask = call("get_property", ...at("request.time"), ANSWER, SIZE);
    const filter = await load(callback("configure", 2, `${ask} (i32.const 1)`));
    expect(calls({ trace: filter.rootTrace })).toEqual(["get_property 10"]);
  });

  test("can be set where they are the filter's own, or the query", async () => {
    const filter = await load(
      onRequest(
        call("set_property", ...at("wasmx.mine"), ...at("1")) +
          call("set_property", ...at("request.time"), ...at("1")) +
          call("set_property", ...at("x-a"), ...at("1")),
      ),
    );
    expect(calls(await filter.request("/", { upstream }))).toEqual([
      "set_property 0",
      "set_property 10",
      "set_property 1",
    ]);
  });
});

describe("what streams share in nginx", () => {
  const write = (cas: number) => call("set_shared_data", ...at("x-a"), ...at("1"), cas);

  test("needs a zone", async () => {
    const filter = await load(onRequest(write(0)));
    expect(await filter.request("/", { upstream })).toHaveStatus(500);
    expect(filter).toHaveTrapped(/no zone is declared for the shared data under "x-a"; there are none/);
  });

  test("is not overwritten without its number, and goes when it is set to no address", async () => {
    const host = { base: "nginx", sharedDataZones: ["*"] } as const;
    const remove = call("set_shared_data", ...at("x-a"), 0, 0, 1);
    const filter = await load(onRequest(write(0) + write(0) + write(9) + remove), { host });
    expect(calls(await filter.request("/", { upstream }))).toEqual([
      "set_shared_data 0",
      "set_shared_data 8",
      "set_shared_data 8",
      "set_shared_data 0",
    ]);
    expect(filter.shared.get("x-a")).toBeNull();
  });

  test("queues must be declared, and nobody hears of their items", async () => {
    const register = call("register_shared_queue", ...at("x-a"), ANSWER);
    const use = `(drop (call $enqueue_shared_queue (i32.load (i32.const ${ANSWER})) (i32.const 16) (i32.const 3)))`;
    const functions = onRequest(register + use) + callback("queue_ready", 2, "", false);
    const undeclared = await load(functions);
    expect(await undeclared.request("/", { upstream })).toHaveStatus(500);
    const filter = await load(functions, { host: { base: "nginx", queueZones: ["x-a"] } });
    expect(await filter.request("/", { upstream })).toHaveStatus(200);
    expect(filter.queue("x-a").texts()).toEqual(["x-a"]);
    expect(String(filter.rootTrace)).not.toContain("queue_ready");
  });

  test("metrics have hashes as ids, and counters are not recorded", async () => {
    const typed = `${all} (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
      (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))`;
    const id = "(i32.load (i32.const 1024))";
    const bytes = (body: string) =>
      filterWat({ imports: typed, data: escaped, functions: started + configured + onRequest(body) });
    const define = call("define_metric", 0, ...at("x-a"), ANSWER);
    const up = `(drop (call $increment ${id} (i64.const -2)))`;
    const keep = call("set_property", ANSWER, 4, ...at("1"));
    const filter = await loadFilter(bytes(define + up + keep), { host: "nginx" });
    await filter.request("/", { upstream });
    expect(filter.metric("x-a").exactValue).toBe(BigInt.asUintN(64, -2n));
    const wrong = await loadFilter(bytes(`${define} (drop (call $record ${id} (i64.const 1)))`), { host: "nginx" });
    expect(await wrong.request("/", { upstream })).toHaveStatus(500);
    expect(wrong).toHaveTrapped(/x-a is a counter; it should be a gauge or a histogram/);
    // Not of the hash's value, which only a known id can be looked up by.
    const known = crc32("pw:filter:x-a") | 0;
    const lookup = await loadFilter(bytes(`${define} ${call("get_metric", known, 1024)}`), { host: "nginx" });
    expect(calls(await lookup.request("/", { upstream }))).toEqual(["define_metric 0", "get_metric 0"]);
  });

  test("ticks must be stopped before they are set anew", async () => {
    const tick = (period: number) => call("set_tick_period_milliseconds", period);
    await load(callback("configure", 2, `${tick(10)} ${tick(0)} ${tick(20)} (i32.const 1)`));
    await expect(load(callback("configure", 2, `${tick(10)} ${tick(20)} (i32.const 1)`))).rejects.toThrow(
      /stopped in proxy_on_configure/,
    );
  });
});
