// The bytes of the fixed filters, built as `npm run build` does.

import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

test.each([
  ["bench/build/add-header.wasm", 4096],
  ["bench/build/read-and-tag.wasm", 6144],
  ["bench/build/local-reply.wasm", 6144],
  ["examples/add-header/build/release.wasm", 7168],
])("%s has at most %i bytes", async (file, most) => {
  expect((await stat(resolve(import.meta.dirname, "..", file))).size).toBeLessThanOrEqual(most);
});

test("a filter of each family has the size that bench/sizes.md lists", async () => {
  const script = resolve(import.meta.dirname, "../bench/sizes.mjs");
  await promisify(execFile)(process.execPath, [script, "--check"]);
}, 300_000);
