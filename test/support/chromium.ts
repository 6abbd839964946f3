// A Chromium for tests with a browser.

import { existsSync } from "node:fs";

import { findProgram, leaveOut } from "./programs.ts";

/** Where Chromium is: `CHROMIUM_PATH`, then `PATH`; undefined when it is nowhere. */
export function findChromium(): string | undefined {
  return [process.env["CHROMIUM_PATH"], findProgram("chromium")].find((place) => place && existsSync(place));
}

/** Says that tests with a browser are left out and how to have them; fails in CI, where they never are. */
export function explainMissingChromium(): void {
  leaveOut(
    "No Chromium was found (CHROMIUM_PATH, PATH), so the test with a browser is left out. " +
      "To have it: apt-get install chromium",
  );
}
