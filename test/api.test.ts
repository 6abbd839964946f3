// What the package promises is what the reports in test/api say. After a change that is meant: npm run api.

import { describe, expect, test } from "vitest";

import { sides } from "../docs/entry-points.mjs";
import { apiReports } from "./support/api-report.ts";

describe.each(sides)("the API of $name", async (side) => {
  const reports = await apiReports(side);

  test.each(side.entryPoints)("%s is as reported", async (entry) => {
    await expect(reports.get(entry)).toMatchFileSnapshot(`api/${side.folder}-${entry}.api.md`);
  });
});
