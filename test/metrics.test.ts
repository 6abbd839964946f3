// Metrics: the SDK's classes and the host's rules.

import { beforeAll, describe, expect, test } from "vitest";

import { loadFilter, Status } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

const upstream = () => ({ body: "ok" });

describe("a filter's metrics", () => {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compileFilter("metrics");
  });

  const load = () => loadFilter(compiled.bytes);

  test("stand in the proxy under their names", async () => {
    const filter = await load();
    await filter.request({ headers: { "x-do": "count" } }, { upstream });
    await filter.request({ headers: { "x-do": "count" } }, { upstream });
    expect(filter.metric("requests")).toMatchObject({ kind: "counter", value: 2, statName: "wasmcustom.requests" });
    expect(filter.metric("wasmcustom.requests").exactValue).toBe(2n);
    expect(filter.metrics.map((metric) => metric.name)).toEqual(["configured", "requests", "streams.open"]);
  });

  test("are there before they are used when they were defined", async () => {
    expect((await load()).metric("requests").value).toBe(0);
  });

  test("that nobody defined are missed with a list of those that are", async () => {
    const filter = await load();
    expect(() => filter.metric("request")).toThrow('there is no metric "request"; defined are: configured, requests');
  });

  test("go up by more than one, by nothing, and not by what the ABI takes for a negative number", async () => {
    const filter = await load();
    const send = async (command: string) => (await filter.request({ headers: { "x-do": command } }, { upstream })).logs;
    expect((await send("add"))[0]!.message).toBe("0 1000");
    expect((await send("nothing"))[0]!.message).toBe("0 1000");
    expect((await send("too much")).map((line) => line.message)).toEqual([
      "proxy_increment_metric answered BadArgument",
      "true",
    ]);
  });

  test("go up and down, below zero too, when they are gauges", async () => {
    const filter = await load();
    const { logs } = await filter.request({ headers: { "x-do": "gauge" } }, { upstream });
    expect(logs.map((line) => line.message)).toEqual(["-15", "42"]);
    expect(filter.metric("level").value).toBe(42);
    expect(filter.metric("streams.open").value).toBe(0);
  });

  test("collect samples when they are histograms", async () => {
    const filter = await load();
    for (let i = 0; i < 3; i++) await filter.request({ headers: { "x-do": "sample" } }, { upstream });
    expect(filter.metric("sizes")).toMatchObject({ kind: "histogram", count: 3, value: 21, samples: [7, 7, 7] });
  });

  test("are defined once, however often an object is made", async () => {
    const filter = await load();
    let definitions = 0;
    for (const code of ["200", "404", "200", "200", "404"]) {
      const { trace } = await filter.request({ headers: { "x-code": code } }, { upstream });
      definitions += trace.events.filter(
        (event) => event.kind === "call" && event.name === "proxy_define_metric",
      ).length;
    }
    // streams.open and one for each of the two codes
    expect(definitions).toBe(3);
    expect(filter.metric("way=.=in;.;code=.=200;.;responses").value).toBe(3);
    expect(filter.metric("way=.=in;.;code=.=404;.;responses").value).toBe(2);
  });

  test("are shared by the workers", async () => {
    const filter = await load();
    const other = filter.worker();
    await filter.request({ headers: { "x-do": "count" } }, { upstream });
    await other.request({ headers: { "x-do": "count" } }, { upstream });
    expect(filter.metric("requests").value).toBe(2);
    expect(filter.metric("configured").value).toBe(2);
  });

  test.each(["minimal", "stub", "incremental"])("work with the runtime %s", async (runtime) => {
    const filter = await loadFilter((await compileFilter("metrics", ["--runtime", runtime])).bytes);
    for (let i = 0; i < 500; i++) {
      await filter.request({ headers: { "x-do": "count", "x-code": String(200 + (i % 3)) } }, { upstream });
    }
    expect(filter.metric("requests").value).toBe(500);
    expect(filter.metric("way=.=in;.;code=.=200;.;responses").value).toBe(167);
  });
});

