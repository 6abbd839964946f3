// A Chromium for tests with a browser.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where Chromium is: `CHROMIUM_PATH`, then `PATH`; undefined when it is nowhere. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const places = [process.env["CHROMIUM_PATH"], ...folders.map((folder) => join(folder, "chromium"))];
  return places.find((place) => place && existsSync(place));
}

/** Says that tests with a browser are left out and how to have them; fails in CI, where they never are. */
export function explainMissingChromium(): void {
  const text =
    "No Chromium was found (CHROMIUM_PATH, PATH), so the test with a browser is left out. " +
    "To have it: apt-get install chromium";
  if (process.env["CI"] === "true") throw new Error(text);
  console.warn(text);
}
