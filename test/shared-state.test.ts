// Metrics, shared data, queues and leases on a host that answers anything.

import { beforeAll, expect, test } from "vitest";

import { compileSource } from "./support/compile.ts";
import { StubHost } from "./support/stub-host.ts";

const source = `
  import {
    Action, Counter, Gauge, Histogram, HttpContext, Lease, Queue, registerRootContext, RootContext, SharedData,
  } from "proxy-wasm/assembly";

  const counter = new Counter("c");
  class Root extends RootContext {
    lease: Lease = new Lease("l", 10);
    override onConfigure(_size: u32): bool {
      this.subscribe<Root>("texts", (_self, item) => { counter.increment(item.length); });
      this.subscribeBytes<Root>("bytes", (_self, item) => { counter.increment(item.length); });
      return true;
    }
    override onQueueReady(queue: Queue): void { queue.enqueueBytes(new Uint8Array(1)); }
    override onTick(): void { if (this.lease.hold()) counter.increment(); }
    override createHttpContext(): HttpContext { return new Stream(); }
  }
  class Stream extends HttpContext {
    override onRequestHeaders(count: u32, _endOfStream: bool): Action {
      new Counter("c").tag("a", (count & 3).toString()).increment(counter.value);
      const gauge = new Gauge("g");
      gauge.record(gauge.value + 1);
      new Histogram("h").record(count);
      SharedData.set("k", SharedData.get("k") === null ? "" : "x");
      SharedData.update("k", (value) => (value === null ? "" : value + "x"));
      SharedData.updateBytesWith<u32>("b", count, (_count, value) => value);
      const queue = Queue.resolve("vm", "q");
      if (queue !== null) queue.enqueue("x");
      return Action.Continue;
    }
  }
  registerRootContext("", () => new Root());`;

let bytes: Uint8Array;
beforeAll(async () => {
  bytes = (await compileSource(source)).bytes;
});

function stream(host: StubHost, id: number): void {
  host.call("proxy_on_context_create", id, 1);
  host.call("proxy_on_request_headers", id, id, 1);
  host.call("proxy_on_delete", id);
  host.call("proxy_on_tick", 1);
  for (let queue = 0; queue < 3; queue++) host.call("proxy_on_queue_ready", 1, queue);
  // Of a root context that never was.
  host.call("proxy_on_queue_ready", 77, 0);
}

test("no answer stops the filter", () => {
  const host = new StubHost(bytes, "");
  for (host.status = 0; host.status < 40; host.status++) stream(host, host.status + 2);
  host.call("proxy_on_delete", 1);
  stream(host, 100);
});

test.each([0, 1, 2, 7, 8, 10, 12])("memory stays flat while everything answers %i", (status) => {
  const host = new StubHost(bytes, "");
  host.status = status;
  for (let id = 2; id < 300; id++) stream(host, id);
  const before = host.memorySize;
  for (let id = 300; id < 3000; id++) stream(host, id);
  expect(host.memorySize).toBe(before);
});
