// Timers in a real Envoy, which ticks in its worker and in its main thread.

import { expect, test } from "vitest";

import { compileFilter } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, startEnvoy } from "./support/envoy.ts";
import { filterInEnvoy } from "./support/filter-in-envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

test.skipIf(!envoy)("several timers fire in the order they are due, in the worker and in the main thread", async () => {
  const { file } = await compileFilter("timers");
  const running = await startEnvoy(envoy!, filterInEnvoy(await freePort(), file, "several"), ".");
  try {
    // Each line has the number of the thread that ticked.
    const threads = (): Map<string, string[]> => {
      const lines = new Map<string, string[]>();
      for (const [, thread, what] of running.log().matchAll(/\]\[(\d+)\]\[info\]\[wasm\].* wasm log: \d+ (.+)/g)) {
        lines.set(thread!, [...(lines.get(thread!) ?? []), what!]);
      }
      return lines;
    };
    await running.logged("250 once");
    const both = (): string[][] => [...threads().values()].filter((said) => said.includes("250 once"));
    for (let i = 0; i < 500 && both().length < 2; i++) await new Promise((next) => setTimeout(next, 10));
    expect(both()).toHaveLength(2);
    // However late a tick is, what is due earlier comes first.
    for (const said of both()) expect([...new Set(said)]).toEqual(["70", "100", "250 once"]);
  } finally {
    await running.stop();
  }
});
