// expectNoLeak: what stays of exchanges that are over makes a test fail, and what does not, does not.

import { beforeAll, describe, expect, test } from "vitest";

import { chain, type Filter, LeakError, loadFilter, ProxyState } from "../src/index.ts";
import { type Compiled, compileFilter, filterWat } from "./support/compile.ts";

const upstream = () => ({ body: "Hello, world!" });
const exchange = (filter: Filter) => (): Promise<unknown> => filter.request("/", { upstream });

describe("a filter that keeps its streams' garbage", () => {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compileFilter("leak");
  });

  test("leaks memory, and is told how much", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "keep" });
    const leaking = filter.expectNoLeak(exchange(filter), { times: 2000 });
    await expect(leaking).rejects.toThrow(LeakError);
    await expect(leaking).rejects.toThrow(
      /after 200 exchanges to warm up, 2000 more left the filter's memory larger \(\d+ KiB → \d+ KiB, about \d+ bytes each\)/,
    );
  });

  test("does not leak when it keeps them no longer than the stream", async () => {
    const filter = await loadFilter(compiled.bytes, { config: "free" });
    const before = filter.usage;
    await filter.expectNoLeak(exchange(filter), { times: 2000 });
    expect(before.streams).toBe(0);
    expect(filter.usage.memoryBytes % 65_536).toBe(0);
  });

  test("leaks in a chain as well", async () => {
    const proxy = new ProxyState();
    const load = (config: string): Promise<Filter> => loadFilter(compiled.bytes, { config, vmId: config, proxy });
    const [clean, leaking] = [await load("free"), await load("keep")];
    const both = chain([clean, leaking]);
    const pass = (): Promise<unknown> => both.request("/", { upstream });
    await clean.expectNoLeak(pass, { times: 500 });
    await expect(leaking.expectNoLeak(pass, { times: 2000 })).rejects.toThrow(/memory larger/);
  });
});

describe("streams", () => {
  const module = filterWat({
    functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))`,
  });

  test("that are left open are leaked contexts", async () => {
    const filter = await loadFilter(module);
    const open = (): unknown => filter.stream().requestHeaders({ ":method": "GET", ":path": "/" });
    await expect(filter.expectNoLeak(open, { times: 10, warmUp: 1 })).rejects.toThrow(
      "after 1 exchanges to warm up, 10 more left 10 streams open (1 → 11, one in 1): each keeps its context.",
    );
  });

  test("that end leave nothing", async () => {
    const filter = await loadFilter(module);
    const indices: number[] = [];
    await filter.expectNoLeak(
      (index) => {
        indices.push(index);
        const stream = filter.stream();
        stream.requestHeaders({ ":method": "GET", ":path": "/" });
        stream.reset();
      },
      { times: 3, warmUp: 2 },
    );
    expect(indices).toEqual([0, 1, 2, 3, 4]);
  });

  test("in which the filter stops are no proof", async () => {
    const trapping = filterWat({
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))`,
    });
    const filter = await loadFilter(trapping);
    await expect(filter.expectNoLeak(exchange(filter))).rejects.toThrow(/the filter stopped in exchange 1: /);
  });

  test("must be more than none", async () => {
    const filter = await loadFilter(module);
    await expect(filter.expectNoLeak(exchange(filter), { times: 0 })).rejects.toThrow(RangeError);
  });
});
