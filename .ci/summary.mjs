// Closes a run with one line that counts the tests of every runner of vitest.

import { readFile } from "node:fs/promises";

let [passed, failed, skipped] = [0, 0, 0];
for (const file of ["build/vitest.json", "build/vitest-full.json"]) {
  const report = JSON.parse(await readFile(file, "utf8"));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed || !passed ? 1 : 0;
