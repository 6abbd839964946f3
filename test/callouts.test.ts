// HTTP callouts, on the host and from the SDK. Expectations are what a running Envoy 1.40 did.

import { beforeAll, describe, expect, test } from "vitest";

import {
  type CalloutRequest,
  type CalloutUpstreams,
  type Filter,
  type FilterOptions,
  loadFilter,
  Status,
  UpstreamError,
} from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

const upstream = () => ({ body: "ok" });
const messages = (entries: readonly { message: string }[]): string[] => entries.map((entry) => entry.message);
const command = (name: string) => ({ headers: { "x-do": name } });
const head = (name: string) => ({ ":method": "GET", ":path": "/", ":authority": "a", "x-do": name });

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("callouts");
});

const load = (upstreams: CalloutUpstreams, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(compiled.bytes, { upstreams, ...options });

describe("a callout from a stream", () => {
  test("holds the request until it is answered, and is called with its own context", async () => {
    const filter = await load({ auth: () => ({ headers: { "x-answer": "yes" }, body: "hi" }) });
    const response = await filter.request(command("auth"), { upstream });
    expect(response).toHaveStatus(200);
    expect(response.upstream!.headers.get("x-called")).toBe("200 hi x-answer=yes");
    expect(response).toHaveCalled("auth", { method: "GET", path: "/check?a=b", headers: { "x-token": "secret" } });
    expect(response).not.toHaveCalled("auth", { path: "/other" });
    expect(response).not.toHaveCalled("dead");
    expect(response.callouts.map((callout) => callout.response!.status)).toEqual([200]);
  });

  test("can be answered with another status, and answers the request", async () => {
    const filter = await load({ auth: () => ({ status: 401 }) });
    const response = await filter.request(command("auth"), { upstream });
    expect(response).toHaveRepliedLocally(403);
    expect(response).toHaveBody("denied");
    expect(response.upstream).toBeNull();
  });

  test("arrives as Envoy sends it", async () => {
    let seen: CalloutRequest | undefined;
    const filter = await load({
      auth: (request) => {
        seen = request;
        return { headers: { "x-answer": "yes" }, body: "grüße", trailers: { "x-trailer": "t" } };
      },
    });
    const { logs } = await filter.request(command("full"), { upstream });
    expect(seen!.headers.entries()).toEqual([
      [":method", "PUT"],
      [":path", "/full"],
      [":authority", "auth.test:8080"],
      ["x-one", "1"],
      ["x-two", "a"],
      ["x-two", "ü"],
      ["x-bytes", "€"],
      ["content-length", "7"],
      ["x-envoy-internal", "true"],
      ["x-envoy-expected-rq-timeout-ms", "1234"],
    ]);
    expect(seen!.text()).toBe("grüße");
    expect(seen!.timeoutMs).toBe(1234);
    expect(messages(logs)).toEqual([
      "200 grüße x-answer=yes x-trailer=t 1 trailers",
      "3 :status x-answer x-envoy-upstream-service-time",
      "7 7",
      "proxy_replace_header_map_value answered BadArgument",
      "write 2",
    ]);
  });

  test("takes and gives any bytes, larger than the region", async () => {
    let size = 0;
    const filter = await load({
      auth: ({ body }) => {
        size = body.length;
        return { body: Uint8Array.from({ length: 200_000 }, () => 0xff) };
      },
    });
    const { logs } = await filter.request(command("bytes"), { upstream });
    expect(size).toBe(6000);
    expect(messages(logs)).toEqual([`200000 ${200_000 * 255}`]);
  });

  test("is refused by a cluster that is not there, and closes the stream", async () => {
    const filter = await load({ auth: () => ({}) });
    const response = await filter.request(command("unknown"), { upstream });
    expect(response).toHaveRepliedLocally(503);
    expect(response.details).toBe("callout_refused");
    expect(messages(response.logs)).toEqual(["proxy_http_call answered BadArgument", "status 2"]);
    expect(response.callouts).toEqual([]);
    expect(String(response.trace)).toContain('there is no cluster "nowhere"; known are: auth.');
  });

  test("is refused by a cluster without a host, and lets the stream pass when it may", async () => {
    const filter = await load({ dead: null });
    const closed = await filter.request(command("dead"), { upstream });
    expect(closed).toHaveRepliedLocally(503);
    expect(messages(closed.logs)).toEqual(["status 10"]);
    expect(await filter.request(command("open"), { upstream })).toHaveStatus(200);
  });

  test("is refused when too many are under way", async () => {
    const filter = await load({ auth: () => null }, { limits: { calloutsPerCluster: 2 } });
    const streams = [1, 2, 3].map(() => filter.stream());
    for (const stream of streams) stream.requestHeaders(head("slow"));
    expect(streams.map((stream) => stream.localReply?.status)).toEqual([undefined, undefined, 503]);
    for (const stream of streams.slice(0, 2)) stream.reset();
  });

  test("gets Envoy's 503 when the connection fails", async () => {
    const filter = await load({
      auth: () => {
        throw new UpstreamError();
      },
    });
    const { logs, callouts } = await filter.request(command("slow"), { upstream });
    expect(messages(logs)).toEqual([
      "503 upstream connect error or disconnect/reset before headers. reset reason: remote connection failure " +
        "maybe from the proxy",
    ]);
    expect(callouts[0]!.response!.headers.entries()).toEqual([
      [":status", "503"],
      ["content-length", "98"],
      ["content-type", "text/plain"],
    ]);
  });

  test("does not take a server's 503 for Envoy's", async () => {
    const filter = await load({ auth: () => ({ status: 503, body: "busy" }) });
    expect(messages((await filter.request(command("slow"), { upstream })).logs)).toEqual(["503 busy"]);
  });

  test("gets Envoy's 504 when its time is over, and tells the upstream", async () => {
    let aborted = false;
    const filter = await load({
      auth: async (request) => {
        request.signal.addEventListener("abort", () => (aborted = true));
        await request.wait(1000);
        return { body: "too late" };
      },
    });
    const before = filter.clock.now();
    const { logs, callouts } = await filter.request(command("slow"), { upstream });
    expect(messages(logs)).toEqual(["504 upstream request timeout maybe from the proxy"]);
    expect(filter.clock.now() - before).toBe(200_000_000n);
    expect(callouts[0]!.state).toBe("answered");
    expect(aborted).toBe(true);
    await filter.settle();
    expect(messages(logs)).toHaveLength(1);
  });

  test("waits as long as it takes without a timeout", async () => {
    const filter = await load({
      auth: async (request) => {
        expect(request.headers.has("x-envoy-expected-rq-timeout-ms")).toBe(false);
        await request.wait(100_000);
        return { body: "late" };
      },
    });
    const response = await filter.request(command("patient"), { upstream });
    expect(messages(response.logs)).toEqual(["200 late"]);
    expect(response.callouts[0]!.response!.headers.get("x-envoy-upstream-service-time")).toBe("100000");
  });

  test("waits for a function that takes real time, while virtual time stands still", async () => {
    const filter = await load({
      auth: async () => {
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        return { body: "real" };
      },
    });
    const before = filter.clock.now();
    expect(messages((await filter.request(command("slow"), { upstream })).logs)).toEqual(["200 real"]);
    expect(filter.clock.now()).toBe(before);
  });

  test("gets nothing when the connection breaks in the middle", async () => {
    const filter = await load({
      auth: () => ({
        body: (function* () {
          yield "part";
          throw new UpstreamError("remote reset");
        })(),
      }),
    });
    const { logs, callouts } = await filter.request(command("slow"), { upstream });
    expect(messages(logs)).toEqual(["reset without a body"]);
    expect(callouts[0]!.state).toBe("reset");
  });

  test("gets nothing when its time is over in the middle, nor of a body that is too long", async () => {
    const slow = await load({
      auth: (request) => ({
        body: (async function* () {
          yield "part";
          await request.wait(300);
          yield "rest";
        })(),
      }),
    });
    expect(messages((await slow.request(command("slow"), { upstream })).logs)).toEqual(["reset without a body"]);
    const long = await load({ auth: () => ({ body: "12345" }) }, { limits: { calloutBytes: 4 } });
    expect(messages((await long.request(command("slow"), { upstream })).logs)).toEqual(["reset without a body"]);
  });

  test("whose upstream has a mistake fails the test with it", async () => {
    const filter = await load({
      auth: () => {
        throw new Error("a mistake");
      },
    });
    await expect(filter.request(command("auth"), { upstream })).rejects.toThrow("a mistake");
  });

  test("that is never answered leaves the exchange stuck, and says so", async () => {
    const filter = await load({ auth: () => null });
    await expect(filter.request(command("patient"), { upstream })).rejects.toThrow(/callout 4 to auth: GET \/slow\n/);
    expect(filter.callouts).toHaveLength(1);
    expect(filter.callouts[0]!.state).toBe("pending");
  });

  test("holds a response, and changes it", async () => {
    const filter = await load({ auth: () => ({ body: "seen" }) });
    const response = await filter.request(command("response"), { upstream });
    expect(response).toHaveHeader("x-called", "200 seen");
  });

  test("holds a body", async () => {
    const filter = await load({ auth: () => ({ body: "seen" }) });
    const response = await filter.request({ ...command("body"), body: ["one", "two"] }, { upstream });
    expect(messages(response.logs)).toEqual(["200 seen"]);
    expect(response.upstream!.text()).toBe("onetwo");
  });

  test("is one of several, and the last one lets the request go on", async () => {
    const filter = await load({
      auth: async ({ path, wait }) => {
        await wait(path.endsWith("1") ? 300 : 100);
        return { body: path };
      },
    });
    const response = await filter.request(command("several"), { upstream });
    expect(response.upstream!.headers.get("x-called")).toBe("/several/2 /several/3 /several/1");
    expect(response.callouts.map((callout) => callout.id)).toEqual([4, 8, 12]);
  });

  test.each(["chain", "response-chain"])("follows another: %s", async (name) => {
    const filter = await load({ auth: ({ path }) => ({ body: path === "/1" ? "/2" : path === "/2" ? "/3" : "" }) });
    const response = await filter.request(command(name), { upstream });
    expect(response).toHaveStatus(200);
    expect(messages(response.logs)).toEqual(["next /2", "next /3", "next "]);
    expect(response.callouts.map((callout) => callout.request.path)).toEqual(["/1", "/2", "/3"]);
  });

  test("has handlers with fields of their own", async () => {
    const filter = await load({ auth: () => ({}) });
    const response = await filter.request(command("handler"), { upstream });
    expect(messages(response.logs)).toEqual(["a 200, open 1", "b 200, open 0"]);
  });

  test("that nobody waits for is answered all the same, and its stream has gone", async () => {
    const filter = await load({
      auth: async ({ wait }) => {
        await wait(10);
        return {};
      },
    });
    const response = await filter.request(command("forget"), { upstream });
    expect(response).toHaveStatus(200);
    expect(response.logs).toEqual([]);
    expect(response.callouts[0]!.state).toBe("answered");
    expect(filter.rootTrace.events.at(-1)).toMatchObject({ name: "proxy_on_http_call_response" });
  });

  test("from on_log is the root context's affair", async () => {
    const filter = await load({ auth: ({ text }) => ({ body: text() }) });
    const response = await filter.request({ path: "/logged", ...command("log") }, { upstream });
    expect(response.callouts.map((callout) => callout.request.path)).toEqual(["/log", "/never"]);
    expect(messages(filter.rootTrace.logs)).toEqual(["logged 200 /logged"]);
  });
});

describe("time that passes for one exchange", () => {
  /** Takes real time. */
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  };
  const loadPatient = (milliseconds = 20_000): Promise<Filter> =>
    load({
      auth: async (request) => {
        await request.wait(milliseconds);
        return {};
      },
    });

  test.for([
    ["an upstream that takes real time", async () => (await turns(), { status: 201 })],
    [
      "a body that takes real time",
      () => ({
        status: 201,
        body: (async function* () {
          await turns();
          yield "piece";
          await turns();
        })(),
      }),
    ],
  ] as const)("does not run out for %s", async ([, slowly]) => {
    for (const order of [0, 1]) {
      const filter = await loadPatient();
      const patient = () => filter.request(command("patient"), { upstream });
      const quick = () => filter.request("/", { upstream: slowly });
      const answers = await Promise.all(order ? [quick(), patient()] : [patient(), quick()]);
      expect(answers.map(({ complete, details }) => [complete, details])).not.toContainEqual([
        expect.anything(),
        "response_timeout",
      ]);
      expect(answers[order ? 0 : 1]).toHaveStatus(201);
    }
  });

  test("passes for an exchange within an upstream too", async () => {
    const filter = await loadPatient(5000);
    const response = await filter.request("/", {
      upstream: async () => {
        const inner = await filter.request(command("patient"), { upstream });
        await filter.settle();
        return { status: inner.callouts[0]!.response!.status + 1 };
      },
    });
    expect(response).toHaveStatus(201);
  });
});

