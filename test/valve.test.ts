import { expect, test } from "vitest";

import { Valve } from "../src/serve/valve.ts";

test("a sender runs again only when nobody wants it stopped", () => {
  const said: string[] = [];
  const valve = new Valve({ pause: () => said.push("pause"), resume: () => said.push("resume") });
  valve.stop("socket", true);
  valve.stop("socket", true);
  valve.stop("filter", true);
  valve.stop("socket", false);
  expect(said).toEqual(["pause"]);
  valve.stop("filter", false);
  valve.stop("filter", false);
  expect(said).toEqual(["pause", "resume"]);
});
