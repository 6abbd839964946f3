// A test that the inspector has written type-checks and passes in the project that it was written for.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, expect, test } from "vitest";

import { startInspected } from "../support/inspected.ts";
import { makeProject, removeProject } from "../support/project.ts";
import { startCommand } from "../support/running-command.ts";
import { closeAll, closeLater } from "../support/serve.ts";

const root = resolve(import.meta.dirname, "../..");

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
    ["/reset", {}],
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
  copyFileSync(join(root, "templates/common/tsconfig.json"), join(project, "tsconfig.json"));
  expect(checked(project)).toMatch(/Tests {2}5 passed/);
});

test("a saved test imports the source where vitest compiles it", async () => {
  const project = await makeProject({
    "assembly/index.ts": readFileSync(join(root, "templates/add-header/assembly/index.ts"), "utf8"),
    "tsconfig.json": readFileSync(join(root, "templates/common/tsconfig.json"), "utf8"),
    "vitest.config.ts": readFileSync(join(root, "templates/common/vitest.config.ts"), "utf8"),
  });
  closeLater(() => removeProject(project));
  const child = startCommand(["serve", "--port", "0", "--no-watch", "--inspect"], { cwd: project });
  closeLater(() => child.stop());
  const [, url] = await child.says(/curl -i (\S+)/, 60);
  const [, page] = await child.says(/exchanges on (\S+)/);
  await (await fetch(url!)).text();
  const saved = await fetch(`${page}api/exchanges/1/save`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ title: "hello" }),
  });
  expect(await saved.json()).toEqual({ file: join("test", "hello.test.ts") });
  await child.stop();
  // It is the source that is tested.
  rmSync(join(project, "build"), { recursive: true });
  expect(checked(project)).toMatch(/Tests {2}1 passed/);
});

/** Type-checks a project, and gives what vitest says of its tests. */
function checked(project: string): string {
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], {
    cwd: project,
    stdio: "inherit",
  });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  return execFileSync(process.execPath, [vitest, "run", "--no-color"], { cwd: project, encoding: "utf8" });
}