describe("a callout from a root context", () => {
  test("can be sent while the filter is configured", async () => {
    const filter = await load({ auth: () => ({ body: "settings" }) }, { config: "configure" });
    expect(messages(filter.rootTrace.logs)).toEqual(["status 0"]);
    await filter.settle();
    expect(messages(filter.rootTrace.logs)).toEqual(["status 0", "configure 1 200 settings"]);
    expect(filter.rootTrace.callouts[0]!.request.path).toBe("/configure");
  });

  test("can be sent from a tick", async () => {
    const filter = await load({ auth: ({ path }) => ({ body: path }) }, { config: "tick" });
    for (let i = 0; i < 2; i++) {
      (filter.clock as unknown as { advance(milliseconds: number): void }).advance(100);
      await filter.settle();
    }
    expect(messages(filter.rootTrace.logs)).toEqual(["tick 200 /tick/1", "tick 200 /tick/2"]);
  });

  test("is cancelled when the plugin goes", async () => {
    const filter = await load({ auth: () => null }, { config: "configure" });
    const callout = filter.pending("auth");
    filter.close();
    expect(callout.state).toBe("cancelled");
    expect(filter.callouts).toEqual([]);
    expect(() => callout.respond()).toThrow("callout 4 to auth is not pending any more: cancelled");
  });

  test("is cancelled too when on_delete has sent it", async () => {
    const { bytes } = await compileSource(`
      import { HttpCall, registerRootContext, RootContext } from "proxy-wasm/assembly";
      class R extends RootContext {
        override onDelete(): void {
          new HttpCall("auth").get("/last").send();
        }
      }
      registerRootContext("", () => new R());`);
    const filter = await loadFilter(bytes, { upstreams: { auth: () => null } });
    const { rootTrace } = filter;
    filter.close();
    expect(rootTrace.callouts.map(({ request, state }) => [request.path, state])).toEqual([["/last", "cancelled"]]);
  });
});

