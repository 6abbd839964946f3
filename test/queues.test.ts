// Queues between two plugins, each in a VM of its own.

import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, LoadError, loadFilter, ProxyState, Status } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("queues");
});

// Each item is a header of the request, more than a proxy would take.
const load = (rootId: string, config = "", proxy = new ProxyState()) =>
  loadFilter(compiled.bytes, { proxy, rootId, config, vmId: rootId, limits: { receivedHeaders: 1100 } });

async function both(config: string): Promise<{ producer: Filter; consumer: Filter }> {
  const proxy = new ProxyState();
  return { consumer: await load("consumer", config, proxy), producer: await load("producer", "", proxy) };
}

const send = (filter: Filter, ...items: (string | Uint8Array)[]) =>
  filter.request({ headers: { "x-item": items } }, { upstream: () => ({}) });

const got = (filter: Filter) => filter.rootTrace.logs.map((line) => line.message);

describe("a queue", () => {
  test("tells its registrant of each item, after the callback that put it in", async () => {
    const { producer, consumer } = await both("by hand");
    await send(producer, "one", "two");
    expect(got(consumer)).toEqual(["got same one", "got same two"]);
    expect(consumer.queue("jobs").size).toBe(0);
  });

  test("is drained for a handler, of text or of bytes", async () => {
    const { producer, consumer } = await both("text");
    await send(producer, "one", "", "drei ü");
    expect(got(consumer)).toEqual(['got "one"', 'got ""', 'got "drei ü"']);
    const other = await both("bytes");
    await send(other.producer, Uint8Array.of(0xff, 0x80), "");
    expect(got(other.consumer)).toEqual(["got 255,128", "got "]);
  });

  test("can be filled and looked into by a test", async () => {
    const consumer = await load("consumer", "text");
    const queue = consumer.queue("jobs");
    queue.push("by the test");
    expect(got(consumer)).toEqual(['got "by the test"']);
    expect(consumer.shared.get("got")).toBe('"by the test"');
    expect(() => consumer.queue("job")).toThrow(
      'no queue "job" is registered for the vm_id "consumer"; registered are: "jobs"',
    );
  });

  test("tells of an item when the event is over in which it was put in", async () => {
    const { producer, consumer } = await both("text");
    const lines: string[] = [];
    const note = (who: string) => (line: { message: string }) => lines.push(`${who}: ${line.message}`);
    const proxy = new ProxyState();
    await loadFilter(compiled.bytes, { proxy, rootId: "consumer", config: "text", vmId: "consumer", onLog: note("c") });
    const sender = await loadFilter(compiled.bytes, { proxy, rootId: "producer", vmId: "p", onLog: note("p") });
    await sender.request({ headers: { "x-item": ["1", "2"], "x-answer": "" } });
    expect(lines).toEqual(["p: answered", 'c: got "1"', 'c: got "2"']);
    expect([got(producer), got(consumer)]).toEqual([[], []]);
  });

  test("tells one of the workers only: the one that registered last", async () => {
    const { producer, consumer } = await both("text");
    const [second, third] = [consumer.worker(), consumer.worker()];
    await send(producer.worker(), "one");
    await send(producer, "two");
    expect([got(consumer), got(second), got(third)]).toEqual([[], [], ['got "one"', 'got "two"']]);
  });

  test("tells the VM that was reloaded in place of the one that registered it", async () => {
    const proxy = new ProxyState();
    const consumer = await loadFilter(compiled.bytes, {
      proxy,
      rootId: "consumer",
      config: "text trap",
      vmId: "consumer",
      failurePolicy: "reload",
      reloadBackoffMs: 0,
    });
    consumer.queue("jobs").push("trap");
    expect(consumer).toHaveTrapped("trapped on purpose");
    consumer.queue("jobs").push("lost on nobody");
    expect(consumer.queue("jobs").texts()).toEqual(["lost on nobody"]);
    await consumer.request("/", { upstream: () => ({}) });
    consumer.queue("jobs").push("next");
    expect(got(consumer)).toEqual(['got "lost on nobody"', 'got "next"']);
  });

  test("belongs to the new root context after a new configuration", async () => {
    const { producer, consumer } = await both("text");
    const before = consumer.rootTrace;
    consumer.reconfigure("bytes");
    await send(producer, "A");
    expect(before.logs).toEqual([]);
    expect(got(consumer)).toEqual(["got 65"]);
    consumer.reconfigure("nothing");
    await send(producer, "B");
    expect(got(consumer)).toEqual([]);
    expect(consumer.queue("jobs").texts()).toEqual(["B"]);
  });

  test("has no registrant when that has gone: the producer is told that there is none", async () => {
    const { producer, consumer } = await both("by hand");
    expect(await send(producer, "x")).toHaveStatus(200);
    consumer.close();
    expect(await send(producer, "x")).toHaveStatus(503);
  });

  test("is empty and is not there: both are ordinary", async () => {
    const { logs } = await send(await load("consumer", "polling"), "");
    expect(logs.map((line) => line.message)).toEqual([
      "00",
      '""',
      "1",
      "null",
      "null",
      "proxy_enqueue_shared_queue answered NotFound",
      "true",
    ]);
  });

  test("takes many items in one event", async () => {
    const { producer, consumer } = await both("text");
    await send(producer, ...Array.from({ length: 1000 }, (_, i) => `item ${i}`));
    expect(got(consumer)).toHaveLength(1000);
  });

  test("that its handler fills again does not hold the proxy", async () => {
    const consumer = await load("consumer", "again");
    const queue = consumer.queue("jobs");
    expect(() => queue.push("round and round")).toThrow(
      "one event led to 1010 notices of items in queues, each to another: a worker of Envoy would be busy with it for ever",
    );
    consumer.close();
    expect(got(consumer)).toEqual(["seen 1010"]);
  });

  test("is not handled by a context of another class", async () => {
    await expect(load("consumer", "wrong")).rejects.toThrow(/subscribe<OtherConsumer> was called on another class/);
    await expect(load("consumer", "wrong")).rejects.toThrow(LoadError);
    expect(await load("other", "wrong")).toBeDefined();
  });
});

