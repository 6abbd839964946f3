// A test that the inspector has written passes in the project that it was written for.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, expect, test } from "vitest";

import { startInspected } from "../support/inspected.ts";
import { makeProject, removeProject } from "../support/project.ts";
import { closeAll, closeLater } from "../support/serve.ts";

afterAll(closeAll);

test("saved tests pass", async () => {
  const { server, folder, page } = await startInspected();
  const project = await makeProject({});
  closeLater(() => removeProject(project));
  const requests: [string, RequestInit][] = [
    ["/auth?a=b", { method: "POST", body: "<b>grüße</b>", headers: { "x-drop": "1" } }],
    ["/deny", {}],
    [
      "/auth/echo",
      { method: "POST", body: "top-secret", headers: { authorization: "Bearer top-secret", cookie: "a=abcdef" } },
    ],
    ["/bytes", { method: "PUT", body: Uint8Array.of(0, 255, 254) }],
  ];
  for (const [i, [path, options]] of requests.entries()) {
    await (await fetch(server.url + path, options)).arrayBuffer();
    await expect.poll(() => server.exchanges.length).toBe(i + 1);
    const response = await fetch(`${page}/api/exchanges/${i + 1}/save`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title: `request ${i} "quoted"` }),
    });
    expect(await response.json()).toEqual({ file: join("test", `request-${i}-quoted.test.ts`) });
  }
  mkdirSync(join(project, "test"));
  for (const i of requests.keys()) {
    copyFileSync(join(folder, `test/request-${i}-quoted.test.ts`), join(project, `test/${i}.test.ts`));
  }
  const vitest = resolve(import.meta.dirname, "../../node_modules/vitest/vitest.mjs");
  const output = execFileSync(process.execPath, [vitest, "run", "--no-color"], { cwd: project, encoding: "utf8" });
  expect(output).toMatch(/Tests {2}4 passed/);
});
