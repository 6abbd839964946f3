// Metrics, shared data, queues, several VMs and new configurations in a real Envoy.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { chain, loadFilter, ProxyState } from "../src/index.ts";
import { type Compiled, compileFilter, filterWat, hostCall } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";
import { type FilterConfig, type FiltersInEnvoy, runInEnvoy } from "./support/filters-in-envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let started: FiltersInEnvoy | undefined;

  async function start(
    filters: readonly FilterConfig[],
    options: { tags?: Record<string, string>; arguments?: readonly string[] } = {},
  ): Promise<FiltersInEnvoy> {
    await started?.stop();
    started = await runInEnvoy(envoy!, filters, options);
    return started;
  }

  afterAll(() => started?.stop());

  /** Sends a request on a connection of its own, so that any worker may get it; gives the response's status. */
  function send(url: string, headers: Record<string, string | string[]> = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { agent: false, headers }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode!));
      });
      sent.on("error", reject).end();
    });
  }

  /** Waits until something is so. */
  async function until(isSo: () => boolean | Promise<boolean>, running: FiltersInEnvoy): Promise<void> {
    for (let i = 0; i < 400; i++) {
      if (await isSo()) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`it did not come to be:\n${running.running.log()}`);
  }

  describe("metrics", () => {
    let compiled: Compiled;
    beforeAll(async () => {
      compiled = await compileFilter("metrics");
    });

    test("stand on the admin page, with tags for Prometheus", async () => {
      const tag = (name: string) => `(${name}=\\.=(.*?);\\.;)`;
      const running = await start([{ module: compiled.file }], { tags: { code: tag("code"), way: tag("way") } });
      for (const code of ["200", "404", "200"]) await send(running.url, { "x-do": "count", "x-code": code });
      const stats = await running.admin("/stats?filter=wasmcustom");
      const lines = stats.trim().split("\n");
      expect(lines).toContain("wasmcustom.requests: 3");
      // Canary, main thread, one worker.
      expect(lines).toContain("wasmcustom.configured: 3");
      expect(lines).toContain("wasmcustom.streams.open: 0");
      expect(lines).toContain("wasmcustom.way=.=in;.;code=.=200;.;responses: 2");
      const prometheus = (await running.admin("/stats/prometheus")).split("\n");
      expect(prometheus).toContain("requests{} 3");
      expect(prometheus).toContain("streams_open{} 0");
      expect(prometheus).toContain('responses{code="200",way="in"} 2');
      expect(prometheus).toContain('responses{code="404",way="in"} 1');
    });

    test("answer as on this host", async () => {
      const running = await start([{ module: compiled.file }]);
      const filter = await loadFilter(compiled.bytes, { mainThread: true });
      for (const command of ["add", "nothing", "too much", "gauge", "sample"]) {
        await send(running.url, { "x-do": command });
        await filter.request({ headers: { "x-do": command } }, { upstream: () => ({}) });
      }
      const ours = filter.metrics.filter((metric) => metric.kind !== "histogram");
      const stats = (await running.admin("/stats?filter=wasmcustom")).trim().split("\n");
      const theirs = stats.filter((line) => !line.includes("sizes"));
      expect(theirs.sort()).toEqual(ours.map((metric) => `${metric.statName}: ${metric.exactValue}`).sort());
      expect(running.messages()).toEqual([
        "0 1000",
        "0 1000",
        "proxy_increment_metric answered BadArgument",
        "true",
        "-15",
        "42",
      ]);
    });
  });

  test("shared data is updated by two workers without losing anything", async () => {
    const { file } = await compileFilter("shared-data");
    const running = await start([{ module: file }], { arguments: ["--concurrency", "2"] });
    const headers = { "x-do": "update", "x-key": "count" };
    await Promise.all(Array.from({ length: 100 }, () => send(running.url, headers)));
    await send(running.url, { "x-do": "get", "x-key": "count" });
    await running.running.logged('"100"');
    const threads = new Set(
      [...running.running.log().matchAll(/^\[[^\]]*\]\[(\d+)\].* wasm log filter: 0$/gm)].map((m) => m[1]),
    );
    expect(threads.size).toBe(2);
    await send(running.url, { "x-do": "create", "x-key": "count" });
    await send(running.url, { "x-do": "create", "x-key": "new" });
    await send(running.url, { "x-do": "stale", "x-key": "new" });
    await running.running.logged("created 0 8");
    expect(running.messages().slice(-4)).toEqual(['"100"', "8", "0", "created 0 8"]);
  });

  test("a lease lets one VM of three tick", async () => {
    const { file } = await compileFilter("shared-data");
    const running = await start([{ module: file }], { arguments: ["--concurrency", "2"] });
    const ticked = async () => Number(/wasmcustom.ticked: (\d+)/.exec(await running.admin("/stats"))?.[1] ?? 0);
    await until(async () => (await ticked()) >= 6, running);
    const all = await ticked();
    await send(running.url, { "x-do": "get", "x-key": "ticks" });
    await until(() => running.messages().length > 0, running);
    // Without the lease each tick would count.
    const [leased] = running.messages().map((message) => Number(message.replaceAll('"', "")));
    expect(leased).toBeGreaterThan(0);
    expect(leased).toBeLessThan(all);
  });

  describe("a queue", () => {
    let module: string;
    let bytes: Uint8Array;
    beforeAll(async () => {
      ({ file: module, bytes } = await compileFilter("queues"));
    });

    const consumer = (config: string): FilterConfig => ({ module, rootId: "consumer", vmId: "consumer", config });
    const producer = (): FilterConfig => ({ module, rootId: "producer", vmId: "producer" });

    test("hands items from one plugin to another, each in a VM of its own", async () => {
      const running = await start([consumer("text"), producer()]);
      expect(await send(running.url, { "x-item": ["one", "", "three"] })).toBe(200);
      await running.running.logged('got "three"');
      expect(running.messages()).toEqual(["answered", 'got "one"', 'got ""', 'got "three"']);
    });

    test("tells of an item when the event is over in which it was put in", async () => {
      const running = await start([consumer("by hand"), producer()]);
      await send(running.url, { "x-item": ["one", "two"], "x-answer": "" });
      await running.running.logged("got same two");
      expect(running.messages()).toEqual(["answered", "got same one", "got same two"]);
    });

    test("has one reader among two workers, whoever fills it", async () => {
      const running = await start([consumer("text"), producer()], { arguments: ["--concurrency", "2"] });
      await Promise.all(Array.from({ length: 40 }, (_, i) => send(running.url, { "x-item": `item ${i}` })));
      await until(() => running.messages().filter((message) => message.startsWith("got")).length === 40, running);
      const log = running.running.log();
      const threads = (pattern: RegExp) => new Set([...log.matchAll(pattern)].map((match) => match[1]));
      expect(threads(/^\[[^\]]*\]\[(\d+)\].* answered$/gm).size).toBe(2);
      expect(threads(/^\[[^\]]*\]\[(\d+)\].* got "item/gm).size).toBe(1);
    });

    test("answers as on this host", async () => {
      const running = await start([consumer("polling")]);
      await send(running.url);
      await running.running.logged("true");
      const filter = await loadFilter(bytes, { rootId: "consumer", vmId: "consumer", config: "polling" });
      const { logs } = await filter.request("/", { upstream: () => ({}) });
      expect(logs).toHaveLength(7);
      const rootLogs = filter.rootTrace.logs;
      await running.running.logged(rootLogs.at(-1)!.message);
      expect(running.messages()).toEqual([...logs, ...rootLogs].map((line) => line.message));
    });
  });

  test("a new configuration has a root context of its own, and open streams keep theirs", async () => {
    const { file, bytes } = await compileFilter("workers");
    const filter = (config: string): FilterConfig => ({ module: file, config });
    const running = await start([filter("a")], { arguments: ["--drain-time-s", "1"] });
    const held = send(running.url, { "x-pause": "a" }).catch(() => "closed");
    await until(
      async () => (await running.admin("/stats?filter=downstream_rq_active")).includes("main.downstream_rq_active: 1"),
      running,
    );
    await running.update([filter("b")]);
    await running.running.logged("configure 3 b");
    await send(running.url);
    await running.running.logged("done 4");
    expect(running.messages()).not.toContain("done 2");
    // The drain time is over: Envoy closes the connection.
    expect(await held).toBe("closed");
    await until(() => running.messages().filter((message) => message === "delete 1").length === 2, running);
    const worker = running.messages().filter((message) => !message.startsWith("configure"));
    expect(worker.slice(0, 6)).toEqual(["log 4", "done 4", "delete 4", "log 2", "done 2", "delete 2"]);

    const ours: string[] = [];
    const host = await loadFilter(bytes, { config: "a", mainThread: true, onLog: ({ message }) => ours.push(message) });
    const stream = host.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "a", "x-pause": "a" }, { endStream: true });
    host.reconfigure("b");
    await host.request("/", { upstream: () => ({}) });
    stream.reset();
    expect([...running.messages()].sort()).toEqual([...ours].sort());
  });

  test("a configuration that is refused leaves the old one", async () => {
    const { file } = await compileFilter("workers");
    const running = await start([{ module: file, config: "a" }]);
    await running.update([{ module: file, config: "trap" }]);
    await running.running.logged("trapped on purpose");
    expect(await send(running.url)).toBe(200);
    await running.running.logged("delete 2");
  });

  test("two plugins in one VM are as on this host", async () => {
    const { file, bytes } = await compileFilter("workers");
    const running = await start(["a", "b", "b"].map((config) => ({ module: file, config })));
    await send(running.url);
    await running.running.logged("delete 5");
    const ours: string[] = [];
    const onLog = ({ message }: { message: string }): void => void ours.push(message);
    const proxy = new ProxyState({ mainThread: true });
    const filters = [];
    for (const config of ["a", "b", "b"]) filters.push(await loadFilter(bytes, { proxy, config, onLog }));
    await chain(filters).request("/", { upstream: () => ({}) });
    expect(running.messages().sort()).toEqual([...ours].sort());
    expect(running.messages().slice(-9)).toEqual(ours.slice(-9));
  });

  describe("host calls answer as on this host:", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "host-calls-"));
    });
    afterAll(() => rm(folder, { recursive: true }));

    const name = "(i32.const 16) (i32.const 1)";
    const out = "(i32.const 128)";
    const outData = "(i32.const 128) (i32.const 132)";
    const nowhere = "(i32.const 1000000000)";
    const dequeue = (queue: string, to = outData): string => `(call $dequeue_shared_queue (i32.const ${queue}) ${to})`;
    const define = (type: number, to = out): string => `(call $define_metric (i32.const ${type}) ${name} ${to})`;
    const increment = (id: number, by: number): string =>
      `(call $increment_metric (i32.const ${id}) (i64.const ${by}))`;
    const record = (id: number): string => `(call $record_metric (i32.const ${id}) (i64.const 5))`;
    const get = (id: number): string => `(call $get_metric (i32.const ${id}) ${out})`;

    test.each([
      [
        "queues",
        [
          `(call $resolve_shared_queue (i32.const 0) (i32.const 0) ${name} ${out})`,
          `(call $register_shared_queue ${name} ${nowhere})`,
          `(call $resolve_shared_queue (i32.const 0) (i32.const 0) ${name} ${out})`,
          `(call $enqueue_shared_queue (i32.const 1) ${name})`,
          `(call $enqueue_shared_queue (i32.const 1) ${nowhere} (i32.const 1))`,
          dequeue("1", `${nowhere} (i32.const 132)`),
          dequeue("1"),
          dequeue("1"),
          `(call $enqueue_shared_queue (i32.const 1) ${name})`,
          // From here on the allocator gives nothing.
          "(block (result i32) (global.set $full (i32.const 1)) (i32.const 0))",
          dequeue("1"),
          "(block (result i32) (global.set $full (i32.const 0)) (i32.const 0))",
          dequeue("1"),
          dequeue("0"),
        ],
      ],
      [
        "shared data",
        [
          `(call $get_shared_data ${name} ${outData} (i32.const 136))`,
          `(call $set_shared_data ${name} ${name} (i32.const 999))`,
          `(call $set_shared_data ${name} ${name} (i32.const 999))`,
          `(call $set_shared_data ${name} ${nowhere} (i32.const 1) (i32.const 0))`,
          `(call $get_shared_data ${name} ${nowhere} (i32.const 132) (i32.const 136))`,
          `(call $get_shared_data ${name} ${outData} ${nowhere})`,
          `(call $get_shared_data ${name} ${outData} (i32.const 136))`,
          `(call $set_shared_data ${name} ${name} (i32.load (i32.const 136)))`,
          `(call $set_shared_data ${name} ${name} (i32.const -1))`,
        ],
      ],
      [
        "metrics",
        [
          define(0),
          define(0),
          define(1),
          define(2),
          define(3),
          define(0, nowhere),
          increment(4, 1),
          increment(8, 0),
          increment(12, 1),
          increment(16, 1),
          increment(5, -1),
          increment(6, 1),
          record(4),
          record(5),
          record(6),
          record(7),
          record(9),
          record(10),
          record(16),
          get(4),
          get(5),
          get(6),
          get(7),
          get(9),
          get(10),
          get(16),
          increment(40, 0),
          increment(42, 0),
        ],
      ],
    ])("%s", async (what, calls) => {
      const bytes = filterWat({
        imports:
          [
            "log:3",
            "register_shared_queue:3",
            "resolve_shared_queue:5",
            "enqueue_shared_queue:3",
            "dequeue_shared_queue:3",
            "get_shared_data:5",
            "set_shared_data:5",
            "define_metric:4",
            "get_metric:2",
          ]
            .map((call) => hostCall(call.split(":")[0]!, Number(call.split(":")[1])))
            .join("") +
          `(import "env" "proxy_increment_metric" (func $increment_metric (param i32 i64) (result i32)))
           (import "env" "proxy_record_metric" (func $record_metric (param i32 i64) (result i32)))`,
        data: "q",
        malloc: `(global $full (mut i32) (i32.const 0))
          (func (export "malloc") (param i32) (result i32)
            (if (result i32) (global.get $full) (then (i32.const 0)) (else
              (global.set $free (i32.add (global.get $free) (local.get 0)))
              (i32.sub (global.get $free) (local.get 0)))))`,
        // Each answer is a letter: a for Ok, b for NotFound, ….
        functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          ${calls.map((call, i) => `(i32.store8 (i32.const ${2000 + i}) (i32.add (i32.const 97) ${call}))`).join("\n")}
          (drop (call $log (i32.const 2) (i32.const 2000) (i32.const ${calls.length})))
          (i32.const 0))`,
      });
      const module = join(folder, `${what.replace(" ", "-")}.wasm`);
      await writeFile(module, bytes);
      const filter = await loadFilter(bytes);
      const { logs } = await filter.request("/", { upstream: () => ({}) });
      const running = await start([{ module }]);
      await send(running.url);
      await running.running.logged("wasm log filter: ");
      expect(running.messages()).toEqual(logs.map((line) => line.message));
    });
  });
});
