// A filter as Envoy's other extensions: access logger, stats sink, service. First on our host, then in a real Envoy.

import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EnvoyFault, loadFilter, Status, StreamError, VirtualClock } from "../src/index.ts";
import { type Compiled, compileFilter, filterWat, hostCall } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { address, answering, freePorts, httpListener, pluginConfig, type } from "./support/envoy-config.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("extensions");
});

const said = (events: { logs: readonly { message: string }[] }): string[] => events.logs.map(({ message }) => message);

describe("an access logger", () => {
  const refused = "proxy_replace_header_map_value answered BadArgument";

  test("reads what is left of a stream", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "log" });
    const upstream = () => ({ status: 201, body: "a", trailers: { "x-t": "1" } });
    const response = await filter.request({ path: "/p?q", headers: { "x-a": "b" } }, { upstream });
    // Without contexts for streams, the filter hears of this only.
    expect(said(response)).toEqual([]);
    expect(said(filter.log(response))).toEqual(["log GET /p?q 201 201 b 1", refused, "write 2"]);
    // Afterwards the stream is gone.
    const step = filter.log(await filter.request("/", { upstream: () => ({ status: 404 }) }));
    expect(said(step)).toEqual(["log GET / 404 404 - -", "write 2"]);
  });

  test("hears of streams that are over", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "log" });
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/" });
    expect(() => filter.log(stream)).toThrow(StreamError);
    stream.responseHeaders({ ":status": "204" }, { endStream: true });
    expect(said(filter.log(stream))).toEqual(["log GET / 204 204 - -", refused, "write 2"]);
  });

  test("finds no headers on a TCP connection", async () => {
    const filter = await loadFilter(
      filterWat({
        imports: hostCall("get_header_map_value", 5),
        functions: `(func (export "proxy_on_log") (param i32)
          (drop (call $get_header_map_value (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4))))`,
      }),
    );
    const connection = filter.connection();
    connection.connect();
    connection.downstreamClose();
    expect(filter.log(connection).events.at(-1)).toMatchObject({ kind: "call", status: Status.NotFound });
  });
});

describe("a stats sink", () => {
  test("reads counters and gauges", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "a,b.rq_total,c" });
    const long = "n".repeat(3000);
    const step = filter.statsUpdate({
      counters: { a: 1, "b.rq_total": { value: 2n ** 40n, delta: 7 }, [long]: 3 },
      gauges: { c: 5, d: 0 },
      unused: 200,
    });
    expect(said(step)).toEqual(["counter a 1 1", `counter b.rq_total ${2n ** 40n} 7`, "gauge c 5 0", "stats 3 2"]);
    expect(said(filter.statsUpdate({}))).toEqual(["stats 0 0"]);
    expect(said(filter.statsUpdate({ gauges: { c: 1 } }))).toEqual(["gauge c 1 0", "stats 0 1"]);
  });

  test("is told a size that doubles with each gauge, as Envoy says it", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "" });
    const gauges = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`gauge${i}`, i]));
    const size = (count: number): number => {
      const { events } = filter.statsUpdate({ gauges: gauges(count) });
      return events.find((event) => event.kind === "callback")!.args[1]!;
    };
    expect([size(1), size(2), size(25)]).toEqual([66, 148, 1_413_817_617]);
    expect(said(filter.statsUpdate({ gauges: gauges(25), unused: 300 }))).toEqual(["stats 0 25"]);
  });

  test("does not take what is behind the gauges for one", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "a" });
    expect(said(filter.statsUpdate({ counters: { a: 1 }, unused: 0xffff }))).toEqual(["counter a 1 1", "stats 1 0"]);
  });

  test("with so many gauges that Envoy writes beyond its memory, it is said", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "" });
    // From 32 gauges on, the size is whatever 32 bits have room for: here a little less than nothing.
    const names = Array.from({ length: 40 }, (_, i) => `gauge${i + 1_000_000}`);
    const gauges = Object.fromEntries(names.map((name) => [name, 1]));
    expect(() => filter.statsUpdate({ counters: { ["c".repeat(200)]: 1 }, gauges })).toThrow(EnvoyFault);
  });
});

test("a service ticks without any stream", async () => {
  const clock = new VirtualClock();
  const filter = await loadFilter(compiled.bytes, { clock, config: "service" });
  clock.advance(100);
  filter.close();
  expect(said(filter.rootTrace)).toEqual(["configured service", "tick", "tick", "done"]);
});

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let running: RunningEnvoy | undefined;
  let port = 0;
  let adminPort = 0;

  /** What the root context of this plugin has logged. */
  const logs = (plugin: string): string[] => {
    const pattern = new RegExp(`wasm log vm-${plugin}: (.*)$`, "gm");
    return [...(running?.log() ?? "").matchAll(pattern)].map((match) => match[1]!);
  };
  const logged = async (plugin: string, line: RegExp): Promise<string> => {
    for (let i = 0; i < 500; i++) {
      const found = logs(plugin).find((text) => line.test(text));
      if (found !== undefined) return found;
      await new Promise((next) => setTimeout(next, 10));
    }
    throw new Error(`${plugin} did not log ${line}:\n${running?.log()}`);
  };

  beforeAll(async () => {
    [port, adminPort] = (await freePorts(2)) as [number, number];
    running = await startEnvoy(envoy!, configuration(port, adminPort, compiled.file), dirname(compiled.file));
  });
  afterAll(() => running?.stop());

  test("access logger, stats sink and service are called", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/p?q`, { headers: { "x-a": "b" } });
    expect(response.status).toBe(200);
    expect(await logged("logger", /^log/)).toBe("log GET /p?q 200 200 b -");
    expect(await logged("logger", /^write/)).toBe("write 2");
    expect(await logged("sink", /^counter http.main.downstream_rq_2xx/)).toBe(
      "counter http.main.downstream_rq_2xx 1 1",
    );
    expect(await logged("sink", /^gauge server.concurrency/)).toBe("gauge server.concurrency 1 0");
    await logged("service", /^tick/);
    // What it finds is what Envoy itself says it has ever used.
    const used = async (kind: string): Promise<number> => {
      const page = await fetch(`http://127.0.0.1:${adminPort}/stats?usedonly&type=${kind}`);
      return (await page.text()).trim().split("\n").length;
    };
    await used("Counters");
    const [counters, gauges] = [await used("Counters"), await used("Gauges")];
    expect(gauges).toBeGreaterThan(10);
    await logged("sink", new RegExp(`^stats ${counters} ${gauges}$`));
  });
});

function configuration(port: number, adminPort: number, file: string): string {
  const logger = {
    name: "envoy.access_loggers.wasm",
    typed_config: {
      ...type("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog"),
      config: pluginConfig("logger", "log", file),
    },
  };
  const sink = {
    name: "envoy.stat_sinks.wasm",
    typed_config: {
      ...type("envoy.extensions.stat_sinks.wasm.v3.Wasm"),
      config: pluginConfig("sink", "http.main.downstream_rq_2xx,server.concurrency", file),
    },
  };
  const service = {
    name: "envoy.bootstrap.wasm",
    typed_config: {
      ...type("envoy.extensions.wasm.v3.WasmService"),
      singleton: true,
      config: pluginConfig("service", "service", file),
    },
  };
  const listener = httpListener("main", port, [], [answering("ok")], { access_log: [logger] });
  return JSON.stringify({
    admin: { address: address(adminPort) },
    stats_flush_interval: "0.2s",
    stats_sinks: [sink],
    bootstrap_extensions: [service],
    static_resources: { listeners: [listener] },
  });
}
