// Our host does what Envoy did, scenario by scenario. What Envoy did stands in test/conformance/recorded (npm run
// conformance:record), and test/full/conformance.test.ts looks whether it still does. A scenario that needs what is a known
// gap is left out, by its name; one that differs for a reason stands among the known gaps itself.

import { describe, expect, test } from "vitest";

import { Gap } from "../src/error.ts";
import { groups } from "./conformance/groups/index.ts";
import { runOnHost } from "./conformance/host.ts";
import { comparable, recordingOf } from "./conformance/recordings.ts";
import knownGaps from "./known-gaps.json" with { type: "json" };

const gaps: Readonly<Record<string, string>> = knownGaps;

/** The scenarios that are left out, which need a known gap. */
const leftOut: ReadonlySet<string> = new Set([
  "foreign: expressions",
  "foreign: expressions that fail",
  "foreign: what expressions give",
  "foreign: expressions of a header after it went on",
  "foreign: in on_log",
  "foreign: twice",
]);

describe.each(Object.entries(groups))("%s", (group, scenarios) => {
  const recorded = recordingOf(group);

  test("every scenario has a name of its own, and a recording", () => {
    expect(Object.keys(recorded)).toEqual(scenarios.map(({ name }) => name));
  });

  test.for(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    async ([name, scenario], { skip }) => {
      const missing = new Set<string>();
      const ours = await runOnHost(scenario, (_call, refusal) => {
        if (refusal instanceof Gap) missing.add(refusal.what);
      });
      expect(Object.keys(gaps)).toEqual(expect.arrayContaining([...missing]));
      expect([...missing], "whether it is left out, for which gap").toHaveLength(
        leftOut.has(`${group}: ${name}`) ? 1 : 0,
      );
      if (missing.size) skip(`known gap: ${[...missing].join()}`);
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

test("what is left out and every known difference is a scenario's", () => {
  const names = Object.entries(groups).flatMap(([group, all]) =>
    all.map(({ name }) => `conformance: ${group}: ${name}`),
  );
  expect(names).toEqual(expect.arrayContaining([...leftOut].map((name) => `conformance: ${name}`)));
  expect(names).toEqual(expect.arrayContaining(Object.keys(gaps).filter((gap) => gap.startsWith("conformance: "))));
});
