// gRPC callouts, on the host and from the SDK. Expectations are what a running Envoy 1.40 did.

import { beforeAll, describe, expect, test } from "vitest";

import {
  type Filter,
  type FilterOptions,
  type GrpcCallout,
  GrpcStatus,
  type GrpcUpstreams,
  loadFilter,
  Status,
  UpstreamError,
  VirtualClock,
} from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

const upstream = () => ({ body: "ok" });
const messages = (entries: readonly { message: string }[]): string[] => entries.map((entry) => entry.message);
const head = (command: string) => ({ ":method": "GET", ":path": "/p", ":authority": "a", "x-do": command });

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("grpc");
});

const load = (grpc: GrpcUpstreams, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(compiled.bytes, { grpc, ...options });

/** The log of a request that makes the filter do this. */
async function said(command: string, grpc: GrpcUpstreams): Promise<string[]> {
  const filter = await load(grpc);
  return messages((await filter.request({ path: "/p", headers: { "x-do": command } }, { upstream })).logs);
}

describe("a gRPC call", () => {
  test("holds the request until it is answered", async () => {
    const filter = await load({ greeter: (call) => ({ message: `hello ${call.text()}` }) });
    const response = await filter.request({ headers: { "x-do": "call greeter Greet" } }, { upstream });
    expect(response).toHaveStatus(200);
    expect(messages(response.logs)).toEqual(["call 0", "ok 8 hello me"]);
    expect(response.grpcCalls.map(({ id, service, method, result }) => ({ id, service, method, result }))).toEqual([
      { id: 5, service: "acme.Greeter", method: "Greet", result: { status: 0, message: "via_upstream" } },
    ]);
  });

  test("arrives as Envoy sends it", async () => {
    let seen: GrpcCallout | undefined;
    const greeter = (call: GrpcCallout) => {
      seen = call;
      return { message: "" };
    };
    await said("call greeter Greet", { greeter });
    expect(seen!.metadata.entries()).toEqual([
      [":method", "POST"],
      [":path", "/acme.Greeter/Greet"],
      [":authority", "greeter"],
      [":scheme", "http"],
      ["te", "trailers"],
      ["grpc-timeout", "300m"],
      ["content-type", "application/grpc"],
      ["x-token", "secret"],
      ["x-token", "again"],
      ["x-envoy-internal", "true"],
      ["x-envoy-expected-rq-timeout-ms", "300"],
    ]);
  });

  test("without a limit is given as much time as can be", async () => {
    let timeout: string | null = "";
    const answer = (call: GrpcCallout) => {
      timeout = call.metadata.get("grpc-timeout");
      return { message: "" };
    };
    expect(await said("call greeter Patient", { greeter: answer })).toEqual(["call 0", "ok 0 "]);
    expect(timeout).toBe("2147483S");
  });

  test.each<[string, Parameters<GrpcCallout["end"]>[0], string]>([
    [
      "a status with words",
      { status: GrpcStatus.PermissionDenied, statusMessage: "no way ü" },
      "7 no way %C3%BC{via_upstream}",
    ],
    ["a status without words", { status: GrpcStatus.PermissionDenied }, "7 via_upstream"],
    ["a status that there is not", { status: 99 as GrpcStatus, statusMessage: "x" }, "-1 x{via_upstream}"],
    ["no message", {}, "13 "],
    ["another language", { httpStatus: 404 }, "12 via_upstream"],
  ])("can be answered with %s", async (_name, answer, expected) => {
    expect(await said("call greeter Greet", { greeter: () => answer })).toEqual(["call 0", `status ${expected}`]);
  });

  test("is told that the connection failed, or that its time is over", async () => {
    const failing = { greeter: () => Promise.reject(new UpstreamError("remote reset")) };
    const why = "upstream connect error or disconnect/reset before headers. reset reason: remote reset";
    expect(await said("call greeter Greet", failing)).toEqual([
      "call 0",
      `status 14 ${why}{upstream_reset_before_response_started{remote_reset}}`,
    ]);
    expect(await said("call greeter Greet", { greeter: () => null })).toEqual([
      "call 0",
      "status 14 upstream request timeout{response_timeout}",
    ]);
  });

  test("is refused by a cluster without a host, or that is not there", async () => {
    expect(await said("call dead Greet", { dead: null })).toEqual(["call 10"]);
    expect(await said("call nowhere Greet", { greeter: () => null })).toEqual([
      "proxy_grpc_call answered ParseFailure",
      "call 4",
    ]);
    const filter = await load({ dead: null });
    expect(await filter.request({ headers: { "x-do": "call dead Greet" } }, { upstream })).toHaveRepliedLocally(503);
  });

  test("goes to a cluster whose name Envoy would take for a message", async () => {
    for (const name of ["users", "email", "analytics", "st", "Rx"]) {
      expect(await said(`call ${name} Greet`, { [name]: () => ({ message: name }) })).toEqual([
        "call 0",
        `ok ${name.length} ${name}`,
      ]);
    }
  });

  test("can be sent from a root context, holds a response, has handlers with fields", async () => {
    const greeter = (call: GrpcCallout) => ({ message: `hello ${call.text()}` });
    const filter = await load({ greeter }, { config: "configure" });
    await filter.settle();
    expect(messages(filter.rootTrace.logs)).toEqual(["configure ok 10 hello root"]);
    expect(await said("response", { greeter })).toEqual(["call 0", "ok 8 hello me"]);
    expect(await said("handler", { greeter })).toEqual(["named ok 6 hello "]);
  });
});

describe("a gRPC stream", () => {
  test("talks both ways until the server ends it", async () => {
    const greeter = (call: GrpcCallout): void => {
      call.start({ "x-from": "server" });
      call.send("first");
      call.onMessage((message) => {
        const text = new TextDecoder().decode(message);
        if (text === "you said first") call.send("last");
        if (text === "bye") call.end({ trailers: { "x-trailer": "t" } });
      });
    };
    const filter = await load({ greeter });
    const response = await filter.request({ path: "/p", headers: { "x-do": "stream greeter Talk" } }, { upstream });
    expect(messages(response.logs)).toEqual([
      "stream 0 send 0",
      "initial 3 server /p",
      "message first",
      "message last",
      "trailing 2 t",
      "closed 0 via_upstream",
    ]);
    const [call] = response.grpcCalls;
    expect(call!.id).toBe(6);
    expect(call!.messages.map((message) => new TextDecoder().decode(message))).toEqual([
      "hello",
      "you said first",
      "bye",
    ]);
    expect(filter.grpcCalls).toEqual([]);
    expect(response).toHaveCalled("greeter", {
      path: "/acme.Greeter/Talk",
      headers: { "x-token": "secret" },
      body: "bye",
    });
    expect(response).not.toHaveCalled("greeter", { path: "/acme.Greeter/Greet" });
  });

  test("can be closed by the filter, and hears the rest", async () => {
    const greeter = (call: GrpcCallout): void => {
      call.send("close me");
      call.onEnd(() => {
        call.send("after");
        call.end({ status: GrpcStatus.InvalidArgument, statusMessage: "three" });
      });
    };
    expect(await said("stream greeter Talk", { greeter })).toEqual([
      "stream 0 send 0",
      "initial 2 nobody /p",
      "message close me",
      "close 0 2",
      "message after",
      "trailing 2 none",
      "closed 3 three{via_upstream}",
    ]);
  });

  test("can be cancelled by the filter, and hears nothing more", async () => {
    let call: GrpcCallout | undefined;
    const greeter = (one: GrpcCallout): void => {
      call = one;
      one.send("cancel me");
    };
    expect((await said("stream greeter Talk", { greeter })).slice(-2)).toEqual(["cancel 0 1", "closed true send 2"]);
    expect(call!.state).toBe("cancelled");
    expect(call!.signal.aborted).toBe(true);
    expect(() => call!.send("late")).toThrow("gRPC stream 6 to greeter is not open any more: cancelled");
  });

  test.each<[string, (call: GrpcCallout) => void, string[]]>([
    [
      "at once",
      (call) => call.end({ status: GrpcStatus.NotFound, statusMessage: "not there" }),
      ["initial 0 nobody /p", "trailing 4 none", "closed 5 not there{via_upstream}"],
    ],
    [
      "in another language",
      (call) => call.end({ httpStatus: 500 }),
      ["initial 0 nobody /p", "trailing 0 none", "closed 2 via_upstream"],
    ],
    [
      "without a connection",
      (call) => call.fail(),
      [
        "initial 0 nobody /p",
        "trailing 4 none",
        "closed 14 upstream connect error or disconnect/reset before headers. reset reason: remote connection failure{upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}}",
      ],
    ],
    [
      "in the middle",
      (call) => (call.start(), call.fail("remote reset")),
      ["initial 2 nobody /p", "trailing 0 none", "closed 13 upstream_reset_after_response_started{remote_reset}"],
    ],
  ])("may fail %s", async (_name, greeter, expected) => {
    expect(await said("stream greeter Talk", { greeter })).toEqual(["stream 0 send 0", ...expected]);
  });

  test("is refused by a cluster without a host, and its handler hears nothing", async () => {
    const filter = await load({ dead: null });
    const response = await filter.request({ headers: { "x-do": "stream dead Talk" } }, { upstream });
    expect(response).toHaveRepliedLocally(503);
    expect(messages(response.logs)).toEqual(["stream 10 send 2"]);
    const heard = filter.rootTrace.events.flatMap((event) => (event.kind === "callback" ? [event] : []));
    expect(heard.map(({ name, args }) => `${name} ${args.join(" ")}`).slice(-3)).toEqual([
      "proxy_on_grpc_receive_initial_metadata 1 6 0",
      "proxy_on_grpc_receive_trailing_metadata 1 6 4",
      "proxy_on_grpc_close 1 6 14",
    ]);
  });

  test("can be played by hand", async () => {
    const filter = await load({ greeter: () => null });
    const stream = filter.stream();
    expect(stream.requestHeaders(head("stream greeter Talk"))).toPause();
    const call = stream.pendingGrpc("greeter");
    expect(filter.pendingGrpc("greeter")).toBe(call);
    call.send("one");
    expect(call.text()).toBe("you said one");
    call.send("last");
    expect(call.halfClosed).toBe(true);
    call.end();
    expect(stream.paused).toBeNull();
    expect(() => stream.pendingGrpc("greeter")).toThrow('no gRPC call to "greeter" is pending; none is');
  });

  test("goes with its context, as a call does", async () => {
    const filter = await load({ greeter: () => null });
    const stream = filter.stream();
    stream.requestHeaders(head("forget"));
    expect(filter.grpcCalls.map(({ id }) => id)).toEqual([5, 6]);
    stream.reset();
    expect(stream.grpcCalls.map(({ state }) => state)).toEqual(["cancelled", "cancelled"]);
    expect(filter.grpcCalls).toEqual([]);
    const later = filter.stream();
    later.requestHeaders(head("late"));
    expect(messages(later.logs)).toEqual(["closed true send 2"]);
  });

  test("is cancelled when the plugin goes", async () => {
    const filter = await load({ greeter: () => null }, { config: "configure" });
    const call = filter.pendingGrpc("greeter");
    filter.close();
    expect(call.state).toBe("cancelled");
  });
});

describe("the SDK", () => {
  test("exports the callbacks only where they are used", async () => {
    const source = (body: string) => `
      import { Action, GrpcCall, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      class F extends HttpContext {
        override onRequestHeaders(_count: u32, _end: bool): Action { ${body} }
      }
      registerHttpContext(() => new F());`;
    const unused = await compileSource(source("return Action.Continue;"));
    expect(unused.exports.filter((name) => name.includes("grpc"))).toEqual([]);
    const call = await compileSource(
      source(
        `return this.pauseFor(this.grpcCall<F>(new GrpcCall("c", "s", "m"), (self, _response) => { self.resume(); }));`,
      ),
    );
    expect(call.exports.filter((name) => name.includes("grpc"))).toEqual([
      "proxy_on_grpc_receive",
      "proxy_on_grpc_close",
    ]);
  });

  test.each([
    ["--runtime", "incremental"],
    ["--runtime", "minimal"],
    ["--runtime", "stub"],
    ["--use", "GC_STRESS=2"],
  ])("works with %s %s", async (...flags) => {
    const { bytes } = await compileFilter("grpc", flags);
    const filter = await loadFilter(bytes, { grpc: { greeter: (call) => ({ message: call.text() }) } });
    const response = await filter.request({ headers: { "x-do": "call greeter Greet" } }, { upstream });
    expect(messages(response.logs)).toEqual(["call 0", "ok 2 me"]);
  });

  test.each([["proxy-wasm"], ["incremental"], ["minimal"]])(
    "keeps memory flat with the runtime %s",
    async (runtime) => {
      const { bytes } = await compileFilter("grpc", ["--runtime", runtime]);
      const filter = await loadFilter(bytes, { grpc: { greeter: () => null, dead: null } });
      const memoryOf = (): number => {
        const stream = filter.stream();
        stream.requestHeaders(head("memory"));
        stream.reset();
        return Number(stream.logs[0]!.message);
      };
      const round = (): void => {
        for (const command of [
          "call greeter Greet",
          "stream greeter Talk",
          "stream dead Talk",
          "forget",
          "call nowhere X",
        ]) {
          const stream = filter.stream();
          stream.requestHeaders(head(command));
          if (command.startsWith("call greeter")) stream.pendingGrpc("greeter").end({ message: "m" });
          if (command.startsWith("stream greeter")) stream.pendingGrpc("greeter").end({ message: "last" });
          if (!stream.ended) stream.reset();
        }
      };
      for (let i = 0; i < 300; i++) round();
      const settled = memoryOf();
      for (let i = 0; i < 700; i++) round();
      expect(memoryOf()).toBe(settled);
      expect(filter.grpcCalls).toEqual([]);
    },
  );

  test.each(["call greeter Greet", "stream greeter Talk"])(
    "survives a host that answers every host call with any status, or from within: %s",
    async (command) => {
      for (const status of Object.values(Status).filter((one) => typeof one === "number")) {
        for (const fromWithin of [false, true]) {
          const exports = lyingHost(compiled.bytes, command, status, fromWithin);
          for (const id of [0, 5, 6, 77]) {
            exports["proxy_on_grpc_receive_initial_metadata"]!(1, id, 1);
            exports["proxy_on_grpc_receive"]!(1, id, 1);
            exports["proxy_on_grpc_receive_trailing_metadata"]!(1, id, 1);
            exports["proxy_on_grpc_close"]!(1, id, 3);
          }
          exports["proxy_on_delete"]!(2);
        }
      }
    },
  );
});

/** A filter in a host that answers one status to everything but what it is asked to do, on stream 2. */
function lyingHost(
  bytes: Uint8Array,
  command: string,
  status: number,
  fromWithin: boolean,
): Record<string, (...args: number[]) => number> {
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  const giveCommand = (...[, , , data, size]: number[]): number => {
    const at = exports["malloc"]!(command.length);
    new Uint8Array(memory.buffer).set(new TextEncoder().encode(command), at);
    new DataView(memory.buffer).setUint32(data!, at, true);
    new DataView(memory.buffer).setUint32(size!, command.length, true);
    return 0;
  };
  const start = (): number => {
    if (fromWithin) exports["proxy_on_grpc_receive"]!(1, 9, 1);
    if (fromWithin) exports["proxy_on_grpc_close"]!(1, 9, 1);
    return 0;
  };
  const env: Record<string, (...args: number[]) => number> = {};
  for (const { name } of WebAssembly.Module.imports(module)) env[name] = () => status;
  Object.assign(env, { proxy_get_header_map_value: giveCommand, proxy_grpc_call: start, proxy_grpc_stream: start });
  const instance = new WebAssembly.Instance(module, { env });
  const exports = instance.exports as Record<string, (...args: number[]) => number>;
  const memory = instance.exports["memory"] as unknown as WebAssembly.Memory;
  exports["_initialize"]!();
  exports["proxy_on_context_create"]!(1, 0);
  exports["proxy_on_context_create"]!(2, 1);
  exports["proxy_on_request_headers"]!(2, 5, 1);
  return exports;
}

describe("the host", () => {
  const imports =
    hostCall("grpc_call", 12) +
    hostCall("grpc_stream", 9) +
    hostCall("grpc_send", 4) +
    hostCall("grpc_cancel", 1) +
    hostCall("grpc_close", 1) +
    hostCall("http_call", 10) +
    hostCall("log", 3);
  const text = (at: number, size: number): string => `(i32.const ${at}) (i32.const ${size})`;
  /** Logs the statuses of these calls, a digit each from "0" on. */
  const calling = (calls: string[], data: string = "greeter") =>
    filterWat({
      imports,
      data,
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        ${calls.map((call, i) => `(i32.store8 (i32.const ${2100 + i}) (i32.add (i32.const 48) ${call}))`).join("\n")}
        (drop (call $log (i32.const 2) (i32.const 2100) (i32.const ${calls.length})))
        (i32.const 1))
        (func (export "proxy_on_grpc_close") (param i32 i32 i32))`,
    });
  const stream = (size = 7) =>
    `(call $grpc_stream ${text(16, size)} ${text(16, 1)} ${text(16, 1)} ${text(0, 0)} (i32.const 2048))`;
  const unary = `(call $grpc_call ${text(16, 7)} ${text(16, 1)} ${text(16, 1)} ${text(0, 0)} ${text(16, 1)} (i32.const 0) (i32.const 2052))`;
  const load = async (calls: string[], data?: string) => {
    const filter = await loadFilter(calling(calls, data), { grpc: { greeter: () => null } });
    const one = filter.stream();
    one.requestHeaders({ ":method": "GET" });
    return { filter, stream: one, statuses: [...one.logs[0]!.message].map((digit) => digit.charCodeAt(0) - 48) };
  };
  const send = (id: string) => `(call $grpc_send ${id} ${text(16, 1)} (i32.const 0))`;

  test("tells the kinds of calls apart, and unknown ones", async () => {
    const { statuses } = await load([
      unary,
      stream(),
      send("(i32.const 4)"),
      send("(i32.load (i32.const 2052))"),
      send("(i32.load (i32.const 2048))"),
      send("(i32.const 998)"),
      "(call $grpc_close (i32.const 4))",
      "(call $grpc_cancel (i32.const 9))",
      "(call $grpc_close (i32.const 998))",
      "(call $grpc_close (i32.load (i32.const 2052)))",
      "(call $grpc_cancel (i32.load (i32.const 2052)))",
      "(call $grpc_cancel (i32.load (i32.const 2048)))",
      "(call $grpc_cancel (i32.load (i32.const 2048)))",
      send("(i32.load (i32.const 2048))"),
    ]);
    expect(statuses).toEqual([0, 0, 2, 2, 0, 1, 2, 1, 1, 0, 1, 0, 1, 1]);
  });

  test("keeps a stream that the server has closed until the filter has", async () => {
    const calls = [send("(i32.const 6)"), "(call $grpc_cancel (i32.const 6))", "(call $grpc_cancel (i32.const 6))"];
    const bytes = filterWat({
      imports,
      data: "greeter",
      functions: `
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (drop ${stream()}) (i32.const 1))
        (func (export "proxy_on_grpc_close") (param i32 i32 i32)
          ${calls.map((call, i) => `(i32.store8 (i32.const ${2100 + i}) (i32.add (i32.const 48) ${call}))`).join("\n")}
          (drop (call $log (i32.const 2) (i32.const 2100) (i32.const 3))))`,
    });
    const filter = await loadFilter(bytes, { grpc: { greeter: () => null } });
    const one = filter.stream();
    one.requestHeaders({ ":method": "GET" });
    one.pendingGrpc("greeter").end();
    expect(messages(filter.rootTrace.logs)).toEqual(["001"]);
  });

  test("wants addresses inside, and writes the number only when all is well", async () => {
    const bad = `(call $grpc_stream (i32.const -8) (i32.const 7) ${text(16, 1)} ${text(16, 1)} ${text(0, 0)} (i32.const 2048))`;
    const nowhere = stream(3);
    const { filter, statuses } = await load([bad, nowhere, "(i32.load (i32.const 2048))"]);
    expect(statuses).toEqual([6, 4, 0]);
    expect(filter.grpcCalls).toEqual([]);
  });

  test("says that a real Envoy ends for a name that happens to be a message", async () => {
    await expect(load([stream(5)], "users")).rejects.toThrow(/panic: unset oneof/);
    await expect(load([stream(0)])).rejects.toThrow(/panic: unset oneof/);
  });

  test("gives a function that waits for the clock its time", async () => {
    const clock = new VirtualClock();
    const filter = await loadFilter(compiled.bytes, {
      clock,
      grpc: {
        greeter: async (call) => {
          await call.wait(200);
          return { message: "late" };
        },
      },
    });
    const before = clock.now();
    const { logs } = await filter.request({ headers: { "x-do": "call greeter Greet" } }, { upstream });
    expect(messages(logs)).toEqual(["call 0", "ok 4 late"]);
    expect(clock.now() - before).toBe(200_000_000n);
  });
});
