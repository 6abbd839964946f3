// Our host does what Envoy did, scenario by scenario. What Envoy did stands in test/conformance/recorded (npm run
// conformance:record), and test/full/conformance.test.ts looks whether it still does. A scenario that needs what is a known
// gap is left out; one that differs for a reason stands among the known gaps itself.

import { describe, expect, test } from "vitest";

import { groups } from "./conformance/groups/index.ts";
import { runOnHost } from "./conformance/host.ts";
import { filterOf } from "./conformance/probe.ts";
import { comparable, recordingOf } from "./conformance/recordings.ts";
import type { Observation, Scenario } from "./conformance/scenario.ts";
import knownGaps from "./known-gaps.json" with { type: "json" };

const gaps: Readonly<Record<string, string>> = knownGaps;

/** What a scenario needs and the host has not. */
function missing(scenario: Scenario): string[] {
  return [...filterOf(scenario).imports, ...(scenario.needs ?? [])].filter((need) => need in gaps);
}

/** The host calls that were answered with Unimplemented, which only a known gap is. */
function unimplemented({ log = [] }: Observation): string[] {
  return log.filter((line) => /^ {2}\w+ 12( |$)/.test(line));
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
