// Whatever a module calls, when and with what: the host throws nothing but its own errors, every exchange ends, and what
// answers Unimplemented is a known gap, or does so in Envoy.

import { expect, test } from "vitest";

import {
  EnvoyFault,
  type Filter,
  type FilterStream,
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
