// The filter and the tests in docs/testing.md, in a project of their own.

import { expect, test } from "vitest";

import { codeBlocks } from "./support/blocks.ts";
import { compileSource } from "./support/compile.ts";
import { startVitest } from "./support/vitest-project.ts";

test("docs/testing.md: every test of it passes", async () => {
  const [filter, ...parts] = await codeBlocks("docs/testing.md", "ts");
  const { bytes } = await compileSource(filter!);
  await using vitest = await startVitest("run", {
    "auth.test.ts": parts.join("\n"),
    "vitest.config.js": "export default {};",
    "build/release.wasm": bytes,
  });
  await vitest.ended;
  expect(vitest.output()).toMatch(/Tests +5 passed \(5\)/);
}, 60_000);
