// A filter in several VMs: workers, Envoy's main thread and canary, plugins that share a VM, and new configurations.

import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, type FilterOptions, loadFilter, LoadError, ProxyState, type VirtualClock } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("workers");
});

const load = (options: FilterOptions = {}) => loadFilter(compiled.bytes, options);
const upstream = () => ({});
const said = (filter: Filter) => filter.rootTrace.logs.map((line) => line.message);
const advance = (filter: Filter, ms: number) => (filter.clock as VirtualClock).advance(ms);
const head = { ":method": "GET", ":path": "/", ":authority": "a" };

describe("workers", () => {
  test("have a VM each, and metrics, queues and time in common", async () => {
    const filter = await load({ config: "a" });
    const other = filter.worker();
    expect(said(other)).toEqual(["configure 1 a 1"]);
    expect(filter.metric("configured").value).toBe(2);
    advance(filter, 3000);
    expect(filter.metric("ticks").value).toBe(6);
    filter.queue("q").push("item");
    expect([said(filter).at(-1), said(other).at(-1)]).toEqual(["configure 1 a 1", "ready item"]);
  });

  test("serve streams, each its own", async () => {
    const filter = await load({ config: "a" });
    const other = filter.worker(1);
    for (const worker of [filter, other, other]) await worker.request("/", { upstream });
    const { upstream: seen } = await filter.worker(1).request("/", { upstream });
    expect(seen!.headers.get("x-passed")).toBe("a 4");
    expect((await filter.worker(0).request("/", { upstream })).upstream!.headers.get("x-passed")).toBe("a 3");
  });

  test("all end with the filter", async () => {
    const filter = await load({ config: "a" });
    const other = filter.worker();
    filter.close();
    filter.close();
    expect([said(filter).slice(1), said(other).slice(1)]).toEqual([
      ["done 1", "delete 1"],
      ["done 1", "delete 1"],
    ]);
    advance(filter, 3000);
    expect(filter.metrics.map((metric) => metric.name)).toEqual(["configured"]);
  });
});

describe("the main thread", () => {
  test("tries a configuration out, keeps a VM that ticks and counts, and sees no streams", async () => {
    const lines: string[] = [];
    const filter = await load({ config: "a", mainThread: true, onLog: ({ message }) => lines.push(message) });
    // Canary, main thread, worker.
    expect(lines).toEqual(["configure 1 a 1", "configure 1 a 1", "configure 1 a 1"]);
    expect(filter.metric("configured").value).toBe(3);
    filter.worker();
    expect(filter.metric("configured").value).toBe(4);
    advance(filter, 1000);
    // The canary is gone.
    expect(filter.metric("ticks").value).toBe(3);
    filter.queue("q").push("for the last one");
    expect(said(filter.mainThread!)).toEqual(["configure 1 a 1"]);
    filter.close();
    expect(said(filter.mainThread!).slice(1)).toEqual(["done 1", "delete 1"]);
  });

  test("is not there unless asked for", async () => {
    expect((await load({ config: "a" })).mainThread).toBeNull();
  });

  test("refuses what the filter refuses, before any worker has it", async () => {
    const lines: string[] = [];
    const onLog = ({ message }: { message: string }): void => void lines.push(message);
    await expect(load({ config: "refuse", mainThread: true, onLog })).rejects.toThrow(LoadError);
    expect(lines).toEqual(["configure 1 refuse 1"]);
  });
});

