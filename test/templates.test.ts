// The tests that `init` puts into projects pass there. Their installation from packages: test/full/templates.test.ts.

import { expect, test } from "vitest";

import { projectFiles, templates } from "../src/cli/init/templates.ts";
import { startVitest } from "./support/vitest-project.ts";

test("the tests of every template pass in its project", async () => {
  const files: Record<string, string> = {
    "vitest.config.ts": `
      import { filters } from "proxy-wasm/vitest/plugin";
      export default { plugins: [filters()], test: { root: import.meta.dirname, testTimeout: 30_000 } };`,
  };
  for (const template of templates) {
    const project = await projectFiles({ template, name: template.name, packageManager: "npm" });
    for (const [path, text] of project) files[`${template.name}/${path}`] = text;
  }
  await using vitest = await startVitest("run", files);
  await vitest.ended;
  expect(vitest.output()).toMatch(/Test Files {2}6 passed \(6\)/);
}, 120_000);
