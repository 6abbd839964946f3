// Our host does what Envoy did, scenario by scenario. What Envoy did stands in test/conformance/recorded (npm run
// conformance:record), and test/full/conformance.test.ts looks whether it still does. A scenario that differs for a reason
// stands among the known gaps.

import { describe, expect, test } from "vitest";

import { Gap } from "../src/error.ts";
import { groups } from "./conformance/groups/index.ts";
import { runOnHost } from "./conformance/host.ts";
import { comparable, recordingOf } from "./conformance/recordings.ts";
import knownGaps from "./known-gaps.json" with { type: "json" };

const gaps: Readonly<Record<string, string>> = knownGaps;

describe.each(Object.entries(groups))("%s", (group, scenarios) => {
  const recorded = recordingOf(group);

  test("every scenario has a name of its own, and a recording", () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ name }) => name));
  });

  test.for(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async ([name, scenario]) => {
    const missing: string[] = [];
    const ours = await runOnHost(scenario, (_call, refusal) => {
      if (refusal instanceof Gap) missing.push(refusal.what);
    });
    expect(missing, "known gaps that it needs").toEqual([]);
    const theirs = comparable(recorded[name]!);
    if (scenario.fault) {
      // What Envoy does here is no answer; ours says so.
      expect(ours.crash).toMatch(scenario.fault);
    } else if (`conformance: ${group}: ${name}` in gaps) {
      expect(comparable(ours), "no difference any more: take it out of known-gaps.json").not.toEqual(theirs);
    } else {
      expect(comparable(ours)).toEqual(theirs);
    }
  });
});

test("every known difference is a scenario's", () => {
  const names = Object.entries(groups).flatMap(([group, all]) =>
    all.map(({ name }) => `conformance: ${group}: ${name}`),
  );
  expect(names).toEqual(expect.arrayContaining(Object.keys(gaps).filter((gap) => gap.startsWith("conformance: "))));
});
