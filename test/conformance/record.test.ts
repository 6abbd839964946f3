// Records what Envoy does with every scenario: npm run conformance:record. With --group=name, only groups whose name
// contains it. What differs from one run to the next is run again until it does the same twice.

import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { test } from "vitest";

import { explainMissingEnvoy, findEnvoy } from "../support/envoy.ts";
import { groups } from "./groups/index.ts";
import { runInEnvoy } from "./live.ts";
import type { Observation, Scenario } from "./scenario.ts";

const only = process.env["npm_config_group"] ?? "";

test.each(Object.entries(groups).filter(([name]) => name.includes(only)))("records %s", async (group, scenarios) => {
  const envoy = findEnvoy();
  if (!envoy) return explainMissingEnvoy();
  const file = resolve(import.meta.dirname, "recorded", `${group}.json`);
  const before = existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as Record<string, Observation>) : {};
  const ends = ({ name, fault }: Scenario): boolean =>
    Boolean(before[name] ? (before[name].refused ?? before[name].crash) : fault);
  const seen = new Map<Scenario, Observation>();
  let open = scenarios;
  for (let run = 0; open.length; run++) {
    if (run === 6) throw new Error(`never the same twice: ${open.map(({ name }) => name).join(", ")}`);
    const observed = await runInEnvoy(envoy, open, ends);
    open = open.filter((scenario, i) => {
      const same = isDeepStrictEqual(seen.get(scenario), observed[i]);
      seen.set(scenario, observed[i]!);
      return !same;
    });
  }
  const recorded = Object.fromEntries(scenarios.map((scenario) => [scenario.name, seen.get(scenario)]));
  await writeFile(file, `${JSON.stringify(recorded, undefined, 1)}\n`);
});
