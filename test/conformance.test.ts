// Our host does what Envoy did, scenario by scenario; and Envoy still does, where there is one. What Envoy did stands in
// test/conformance/recorded (npm run conformance:record). A scenario that needs what is a known gap is left out; one that
// differs for a reason stands among the known gaps itself.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { describe, expect, test } from "vitest";

import { groups } from "./conformance/groups/index.ts";
import { runOnHost } from "./conformance/host.ts";
import { runInEnvoy } from "./conformance/live.ts";
import { filterOf } from "./conformance/probe.ts";
import type { Observation, Scenario } from "./conformance/scenario.ts";
import knownGaps from "./known-gaps.json" with { type: "json" };
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";

const gaps: Readonly<Record<string, string>> = knownGaps;

function recordingOf(group: string): Readonly<Record<string, Observation>> {
  const file = resolve(import.meta.dirname, "conformance/recorded", `${group}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, Observation>;
}

/** What a scenario needs and the host has not. */
function missing(scenario: Scenario): string[] {
  return [...filterOf(scenario).imports, ...(scenario.needs ?? [])].filter((need) => need in gaps);
}

/** The host calls that were answered with Unimplemented, which only a known gap is. */
function unimplemented({ log = [] }: Observation): string[] {
  return log.filter((line) => /^ {2}\w+ 12( |$)/.test(line));
}

/** What can be compared: our words for a refusal or a crash are our own. */
function comparable({ refused, crash, ...rest }: Observation): unknown {
  return crash ? "a crash" : refused ? "refused" : rest;
}

describe.each(Object.entries(groups))("%s", (group, scenarios) => {
  const recorded = recordingOf(group);

  test("every scenario has a name of its own, and a recording", () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ name }) => name));
  });

  test.for(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    async ([name, scenario], { skip }) => {
      const lacks = missing(scenario);
      if (lacks.length) skip(`known gaps: ${lacks.join(", ")}`);
      const ours = await runOnHost(scenario);
      const refusals = unimplemented(ours).filter((line) => !recorded[name]!.log?.includes(line));
      if (refusals.length) skip(`known gaps: ${refusals.join(", ")}`);
      const theirs = comparable(recorded[name]!);
      if (scenario.fault) {
        // What Envoy does here is no answer; ours says so.
        expect(ours.crash).toMatch(scenario.fault);
      } else if (`conformance: ${group}: ${name}` in gaps) {
        expect(comparable(ours), "no difference any more: take it out of known-gaps.json").not.toEqual(theirs);
      } else {
        expect(comparable(ours)).toEqual(theirs);
      }
    },
  );
});

test("every known difference is one of a scenario", () => {
  const names = Object.entries(groups).flatMap(([group, all]) =>
    all.map(({ name }) => `conformance: ${group}: ${name}`),
  );
  expect(names).toEqual(expect.arrayContaining(Object.keys(gaps).filter((gap) => gap.startsWith("conformance: "))));
});

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