describe("plugins of one proxy", () => {
  test("share a VM when module, vm_id and VM configuration are equal", async () => {
    const proxy = new ProxyState();
    const first = await load({ proxy, config: "a" });
    const second = await load({ proxy, config: "b" });
    const apart = await load({ proxy, config: "c", vmId: "other" });
    expect([first, second, apart].map((filter) => said(filter)[0])).toEqual([
      "configure 1 a 1",
      "configure 2 b 2",
      "configure 1 c 1",
    ]);
    // One counter of ids for both.
    await first.request("/", { upstream });
    expect((await second.request("/", { upstream })).upstream!.headers.get("x-passed")).toBe("b 4");
  });

  test("share the root context too when name, root id and configuration are equal", async () => {
    const proxy = new ProxyState();
    const first = await load({ proxy, config: "a" });
    const second = await load({ proxy, config: "a" });
    expect(first.metric("configured").value).toBe(1);
    first.close();
    first.close();
    expect(said(second)).toEqual(["configure 1 a 1"]);
    second.close();
    expect(said(second)).toEqual(["configure 1 a 1", "done 1", "delete 1"]);
  });

  test("fail together when they share a VM", async () => {
    const proxy = new ProxyState();
    const first = await load({ proxy, config: "a" });
    await expect(load({ proxy, config: "trap" })).rejects.toThrow("trapped on purpose");
    expect(first).toHaveTrapped("trapped on purpose");
  });

  test("that do not want to end keep a VM only with others", async () => {
    const proxy = new ProxyState();
    const staying = await load({ proxy, config: "stay" });
    const other = await load({ proxy, config: "b" });
    staying.close();
    advance(other, 1000);
    expect(other.metric("ticks").value).toBe(2);
    other.close();
    advance(other, 1000);
    expect(other.metric("ticks").value).toBe(2);
    expect(said(staying).slice(1)).toEqual(["done 1"]);
  });

  test("have the proxy's clock, which is not theirs to set", async () => {
    const proxy = new ProxyState({ now: new Date("2030-01-01") });
    expect((await load({ proxy, config: "a" })).clock).toBe(proxy.clock);
    await expect(load({ proxy, now: new Date() })).rejects.toThrow(
      "now is an option of the proxy: new ProxyState({ now })",
    );
  });
});

describe("a new configuration", () => {
  test("makes a new root context in the same VM, while open streams keep theirs", async () => {
    const filter = await load({ config: "a" });
    const before = filter.rootTrace;
    const old = filter.stream();
    old.requestHeaders(head, { endStream: true });
    filter.reconfigure("b");
    expect(said(filter)).toEqual(["configure 3 b 2"]);
    const { upstream: seen } = await filter.request("/", { upstream });
    expect(seen!.headers.get("x-passed")).toBe("b 4");
    expect(before.logs).toHaveLength(1);
    old.responseHeaders({ ":status": "200" }, { endStream: true });
    expect(old.response.headers.get("x-passed")).toBe("a 2");
    expect(old.logs.map((line) => line.message)).toEqual(["log 2", "done 2", "delete 2"]);
    expect(before.logs.map((line) => line.message)).toEqual(["configure 1 a 1", "done 1", "delete 1"]);
    advance(filter, 1000);
    expect(filter.metric("ticks").value).toBe(1);
  });

  test("that is the same changes nothing", async () => {
    const filter = await load({ config: "a" });
    filter.reconfigure("a");
    expect(said(filter)).toEqual(["configure 1 a 1"]);
    expect((await filter.request("/", { upstream })).upstream!.headers.get("x-passed")).toBe("a 2");
  });

  test("that the filter refuses leaves the old one, in every worker", async () => {
    const filter = await load({ config: "a" });
    const other = filter.worker();
    expect(() => filter.reconfigure("refuse")).toThrow(LoadError);
    for (const worker of [filter, other]) {
      expect((await worker.request("/", { upstream })).upstream!.headers.get("x-passed")).toMatch(/^a /);
    }
    filter.reconfigure({ as: "JSON" });
    expect(said(other)).toEqual([expect.stringMatching(/^configure \d \{"as":"JSON"\} 2$/)]);
    expect(filter.worker(2).rootTrace.logs[0]!.message).toBe('configure 1 {"as":"JSON"} 1');
  });

  test("in which it stops harms the running filter only when it is not tried out first", async () => {
    const safe = await load({ config: "a", mainThread: true });
    expect(() => safe.reconfigure("trap")).toThrow(LoadError);
    expect(safe.trap).toBeNull();
    const filter = await load({ config: "a" });
    expect(() => filter.reconfigure("trap")).toThrow(LoadError);
    expect(filter).toHaveTrapped("trapped on purpose");
  });
});