describe("a callout answered by hand", () => {
  test("reaches the filter at once", async () => {
    const filter = await load({ auth: () => null });
    const stream = filter.stream();
    expect(stream.requestHeaders(head("auth"), { endStream: true })).toPause();
    expect(stream).toHaveCalled("auth");
    expect(filter).toHaveCalled("auth", { headers: { "x-token": /^s/ } });
    stream.pending("auth").respond({ status: 200, body: "by hand" });
    expect(stream.paused).toBeNull();
    expect(stream.upstream.headers.get("x-called")).toBe("200 by hand");
    expect(() => stream.pending("auth")).toThrow('no callout to "auth" is pending; none is');
  });

  test("fails in Envoy's ways", async () => {
    const filter = await load({ auth: () => null });
    const failed = filter.stream();
    failed.requestHeaders(head("slow"));
    failed.pending("auth").fail("connection termination");
    expect(messages(failed.logs)[0]).toMatch(/^503 .*reset reason: connection termination/);
    const broken = filter.stream();
    broken.requestHeaders(head("slow"));
    broken.pending("auth").reset();
    expect(messages(broken.logs)).toEqual(["reset without a body"]);
  });

  test("may come after its stream has gone, and then nothing happens", async () => {
    const filter = await load({ auth: () => null });
    const stream = filter.stream();
    stream.requestHeaders(head("auth"));
    const callout = stream.pending("auth");
    stream.reset();
    callout.respond({ status: 200 });
    expect(stream.trace.events.findLast((event) => event.kind === "callback")).toMatchObject({
      name: "proxy_on_delete",
    });
    expect(filter.trap).toBeNull();
  });
});