describe("the export proxy_on_queue_ready", () => {
  const root = (body: string): string => `
    import { RootContext, registerRootContext, Queue } from "proxy-wasm/assembly";
    class Root extends RootContext { ${body} }
registerRootContext("", () => new Root());`;
  const subscribing = `override onConfigure(_size: u32): bool {
    this.subscribe<Root>("q", (_self, _item) => {});
    return true;
  }`;

  test.each([
    ["is there for a subscription", subscribing, true],
    ["is there for a class that overrides onQueueReady", "override onQueueReady(_queue: Queue): void {}", true],
    ["is not there otherwise", "override onTick(): void {}", false],
  ])("%s", async (_what, body, there) => {
    const { exports, imports } = await compileSource(root(body));
    expect(exports.includes("proxy_on_queue_ready")).toBe(there);
    expect(imports.includes("env.proxy_dequeue_shared_queue")).toBe(body === subscribing);
  });

  test.each(["incremental", "minimal", "stub"])("works with the runtime %s", async (runtime) => {
    const { bytes } = await compileFilter("queues", ["--runtime", runtime]);
    const consumer = await loadFilter(bytes, { rootId: "consumer", config: "text" });
    const queue = consumer.queue("jobs");
    for (let i = 0; i < 2000; i++) queue.push(`item ${i}`.repeat(100));
    expect(queue.size).toBe(0);
    expect(consumer.shared.get("got")).toBe(`"${"item 1999".repeat(100)}"`);
  });
});

describe("the host's queues", () => {
  test("have ids from 1 over all vm_ids, and refuse what is none", async () => {
    const name = "(i32.const 16) (i32.const 1)";
    const calls = [
      `(call $register_shared_queue ${name} (i32.const 128))`,
      `(call $register_shared_queue ${name} (i32.const 128))`,
      `(call $resolve_shared_queue (i32.const 0) (i32.const 0) ${name} (i32.const 132))`,
      `(call $resolve_shared_queue ${name} ${name} (i32.const 136))`,
      `(call $dequeue_shared_queue (i32.load (i32.const 128)) (i32.const 140) (i32.const 144))`,
      `(call $dequeue_shared_queue (i32.const 0) (i32.const 140) (i32.const 144))`,
      `(call $enqueue_shared_queue (i32.const 99) ${name})`,
      `(call $enqueue_shared_queue (i32.load (i32.const 132)) ${name})`,
      `(call $dequeue_shared_queue (i32.const 1) (i32.const 1000000) (i32.const 144))`,
      // As in Envoy, the item is lost when there is no place for it.
      `(call $dequeue_shared_queue (i32.const 1) (i32.const 140) (i32.const 144))`,
      `(call $register_shared_queue (i32.const 1000000) (i32.const 1) (i32.const 128))`,
    ];
    const filter = await loadFilter(
      filterWat({
        imports:
          hostCall("register_shared_queue", 3) +
          hostCall("resolve_shared_queue", 5) +
          hostCall("enqueue_shared_queue", 3) +
          hostCall("dequeue_shared_queue", 3),
        data: "q",
        functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          ${calls.map((call) => `(drop ${call})`).join("\n")} (i32.const 0))`,
      }),
    );
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET" });
    const events = stream.trace.events.flatMap((event) => (event.kind === "call" ? [event] : []));
    const { Ok, NotFound, Empty, InvalidMemoryAccess } = Status;
    expect(events.map((event) => event.status)).toEqual([
      Ok,
      Ok,
      Ok,
      NotFound,
      Empty,
      NotFound,
      NotFound,
      Ok,
      InvalidMemoryAccess,
      Empty,
      InvalidMemoryAccess,
    ]);
    expect(filter.queue("q").id).toBe(1);
    expect(events[3]!.reason).toBe('no queue "q" is registered for the vm_id "q"');
  });
});
