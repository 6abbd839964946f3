// Whatever a module calls, when and with what: the host throws nothing but its own errors, every exchange ends, and what
// answers Unimplemented is a known gap, or does so in Envoy.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect, test } from "vitest";

import {
  EnvoyFault,
  type Filter,
  type FilterStream,
  type Limits,
  LoadError,
  loadFilter,
  type Refusal,
  Status,
  StreamError,
  VirtualClock,
} from "../../src/index.ts";
import { Gap } from "../../src/error.ts";
import gaps from "../known-gaps.json" with { type: "json" };
import { type Random, randomModule, randomNumbers } from "../support/random-module.ts";

const MODULES = 1000;
const STREAMS = 100;
const HUNGRY_MODULES = 100;

/** What hungry modules may have of everything; together far less than they ask for. */
const MEBIBYTE = 1024 * 1024;
const tight: Partial<Limits> = {
  bufferBytes: MEBIBYTE,
  logLineBytes: MEBIBYTE,
  traceBytes: MEBIBYTE,
  headerMapBytes: MEBIBYTE,
  bodyBytes: MEBIBYTE,
  propertyBytes: MEBIBYTE,
  sharedDataBytes: MEBIBYTE,
  queueBytes: MEBIBYTE,
  metricBytes: MEBIBYTE,
  metricDefinitions: 1000,
  calloutRequestBytes: MEBIBYTE,
  foreignBytes: MEBIBYTE,
  deferredBytes: MEBIBYTE,
  callbackMs: 500,
};

const isOwn = (error: unknown): boolean =>
  error instanceof LoadError || error instanceof StreamError || error instanceof EnvoyFault;

/** What nobody knows to be missing, and answered Unimplemented. */
const unknownGaps = new Set<string>();

function onRefusal(call: string, refusal: Refusal): void {
  if (refusal.status !== Status.Unimplemented || call === "proxy_continue_stream") return;
  if (!(refusal instanceof Gap && refusal.what in gaps)) unknownGaps.add(`${call}: ${refusal.reason}`);
}

/** Drives a stream from its beginning to some end. */
function drive(stream: FilterStream, random: Random): void {
  const steps = [
    () => stream.requestHeaders({ ":method": "POST", ":path": "/a?b=c", ":authority": "a", "x-a": "1" }),
    () => stream.requestBody("some bytes"),
    () => random(8) || stream.requestMetadata({ a: "1" }),
    () => (random(2) ? stream.requestBody("", { endStream: true }) : stream.requestTrailers({ "x-t": "1" })),
    () => stream.responseHeaders({ ":status": "200", "x-a": "2" }),
    () => stream.responseBody("more bytes"),
    () => random(8) || stream.responseMetadata({ a: "1" }),
    () => random(8) || stream.foreignFunction(1, "bytes"),
    () => (random(2) ? stream.responseBody("", { endStream: true }) : stream.responseTrailers({ "x-t": "2" })),
  ];
  const most = random(8) ? steps.length : random(steps.length);
  for (const step of steps.slice(0, most)) {
    if (stream.ended) return;
    step();
  }
  if (!stream.ended) stream.reset();
}

async function exchange(filter: Filter, random: Random): Promise<void> {
  const upstream = () => ({ status: 200, headers: { "x-a": "1" }, body: ["some ", "bytes"] });
  const body = random(2) ? { body: ["a", "b"] } : {};
  await filter.request({ path: "/a?b=c", headers: { "x-a": "1" }, ...body }, { upstream });
}

/** Calls the filter as Envoy's other extensions do. */
async function extend(filter: Filter): Promise<void> {
  await allow(() => filter.statsUpdate({ counters: { a: 1 }, gauges: { b: 2 } }));
  await allow(() => filter.foreignFunction(1, "bytes"));
  await allow(() => {
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/" });
    stream.reset();
    filter.log(stream);
  });
}

/** Runs what may fail in the host's own ways; anything else is what this test looks for. */
async function allow(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!isOwn(error)) throw error;
  }
}

test(`${MODULES * STREAMS} runs of random modules`, { timeout: 600_000 }, async () => {
  const start = Number(process.env["SEED"] ?? 1);
  let loaded = 0;
  for (let seed = start; seed < start + MODULES; seed++) {
    const random = randomNumbers(seed);
    const bytes = randomModule(random);
    try {
      const failurePolicy = (["closed", "open", "reload", "fail_open"] as const)[random(4)]!;
      const allowOnHeadersStopIteration = random(2) === 1;
      await allow(async () => {
        const filter = await loadFilter(bytes, { config: "{}", failurePolicy, allowOnHeadersStopIteration, onRefusal });
        loaded++;
        for (let i = 0; i < STREAMS; i++) {
          await allow(() => (random(200) ? drive(filter.stream(), random) : exchange(filter, random)));
          await allow(() => void (filter.clock as VirtualClock).advance(random(100)));
        }
        await extend(filter);
        await allow(() => filter.close());
      });
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error });
    }
  }
  // Most must get as far as streams, or this tests nothing.
  expect(loaded).toBeGreaterThan(MODULES / 2);
  expect([...unknownGaps]).toEqual([]);
});

test(
  `${HUNGRY_MODULES} modules that ask for more than there is, or never end, get neither`,
  { timeout: 600_000 },
  async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const used = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const start = Number(process.env["SEED"] ?? 1);
    const [upstreams, grpc] = [{ auth: () => null }, { auth: () => null }];
    const before = used();
    const filters: Filter[] = [];
    for (let seed = start; seed < start + HUNGRY_MODULES; seed++) {
      const random = randomNumbers(seed);
      const bytes = randomModule(random, true);
      try {
        await allow(async () => {
          const filter = await loadFilter(bytes, {
            limits: tight,
            failurePolicy: "reload",
            upstreams,
            grpc,
            onRefusal,
          });
          filters.push(filter);
          for (let i = 0; i < 8; i++) await allow(() => drive(filter.stream(), random));
          await allow(() => void (filter.clock as VirtualClock).advance(100));
        });
      } catch (error) {
        throw new Error(`SEED=${seed}`, { cause: error });
      }
    }
    expect(filters.length).toBeGreaterThan(HUNGRY_MODULES / 2);
    // What is kept of all of them, on the average.
    expect((used() - before) / filters.length).toBeLessThan(4 * MEBIBYTE);
    expect([...unknownGaps]).toEqual([]);
  },
);
