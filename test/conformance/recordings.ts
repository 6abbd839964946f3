// What Envoy did in the scenarios of each group.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import type { Observation } from "./scenario.ts";
import { mask } from "./wire.ts";

/** The recording of a group, by the names of its scenarios. */
export function recordingOf(group: string): Readonly<Record<string, Observation>> {
  const file = resolve(import.meta.dirname, "recorded", `${group}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, Observation>;
}

/** What can be compared: our words for a refusal or a crash are our own. */
export function comparable({ refused, crash, ...rest }: Observation): unknown {
  return crash ? "a crash" : refused ? "refused" : mask(rest);
}