test("a host without metrics is said once, and values are 0", async () => {
  const { bytes } = await compileSource(`
    import { Counter, Gauge, HttpContext, Action, logInfo, registerHttpContext } from "proxy-wasm/assembly";
    class Filter extends HttpContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        const gauge = new Gauge("g");
        logInfo(new Counter("c").increment().toString() + gauge.record(7).toString() + gauge.value.toString());
        return Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`);
  const lines: string[] = [];
  const env = {
    proxy_log: (_level: number, at: number, size: number) => {
      const memory = exports["memory"] as WebAssembly.Memory;
      lines.push(Buffer.from(memory.buffer, at, size).toString());
      return 0;
    },
    proxy_define_metric: () => 12,
    proxy_increment_metric: () => 0,
    proxy_record_metric: () => 0,
    proxy_get_metric: () => 0,
  };
  const { instance } = await WebAssembly.instantiate(Uint8Array.from(bytes), { env });
  const { exports } = instance;
  const call = (name: string, ...args: number[]) => (exports[name] as (...args: number[]) => number)(...args);
  call("_initialize");
  call("proxy_on_context_create", 1, 0);
  call("proxy_on_context_create", 2, 1);
  call("proxy_on_request_headers", 2, 1, 1);
  call("proxy_on_request_headers", 2, 1, 1);
  expect(lines).toEqual(["proxy_define_metric answered Unimplemented", "12120", "12120"]);
});

test("a filter without metrics has nothing of them", async () => {
  const { imports } = await compileSource(`
    import { HttpContext, Action, registerHttpContext } from "proxy-wasm/assembly";
    class Filter extends HttpContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }
    }
    registerHttpContext(() => new Filter());`);
  expect(imports).toEqual(["env.proxy_log"]);
});

describe("the host's metrics", () => {
  /** Calls in a request, with the name "name" at 16; gives what each answered, and then the long word at 128. */
  async function statuses(...calls: string[]): Promise<{ answers: Status[]; reasons: (string | undefined)[] }> {
    const filter = await loadFilter(
      filterWat({
        imports: `${hostCall("define_metric", 4)}
          (import "env" "proxy_increment_metric" (func $increment_metric (param i32 i64) (result i32)))
          (import "env" "proxy_record_metric" (func $record_metric (param i32 i64) (result i32)))
          ${hostCall("get_metric", 2)}`,
        data: "name",
        functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          ${calls.map((call) => `(drop ${call})`).join("\n")} (i32.const 0))`,
      }),
    );
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET" });
    const events = stream.trace.events.flatMap((event) => (event.kind === "call" ? [event] : []));
    return { answers: events.map((event) => event.status), reasons: events.map((event) => event.reason) };
  }

  const define = (type: number, at = 16, out = 128): string =>
    `(call $define_metric (i32.const ${type}) (i32.const ${at}) (i32.const 4) (i32.const ${out}))`;
  const increment = (id: number, by: number): string => `(call $increment_metric (i32.const ${id}) (i64.const ${by}))`;
  const record = (id: number, value: number): string => `(call $record_metric (i32.const ${id}) (i64.const ${value}))`;
  const get = (id: number): string => `(call $get_metric (i32.const ${id}) (i32.const 128))`;
  const { Ok, NotFound, BadArgument, InvalidMemoryAccess } = Status;

  test("have ids by type: 4, 8 for counters, 5 for gauges, 6 for histograms", async () => {
    const calls = [
      define(0),
      define(0),
      define(1),
      define(2),
      increment(4, 1),
      increment(8, 1),
      increment(5, -1),
      record(6, 1),
    ];
    expect((await statuses(...calls)).answers).toEqual(Array(8).fill(Ok));
  });

  test("refuse what a type cannot do, and say why", async () => {
    const { answers, reasons } = await statuses(
      define(0),
      define(1),
      define(2),
      increment(4, 0),
      increment(4, -1),
      increment(5, 0),
      record(4, 10),
      increment(6, 1),
      get(6),
    );
    expect(answers.slice(3)).toEqual([BadArgument, BadArgument, Ok, Ok, BadArgument, BadArgument]);
    expect(reasons[4]).toBe("a counter only grows: it was to be incremented by -1");
  });

  test("judge an unknown id by its two low bits, as Envoy does", async () => {
    const { answers } = await statuses(
      increment(40, 0),
      increment(41, 1),
      get(40),
      record(40, 1),
      increment(42, 1),
      get(42),
      record(42, 1),
      increment(43, 1),
      get(43),
      record(43, 1),
    );
    expect(answers).toEqual([
      NotFound,
      NotFound,
      NotFound,
      NotFound,
      BadArgument,
      BadArgument,
      NotFound,
      BadArgument,
      BadArgument,
      NotFound,
    ]);
  });

  test("refuse types and addresses that are none; what was defined stays when the answer finds no place", async () => {
    const { answers } = await statuses(define(3), define(0, 1e6), define(0, 16, 1e6), increment(4, 1));
    expect(answers).toEqual([BadArgument, InvalidMemoryAccess, InvalidMemoryAccess, Ok]);
  });
});