describe("the SDK", () => {
  const imports = `import { Action, HttpCall, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";`;

  test("stops a filter that names another class, and says which", async () => {
    const { bytes } = await compileSource(`${imports}
      class Other extends HttpContext { n: i32 = 7; override onDone(): bool { return true; } }
      class F extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action {
          return this.pauseFor(this.httpCall<Other>(new HttpCall("auth"), (self, _response) => logInfo(self.n.toString())));
        }
      }
      if (memory.size() == 0) registerHttpContext(() => new Other());
      registerHttpContext(() => new F());`);
    const filter = await loadFilter(bytes, { upstreams: { auth: () => ({}) } });
    await filter.request("/", { upstream });
    expect(filter).toHaveTrapped("httpCall<Other> was called on another class");
  });

  test("gives a root context the answers to what it sent without a handler", async () => {
    const { bytes, exports } = await compileSource(`
      import { HttpCall, logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
      class R extends RootContext {
        override onConfigure(_size: u32): bool {
          const call = new HttpCall("auth").post("/raw", "body");
          logInfo((call.send() as i32).toString() + " " + call.id.toString());
          return true;
        }
        override onHttpCallResponse(callId: u32, headers: u32, bodySize: u32, trailers: u32): void {
          logInfo([callId, headers, bodySize, trailers].join(" "));
        }
      }
      registerRootContext("", () => new R());`);
    expect(exports).toContain("proxy_on_http_call_response");
    const filter = await loadFilter(bytes, { upstreams: { auth: ({ text }) => ({ body: text() }) } });
    await filter.settle();
    expect(messages(filter.rootTrace.logs)).toEqual(["0 4", "4 3 4 0"]);
  });

  test("exports the callback only where callouts are used", async () => {
    const { exports, imports: imported } = await compileSource(`${imports}
      class F extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action { return Action.Continue; }
      }
      registerHttpContext(() => new F());`);
    expect(exports).not.toContain("proxy_on_http_call_response");
    expect(imported).not.toContain("env.proxy_http_call");
  });

  test.each([
    ["--runtime", "incremental"],
    ["--runtime", "minimal"],
    ["--runtime", "stub"],
    ["--use", "GC_STRESS=2"],
  ])("works with %s %s", async (...flags) => {
    const { bytes } = await compileFilter("callouts", flags);
    const filter = await loadFilter(bytes, { upstreams: { auth: ({ path }) => ({ body: path }) } });
    const response = await filter.request(command("several"), { upstream });
    expect(response.upstream!.headers.get("x-called")).toBe("/several/1 /several/2 /several/3");
  });

  test.each([["proxy-wasm"], ["incremental"], ["minimal"]])(
    "keeps memory flat over many callouts, answered, refused or forgotten, with the runtime %s",
    async (runtime) => {
      const { bytes } = await compileFilter("callouts", ["--runtime", runtime]);
      // Most are never answered: what remains of them must go with their streams.
      const filter = await loadFilter(bytes, {
        upstreams: { auth: () => null, dead: null },
        limits: { calloutsPerCluster: 1_000_000 },
      });
      const round = (): number => {
        for (const name of ["auth", "dead", "unknown", "slow", "patient"]) {
          const stream = filter.stream();
          stream.requestHeaders(head(name), { endStream: true });
          if (name === "auth") stream.pending("auth").respond({ status: 401 });
          if (name === "slow") stream.pending("auth").reset();
          if (!stream.ended) stream.reset();
        }
        return memoryOf(filter);
      };
      for (let i = 0; i < 300; i++) round();
      const settled = memoryOf(filter);
      for (let i = 0; i < 1000; i++) round();
      expect(memoryOf(filter)).toBe(settled);
    },
  );

  test("survives a host that answers from within the call", async () => {
    const lines: string[] = [];
    const exports = await instantiate(compiled.bytes, lines, (call) => {
      call["proxy_on_http_call_response"]!(1, 0, 3, 2, 0);
      return 0;
    });
    exports["proxy_on_context_create"]!(2, 1);
    // What lets the request go on from within its callback makes that answer Continue.
    expect(exports["proxy_on_request_headers"]!(2, 5, 1)).toBe(0);
    expect(lines).toEqual(["200 hi"]);
    exports["proxy_on_http_call_response"]!(1, 0, 3, 2, 0);
    exports["proxy_on_delete"]!(2);
    expect(lines).toHaveLength(1);
  });

  test.each(Object.values(Status).filter((status) => typeof status === "number"))(
    "survives a host that answers every call with %i",
    async (status) => {
      for (const sent of [status, Status.Ok]) {
        const exports = await instantiate(compiled.bytes, [], () => sent, status);
        exports["proxy_on_context_create"]!(2, 1);
        exports["proxy_on_request_headers"]!(2, 5, 1);
        exports["proxy_on_http_call_response"]!(1, 0, 3, 2, 0);
        exports["proxy_on_http_call_response"]!(1, 77, 0, 0, 0);
        exports["proxy_on_delete"]!(2);
      }
    },
  );
});

