// Several timers on the one tick of a root context, in virtual time.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { type Clock, type Filter, type FilterOptions, loadFilter, VirtualClock } from "../src/index.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("timers");
});

const start = (config: string, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(compiled.bytes, { config, now: new Date(0), ...options });
const said = (filter: Filter): string[] => filter.rootTrace.logs.map(({ message }) => message);
const advance = (filter: Filter, milliseconds: number): void => (filter.clock as VirtualClock).advance(milliseconds);
const periods = (filter: Filter): number =>
  filter.rootTrace.events.filter((event) => event.kind === "callback" && event.name === "proxy_on_tick").length;

describe("timers", () => {
  test("fire when they are due, with as many ticks as needed", async () => {
    const filter = await start("several");
    advance(filter, 300);
    expect(said(filter)).toEqual([
      "70 70",
      "100 100",
      "140 70",
      "200 100",
      "210 70",
      "250 250 once",
      "280 70",
      "300 100",
    ]);
    expect(periods(filter)).toBe(8);
  });

  test("that are due together fire in the order they were set, on one tick", async () => {
    const filter = await start("same");
    advance(filter, 100);
    expect(said(filter)).toEqual(["10 older", "10 newer"]);
    expect(periods(filter)).toBe(1);
  });

  test("stop the tick when none is left", async () => {
    const filter = await start("cancel");
    advance(filter, 1000);
    expect(said(filter)).toEqual(["10 repeat", "20 repeat", "30 repeat", "30 cancelled true"]);
    expect(periods(filter)).toBe(3);
    expect((filter.clock as VirtualClock).untilNext()).toBeUndefined();
  });

  test("can be set by a timer", async () => {
    const filter = await start("chain");
    advance(filter, 1000);
    expect(said(filter)).toEqual(["10 link 1", "20 link 2", "40 link 3", "70 link 4"]);
  });

  test("can be cancelled by one that fires at the same time", async () => {
    const filter = await start("other");
    advance(filter, 100);
    expect(said(filter)).toEqual(["10 cancelled true"]);
  });

  test("can be set by a stream, which host calls still mean afterwards", async () => {
    const filter = await start("", { rootId: "other" });
    const seen: (string | null)[] = [];
    const headers = { "x-after": "20" };
    await filter.request(
      { path: "/", headers },
      {
        upstream: (request) => {
          seen.push(request.headers.get("x-set"));
          return {};
        },
      },
    );
    advance(filter, 40);
    expect(seen).toEqual(["still this stream"]);
    expect(said(filter)).toEqual(["20 from a stream", "30 other"]);
  });

  test("leave the tick alone where there are none", async () => {
    const filter = await start("tick");
    advance(filter, 25);
    expect(said(filter)).toEqual(["10 tick", "20 tick"]);
  });

  test("end with their context", async () => {
    const filter = await start("several");
    filter.close();
    advance(filter, 1000);
    expect(said(filter)).toEqual([]);
  });

  test("of 0 milliseconds wait for one", async () => {
    const filter = await start("");
    await filter.request({ path: "/", headers: { "x-after": "0" } }, { upstream: () => ({}) });
    advance(filter, 10);
    expect(said(filter)).toEqual(["1 from a stream"]);
  });

  test("survive much garbage", async () => {
    const filter = await start("garbage");
    advance(filter, 3000);
    expect(filter.trap).toBeNull();
    expect((filter.clock as VirtualClock).untilNext()).toBe(1);
  });

  test.each(["incremental", "minimal", "stub"])("work with the runtime %s", async (runtime) => {
    const { bytes } = await compileFilter("timers", ["--runtime", runtime]);
    const filter = await loadFilter(bytes, { config: "several", now: new Date(0) });
    advance(filter, 120);
    expect(said(filter)).toEqual(["70 70", "100 100"]);
  });

  test("any set of them fires as a simple model says", async () => {
    const entry = fc.record({ wait: fc.integer({ min: 1, max: 50 }), repeats: fc.boolean() });
    const { bytes } = await compileSource(`
      import { logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
      class Root extends RootContext {
        override onConfigure(_size: u32): bool {
          const parts = this.configuration!.split(" ");
          for (let i = 0; i < parts.length; i++) {
            const wait = parseInt(parts[i].substring(1)) as u32;
            if (parts[i].startsWith("r")) this.setRepeatingTimer<Root>(wait, (self) => logInfo("fired"));
            else this.setTimer<Root>(wait, (self) => logInfo("fired"));
          }
          return true;
        }
      }
      registerRootContext("", () => new Root());`);
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 8 }), async (entries) => {
        const config = entries.map(({ wait, repeats }) => `${repeats ? "r" : "o"}${wait}`).join(" ");
        const filter = await loadFilter(bytes, { config });
        const counts: number[] = [];
        for (let time = 1; time <= 120; time++) {
          const before = said(filter).length;
          advance(filter, 1);
          counts.push(said(filter).length - before);
        }
        const expected = counts.map(
          (_, i) => entries.filter(({ wait, repeats }) => (repeats ? (i + 1) % wait === 0 : i + 1 === wait)).length,
        );
        expect(counts).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});

describe("a clock that is not the tick's", () => {
  /** A clock whose time can be set, while its timers go on as before. */
  class AdjustableClock implements Clock {
    readonly steady = new VirtualClock(new Date(0));
    offset = 0n;
    now(): bigint {
      return this.steady.now() + this.offset;
    }
    after(milliseconds: number, callback: () => void): () => void {
      return this.steady.after(milliseconds, callback);
    }
  }

  test("set back does not make timers wait for its old time", async () => {
    const clock = new AdjustableClock();
    clock.offset = 3_600_000_000_000n;
    const filter = await loadFilter(compiled.bytes, { config: "several", clock });
    clock.offset = 0n;
    clock.steady.advance(1000);
    expect(said(filter).filter((line) => line.endsWith(" 100")).length).toBeGreaterThanOrEqual(8);
    expect(said(filter).filter((line) => line.endsWith("once")).length).toBe(1);
  });

  test("set forward fires each once, not as often as it missed", async () => {
    const clock = new AdjustableClock();
    const filter = await loadFilter(compiled.bytes, { config: "several", clock });
    clock.offset = 3_600_000_000_000n;
    clock.steady.advance(75);
    expect(said(filter).map((line) => line.replace(/^\d+ /, ""))).toEqual(["70", "100", "250 once"]);
  });
});

test("a filter without timers has nothing of them", async () => {
  const source = (extra: string): string => `
    import { logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
    class Root extends RootContext {
      override onConfigure(_size: u32): bool { ${extra} return true; }
    }
    registerRootContext("", () => new Root());`;
  const without = await compileSource(source("logInfo('x');"));
  const using = await compileSource(source("this.setTimer<Root>(5, (self) => logInfo('x'));"));
  expect(without.exports).not.toContain("proxy_on_tick");
  expect(without.imports).not.toContain("env.proxy_set_tick_period_milliseconds");
  expect(without.imports).not.toContain("env.proxy_get_current_time_nanoseconds");
  expect(using.exports).toContain("proxy_on_tick");
});
