// Envoy still does what was recorded of it.

import { isDeepStrictEqual } from "node:util";

import { describe, expect, test } from "vitest";

import { groups } from "../conformance/groups/index.ts";
import { runInEnvoy } from "../conformance/live.ts";
import { comparable, recordingOf } from "../conformance/recordings.ts";
import type { Scenario } from "../conformance/scenario.ts";
import { explainMissingEnvoy, findEnvoy } from "../support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("a live Envoy", () => {
  // Nearly all of the time is spent waiting.
  test.concurrent.each(Object.entries(groups))(
    "does what was recorded: %s",
    { timeout: 300_000 },
    async (group, scenarios) => {
      const recorded = recordingOf(group);
      const ends = ({ name }: Scenario): boolean => Boolean(recorded[name]!.refused ?? recorded[name]!.crash);
      const differences = async (some: readonly Scenario[]): Promise<[Scenario, unknown][]> => {
        const observed = await runInEnvoy(envoy!, some, ends);
        const compared = some.map((scenario, i): [Scenario, unknown] => [scenario, comparable(observed[i]!)]);
        return compared.filter(([{ name }, live]) => !isDeepStrictEqual(live, comparable(recorded[name]!)));
      };
      // On a busy machine two packets may come as one, so what differs has further chances.
      let differing = await differences(scenarios);
      for (let i = 0; i < 4 && differing.length; i++)
        differing = await differences(differing.map(([scenario]) => scenario));
      const now = Object.fromEntries(differing.map(([{ name }, live]) => [name, live]));
      expect(now).toEqual(Object.fromEntries(differing.map(([{ name }]) => [name, comparable(recorded[name]!)])));
    },
  );
});