/** A host of its own, which answers `:status` 200, the command `slow` and the body `hi`. */
async function instantiate(
  bytes: Uint8Array,
  lines: string[],
  httpCall: (exports: Record<string, (...args: number[]) => number>) => number,
  status: number = 0,
): Promise<Record<string, (...args: number[]) => number>> {
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  let memory!: WebAssembly.Memory;
  let exports!: Record<string, (...args: number[]) => number>;
  const text = (at: number, size: number): string => new TextDecoder().decode(new Uint8Array(memory.buffer, at, size));
  const give = (value: string, data: number, size: number): number => {
    const at = exports["malloc"]!(value.length);
    new Uint8Array(memory.buffer).set(new TextEncoder().encode(value), at);
    new DataView(memory.buffer).setUint32(data, at, true);
    new DataView(memory.buffer).setUint32(size, value.length, true);
    return 0;
  };
  const env: Record<string, (...args: number[]) => number> = {
    proxy_log: (_level, at, size) => (lines.push(text(at!, size!)), 0),
    proxy_get_header_map_value: (type, key, keySize, data, size) => {
      const name = text(key!, keySize!);
      if (type === 0 && name === "x-do") return give("slow", data!, size!);
      if (status) return status;
      return type === 6 && name === ":status" ? give("200", data!, size!) : 1;
    },
    proxy_get_buffer_bytes: (_type, _start, _most, data, size) => status || give("hi", data!, size!),
    proxy_http_call: () => httpCall(exports),
    proxy_continue_stream: (type) => (lines.push(`continue ${type}`), status),
  };
  const imports = WebAssembly.Module.imports(module).map(({ name }) => [name, env[name] ?? (() => status)] as const);
  const instance = new WebAssembly.Instance(module, { env: Object.fromEntries(imports) });
  exports = instance.exports as typeof exports;
  memory = instance.exports["memory"] as WebAssembly.Memory;
  exports["_initialize"]!();
  exports["proxy_on_context_create"]!(1, 0);
  exports["proxy_on_configure"]!(1, 0);
  return exports;
}

