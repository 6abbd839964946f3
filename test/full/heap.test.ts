// Random filters do the same with our runtime, with every object overwritten when it is freed, and with asc's own.

import { afterAll, expect, test } from "vitest";

import { loadFilter } from "../../src/index.ts";
import { compileSource, removeBuild } from "../support/compile.ts";
import { randomNumbers } from "../support/random-module.ts";
import { randomObjects } from "../support/random-objects.ts";

const FILTERS = 25;
const STREAMS = 30;

afterAll(removeBuild);

/** What a filter logs over streams that overlap. */
async function run(bytes: Uint8Array, seed: number): Promise<string[]> {
  const random = randomNumbers(seed);
  const lines: string[] = [];
  const filter = await loadFilter(bytes, { onLog: ({ message }) => lines.push(message) });
  const open = [];
  for (let i = 0; i < STREAMS; i++) {
    const stream = filter.stream();
    stream.requestHeaders([
      [":method", "GET"],
      [":path", `/${i}`],
      [":authority", "a"],
      ["x-empty", ""],
    ]);
    open.push(stream);
    while (open.length > random(6)) {
      const [one] = open.splice(random(open.length), 1);
      if (random(3)) one!.responseHeaders({ ":status": "200" }, { endStream: true });
      if (!one!.ended) one!.reset();
    }
  }
  for (const stream of open) stream.reset();
  expect(filter.trap).toBeNull();
  return lines;
}

test(`${FILTERS} random filters see the same objects with every runtime`, { timeout: 600_000 }, async () => {
  const start = Number(process.env["SEED"] ?? 1);
  for (let seed = start; seed < start + FILTERS; seed++) {
    const source = randomObjects(randomNumbers(seed));
    const expected = await run((await compileSource(source, ["--runtime", "incremental"])).bytes, seed);
    expect(expected.length).toBeGreaterThan(STREAMS);
    for (const flags of [[], ["--use", "GC_STRESS=1"], ["--use", "GC_STRESS=2"]]) {
      expect(await run((await compileSource(source, flags)).bytes, seed), `SEED=${seed} ${flags.join(" ")}`).toEqual(
        expected,
      );
    }
  }
});
