// TCP connections, event by event. Expectations are what a running Envoy 1.40 did; envoy-tcp.test.ts compares both.

import { beforeAll, describe, expect, test } from "vitest";

import {
  type Filter,
  type FilterOptions,
  loadFilter,
  PeerType,
  StreamError,
  type TcpConnection,
  type VirtualClock,
} from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, compileSource, type Compiled, filterWat, hostCall } from "./support/compile.ts";
import { StubHost } from "./support/stub-host.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("tcp");
}, 60_000);

const load = (config: string, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(compiled.bytes, { config, ...options });
const messages = ({ logs }: { logs: readonly { message: string }[] }): string[] => logs.map(({ message }) => message);

async function connected(config: string, options: FilterOptions = {}): Promise<TcpConnection> {
  const connection = (await load(config, options)).connection();
  connection.connect();
  return connection;
}

describe("a connection", () => {
  test("lives from creation to deletion, in Envoy's order", async () => {
    const connection = await connected("pass");
    connection.downstreamData("abc");
    connection.upstreamData("defg", { endStream: true });
    connection.downstreamData("", { endStream: true });
    expect(messages(connection)).toEqual([
      "create",
      "new connection",
      "downstream 3 abc",
      "upstream 4 end defg",
      "upstream close 0",
      "downstream 0 end ",
      "downstream close 2",
      "done",
      "log",
      "delete",
    ]);
    expect(connection.upstream).toMatchObject({ text: "abc", ended: true, closed: true });
    expect(connection.downstream).toMatchObject({ text: "defg", ended: true, closed: true });
  });

  test("is closed by the proxy when the upstream ends last, or is gone", async () => {
    const ended = await connected("pass");
    ended.downstreamData("", { endStream: true });
    expect(messages(ended.upstreamData("", { endStream: true }))).toContain("downstream close 1");
    const gone = await connected("pass");
    expect(messages(gone.upstreamClose())).toEqual(["downstream close 1", "done", "log", "delete"]);
    expect(gone.closed).toBe(true);
  });

  test("ends when the client resets it, without the end of any data", async () => {
    const connection = await connected("pass");
    expect(messages(connection.downstreamClose())).toEqual(["downstream close 2", "done", "log", "delete"]);
    expect(connection.upstream).toMatchObject({ ended: false, closed: true });
    expect(connection.downstreamData("late").events).toEqual([]);
  });

  test("may be left alone by the root context", async () => {
    const connection = await connected("none");
    connection.downstreamData("abc");
    expect(connection.upstream.text).toBe("abc");
    expect(connection.logs).toEqual([]);
  });
});

describe("data that is held", () => {
  test("is shown again with what follows it, and goes on as one", async () => {
    const connection = await connected("pause-downstream");
    const first = connection.downstreamData("abc");
    expect(first).toPause();
    expect(first).toHaveLogged("info", "downstream 3 abc");
    expect(connection.paused).toEqual({ downstream: true, upstream: false });
    expect(connection.upstream.text).toBe("");
    const second = connection.downstreamData("go");
    expect(second).toContinue();
    expect(second).toHaveLogged("info", "downstream 5 abcgo");
    expect(connection.upstream.text).toBe("abcgo");
  });

  test("of the upstream cannot be continued: more must come", async () => {
    const connection = await connected("continue-paused-upstream");
    connection.upstreamData("abc");
    connection.upstreamData("def");
    expect(messages(connection)).toContain("upstream 6 abcdef");
    expect(connection.downstream.text).toBe("");
  });

  test("is lost when both sides have ended", async () => {
    const connection = await connected("pause-downstream");
    connection.downstreamData("abc", { endStream: true });
    connection.upstreamData("", { endStream: true });
    expect(connection.upstream).toMatchObject({ text: "", closed: true });
    expect(messages(connection)).toContain("downstream close 1");
  });

  test("can be rewritten and continued from a tick, and is not shown again", async () => {
    const filter = await load("tick-downstream");
    const connection = filter.connection();
    connection.connect();
    expect(connection.downstreamData("abc")).toPause();
    (filter.clock as VirtualClock).advance(20);
    expect(connection.upstream.text).toBe("tick");
    expect(connection.paused.downstream).toBe(false);
    expect(messages(connection).filter((line) => line.startsWith("downstream"))).toEqual(["downstream 3 abc"]);
  });

  test("is read no further beyond the limit", async () => {
    const connection = await connected("pause-downstream", { limits: { bufferBytes: 4 } });
    connection.downstreamData("abcdef");
    expect(connection.downstreamData("go").events).toEqual([]);
    expect(connection.upstream.text).toBe("");
  });
});

describe("a new connection that is held", () => {
  test("reads nothing, and has no upstream, until it is continued", async () => {
    const filter = await load("tick-new");
    const connection = filter.connection();
    expect(connection.connect()).toPause();
    expect(connection.connected).toBe(false);
    expect(connection.downstreamData("abc").events).toEqual([]);
    expect(() => connection.upstreamData("x")).toThrow(StreamError);
    (filter.clock as VirtualClock).advance(20);
    expect(connection.connected).toBe(true);
    expect(connection.upstream.text).toBe("abc");
    expect(messages(connection)).toEqual(["create", "new connection", "tick 0", "downstream 3 abc"]);
  });

  test("may be closed by the proxy", async () => {
    const connection = (await load("tick-new")).connection();
    connection.connect();
    expect(connection.downstreamClose(PeerType.Local)).toHaveLogged("info", "downstream close 1");
  });
});

describe("a filter", () => {
  test("changes data in both directions, also the empty end", async () => {
    const down = await connected("write-downstream");
    down.downstreamData("abc");
    down.downstreamData("", { endStream: true });
    expect(down.upstream).toMatchObject({ text: "[new ][new ]END", ended: true });
    const up = await connected("write-upstream");
    up.upstreamData("abc");
    expect(up.downstream.text).toBe("[new ]");
  });

  test.each(["close-downstream", "close-upstream-downstream"])("closes the connection: %s", async (mode) => {
    const connection = await connected(mode);
    const step = connection.downstreamData("abc");
    expect(messages(step)).toEqual(["downstream 3 abc", "closed 0", "downstream close 1", "done", "log", "delete"]);
    expect(connection.upstream).toMatchObject({ text: "", closed: true });
    expect(connection.downstream.closed).toBe(true);
  });

  test("has no headers to read, and nothing to read outside of its callbacks", async () => {
    const filter = await loadFilter(
      filterWat({
        imports: `${hostCall("get_header_map_value", 5)} ${hostCall("set_buffer_bytes", 5)} ${hostCall("continue_stream", 1)}`,
        functions: `(func (export "proxy_on_new_connection") (param i32) (result i32)
          (drop (call $get_header_map_value (i32.const 0) (i32.const 16) (i32.const 0) (i32.const 64) (i32.const 68)))
          (drop (call $set_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 0)))
          (drop (call $continue_stream (i32.const 0)))
          (drop (call $continue_stream (i32.const 3)))
          (i32.const 7))`,
      }),
    );
    const step = filter.connection().connect();
    expect(step.events.flatMap((event) => (event.kind === "call" ? [event.status] : []))).toEqual([2, 2, 0, 12]);
    expect(String(step.trace)).toContain("a TCP connection has no headers");
    expect(step).toPause();
  });
});

describe("a filter that traps", () => {
  test("closes its connection and every later one, and runs no more", async () => {
    const filter = await load("throw-downstream");
    const connection = filter.connection();
    connection.connect();
    const step = connection.downstreamData("abc");
    expect(messages(step).at(-1)).toContain("thrown on purpose");
    expect(connection.upstream).toMatchObject({ text: "", closed: true });
    const next = filter.connection();
    expect(next.connect().events).toEqual([]);
    expect(next.closed).toBe(true);
    expect(next.connected).toBe(false);
    expect(filter).toHaveTrapped("thrown on purpose");
  });

  test("is left out of new connections with the policy open", async () => {
    const filter = await load("throw-downstream", { failurePolicy: "open" });
    const failed = filter.connection();
    failed.connect();
    failed.downstreamData("abc");
    expect(failed.closed).toBe(true);
    const next = filter.connection();
    next.connect();
    next.downstreamData("abc");
    expect(next.upstream.text).toBe("abc");
  });

  test("lets its own connection go on with the deprecated fail_open", async () => {
    const connection = await connected("throw-downstream", { failurePolicy: "fail_open" });
    connection.downstreamData("abc");
    expect(connection.upstream.text).toBe("abc");
  });

  test("is loaded again with the policy reload", async () => {
    const filter = await load("throw-downstream", { failurePolicy: "reload" });
    const failed = filter.connection();
    failed.connect();
    failed.downstreamData("abc");
    (filter.clock as VirtualClock).advance(1000);
    const next = filter.connection();
    expect(messages(next.connect())).toEqual(["create", "new connection"]);
  });
});

describe("a module", () => {
  const http = `class Http extends HttpContext {
    constructor() { super(); logInfo("http"); }
    override onRequestBody(_size: u32, _endOfStream: bool): Action { logInfo("body"); return Action.Continue; }
    override onLog(): void { logInfo("http log"); }
  }`;
  const tcp = `class Tcp extends StreamContext {
    constructor() { super(); logInfo("tcp"); }
    override onDownstreamData(_size: u32, _endOfStream: bool): Action { logInfo("data"); return Action.Continue; }
    override onLog(): void { logInfo("tcp log"); }
  }`;
  const imports = `import { Action, HttpContext, logInfo, registerHttpContext, registerRootContext,
    registerStreamContext, RootContext, StreamContext } from "proxy-wasm/assembly";`;

  test.each([
    ["short forms", "registerStreamContext(() => new Tcp()); registerHttpContext(() => new Http());"],
    [
      "one root context",
      `class Root extends RootContext {
        override createStreamContext(): StreamContext | null { return new Tcp(); }
        override createHttpContext(): HttpContext | null { return new Http(); }
      }
      registerRootContext("", () => new Root());`,
    ],
  ])("that serves HTTP and TCP makes the context that a stream needs, and only that: %s", async (_, registration) => {
    for (const flags of ["--runtime proxy-wasm", "--runtime incremental", "--runtime minimal", "--use GC_STRESS=2"]) {
      const both = await compileSource(`${imports} ${http} ${tcp} ${registration}`, flags.split(" "));
      const filter = await loadFilter(both.bytes);
      const connection = filter.connection();
      connection.connect();
      connection.downstreamData("abc");
      connection.downstreamClose();
      expect(messages(connection)).toEqual(["tcp", "data", "tcp log"]);
      const stream = filter.stream();
      stream.requestHeaders({ ":method": "POST", ":path": "/", ":authority": "a" });
      stream.requestBody("abc");
      stream.reset();
      expect(messages(stream)).toEqual(["http", "body", "http log"]);
      // Both go through their lives once more, so that the first ones were forgotten properly.
      const another = filter.connection();
      another.connect();
      expect(messages(another)).toEqual(["tcp"]);
    }
  });

  test("that serves one of them with root contexts that may say no makes nothing for it", async () => {
    const source = `class Root extends RootContext {
        override createStreamContext(): StreamContext | null { return null; }
        override createHttpContext(): HttpContext | null { return new Http(); }
      }
      registerRootContext("", () => new Root());`;
    const filter = await loadFilter((await compileSource(`${imports} ${http} ${source}`)).bytes);
    const connection = filter.connection();
    connection.connect();
    connection.downstreamData("abc");
    connection.downstreamClose();
    expect(connection.logs).toEqual([]);
    expect(connection.upstream.text).toBe("abc");
  });

  test("that serves one kind is announced nothing of the other", async () => {
    const onlyTcp = await compileSource(`${imports} ${tcp} registerStreamContext(() => new Tcp());`);
    const callbacks = (names: string[]): string[] => names.filter((name) => /^proxy_on_(?!memory)/.test(name)).sort();
    expect(callbacks(onlyTcp.exports)).toEqual([
      "proxy_on_configure",
      "proxy_on_context_create",
      "proxy_on_delete",
      "proxy_on_downstream_data",
      "proxy_on_log",
      "proxy_on_vm_start",
    ]);
    const connection = (await loadFilter(onlyTcp.bytes)).connection();
    connection.connect();
    expect(messages(connection.downstreamData("x"))).toEqual(["data"]);
  });

  test("that overrides nothing in a stream context is warned of", async () => {
    const idle = await compileSource(`${imports} class Idle extends StreamContext {}
      registerStreamContext(() => new Idle());`);
    expect(idle.stderr).toContain("class Idle overrides no callback");
  });
});

describe("a host", () => {
  const modes = ["pass", "pause-downstream", "write-downstream", "write-upstream", "close-downstream", "tick-upstream"];

  function connection(host: StubHost, id: number): void {
    host.call("proxy_on_context_create", id, 1);
    host.call("proxy_on_new_connection", id);
    host.call("proxy_on_downstream_data", id, 3, 0);
    host.call("proxy_on_upstream_data", id, 3, 1);
    host.call("proxy_on_upstream_connection_close", id, 0);
    host.call("proxy_on_tick", 1);
    host.call("proxy_on_downstream_connection_close", id, 2);
    for (const name of ["done", "log", "delete"]) host.call(`proxy_on_${name}`, id);
    // Late, and of a connection that never was.
    host.call("proxy_on_downstream_data", id, 3, 0);
    host.call("proxy_on_new_connection", id + 100_000);
  }

  test.each(modes)("that answers anything to anything stops no filter: %s", (mode) => {
    const host = new StubHost(compiled.bytes, mode);
    for (host.status = 0; host.status < 40; host.status++) connection(host, host.status + 2);
  });

  test.each(modes)("sees flat memory: %s", (mode) => {
    const host = new StubHost(compiled.bytes, mode);
    host.content = new TextEncoder().encode("some data");
    for (let id = 2; id < 2000; id++) connection(host, id);
    const before = host.memorySize;
    for (let id = 2000; id < 20_000; id++) connection(host, id);
    expect(host.memorySize).toBe(before);
  });
});