/** The pages of a filter's memory. */
function memoryOf(filter: Filter): number {
  const stream = filter.stream();
  stream.requestHeaders(head("memory"));
  stream.reset();
  return Number(stream.logs[0]!.message);
}

describe("the host", () => {
  /** Calls with what `data` holds, and logs status and id as bytes. */
  const calling = (options: { headers?: string; args?: string; functions?: string } = {}) =>
    filterWat({
      imports: hostCall("http_call", 10) + hostCall("log", 3) + hostCall("get_status", 3),
      data: `auth${options.headers ?? pairs([":method", "GET"], [":path", "/"], [":authority", "a"])}`,
      functions: `
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (i32.store (i32.const 2048) (i32.const 9))
          (i32.store (i32.const 2052)
            (call $http_call ${options.args ?? `(i32.const 16) (i32.const 4) (i32.const 20) (i32.const ${pairsSize(options.headers)}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 2048)`}))
          (i32.store8 (i32.const 2100) (i32.add (i32.const 48) (i32.load (i32.const 2052))))
          (i32.store8 (i32.const 2101) (i32.add (i32.const 48) (i32.load (i32.const 2048))))
          (drop (call $log (i32.const 2) (i32.const 2100) (i32.const 2)))
          (i32.const 1))
        ${options.functions ?? ""}`,
    });
  const full = pairs([":method", "GET"], [":path", "/"], [":authority", "a"]);
  const pairsSize = (text: string = full): number => text.replace(/\\../g, "x").length;
  const digit = (value: number): string => String.fromCharCode(48 + value);

  async function outcome(bytes: Uint8Array, upstreams: CalloutUpstreams): Promise<string> {
    const stream = (await loadFilter(bytes, { upstreams })).stream();
    stream.requestHeaders({ ":method": "GET" });
    stream.reset();
    return stream.logs[0]!.message;
  }

  test("numbers callouts 4, 8, 12, and writes the number", async () => {
    const filter = await loadFilter(calling(), { upstreams: { auth: () => null } });
    const streams = [1, 2, 3].map(() => filter.stream());
    for (const stream of streams) stream.requestHeaders({ ":method": "GET" });
    expect(streams.map((stream) => stream.logs[0]!.message)).toEqual([4, 8, 12].map((id) => `0${digit(id)}`));
    for (const stream of streams) stream.reset();
  });

  test("uses up a number for a callout that finds no host, and writes 0", async () => {
    const upstreams: Record<string, null | (() => null)> = { auth: null };
    const filter = await loadFilter(calling(), { upstreams });
    const refused = filter.stream();
    refused.requestHeaders({ ":method": "GET" });
    expect(refused.logs[0]!.message).toBe(`${digit(10)}0`);
    upstreams["auth"] = () => null;
    const accepted = filter.stream();
    accepted.requestHeaders({ ":method": "GET" });
    expect(accepted.logs[0]!.message).toBe(`0${digit(8)}`);
    accepted.reset();
  });

  const auth = { auth: () => null };
  const usual = `(i32.const 16) (i32.const 4) (i32.const 20) (i32.const ${pairsSize()}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)`;

  test("wants a cluster that it knows, and every header that a request needs", async () => {
    expect(await outcome(calling(), {})).toBe("20");
    for (const missing of [":method", ":path", ":authority"]) {
      const rest = [":method", ":path", ":authority"].filter((name) => name !== missing);
      const headers = pairs(...rest.map((name): [string, string] => [name, "/"]));
      expect(await outcome(calling({ headers }), auth)).toBe("20");
    }
    const host = pairs([":method", "GET"], [":path", "/"], ["host", "a"]);
    expect(await outcome(calling({ headers: host }), auth)).toBe(`0${digit(4)}`);
  });

  test("takes no negative timeout", async () => {
    expect(await outcome(calling({ args: `${usual} (i32.const -1) (i32.const 2048)` }), auth)).toBe("20");
    expect(await outcome(calling({ args: `${usual} (i32.const 2147483647) (i32.const 2048)` }), auth)).toBe("04");
  });

  test("checks addresses first, and sends nothing", async () => {
    const bytes = calling({ args: `${usual} (i32.const 500) (i32.const -1)` });
    expect(await outcome(bytes, auth)).toBe(`6${digit(9)}`);
    const filter = await loadFilter(bytes, { upstreams: auth });
    filter.stream().requestHeaders({ ":method": "GET" });
    expect(filter.callouts).toEqual([]);
    const outside = usual.replace("(i32.const 20)", "(i32.const -20)");
    expect(await outcome(calling({ args: `${outside} (i32.const 500) (i32.const 2048)` }), {})).toBe(`6${digit(9)}`);
  });

  test("keeps the status of a failure, without its words", async () => {
    const status = `
      (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
        (drop (call $get_status (i32.const 2048) (i32.const 2052) (i32.const 2056)))
        (i32.store8 (i32.const 2100) (i32.add (i32.const 48) (i32.load (i32.const 2048))))
        (drop (call $log (i32.const 2) (i32.const 2100) (i32.const 1)))
        (drop (call $log (i32.const 2) (i32.load (i32.const 2052)) (i32.load (i32.const 2056)))))`;
    const filter = await loadFilter(calling({ functions: status }), { upstreams: auth });
    const said = (end: (stream: ReturnType<Filter["stream"]>) => void): string[] => {
      const stream = filter.stream();
      stream.requestHeaders({ ":method": "GET" });
      const before = filter.rootTrace.logs.length;
      end(stream);
      return messages(filter.rootTrace.logs.slice(before));
    };
    expect(said((stream) => stream.pending("auth").respond())).toEqual(["0", ""]);
    expect(said((stream) => stream.pending("auth").reset())).toEqual([digit(11), "reset"]);
    expect(said((stream) => stream.pending("auth").respond())).toEqual([digit(11), ""]);
  });

  test("tells a failed filter nothing any more: the stream hangs", async () => {
    const functions = `(func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) unreachable)`;
    const filter = await loadFilter(calling({ functions }), { upstreams: auth });
    const [first, second] = [filter.stream(), filter.stream()];
    for (const stream of [first, second]) stream.requestHeaders({ ":method": "GET" });
    first.pending("auth").respond();
    expect(filter).toHaveTrapped("proxy_on_http_call_response");
    second.pending("auth").respond();
    expect([first.paused, second.paused]).toEqual(["request", "request"]);
    expect([first.localReply, second.localReply]).toEqual([null, null]);
  });
});

/** Headers in their wire form, as a WAT string. */
function pairs(...entries: [string, string][]): string {
  const number = (value: number): string => `\\${value.toString(16).padStart(2, "0")}\\00\\00\\00`;
  const sizes = entries.map(([name, value]) => number(name.length) + number(value.length)).join("");
  return number(entries.length) + sizes + entries.map(([name, value]) => `${name}\\00${value}\\00`).join("");
}
