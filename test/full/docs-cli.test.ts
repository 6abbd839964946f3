// Every command of docs/cli.md does what it says, one after the other, in the project that the first one makes.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { codeBlocks } from "../support/blocks.ts";

const root = resolve(import.meta.dirname, "../..");
let folder: string;
beforeAll(async () => {
  // Inside of the repository, whose packages are then the project's.
  await mkdir(join(root, "test/build"), { recursive: true });
  folder = await mkdtemp(join(root, "test/build/docs-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the commands of docs/cli.md work", async () => {
  const [project, ...others] = await codeBlocks("docs/cli.md", "sh");
  const [init, ...rest] = project!.trim().split("\n");
  // The rest is what test/full/templates.test.ts does with every template.
  expect(rest).toEqual(["cd my-filter", "npm install", "npm test", "npm start"]);
  await proxyWasm(init!, folder);
  const commands = others.join("").trim().split("\n");
  expect(commands).toHaveLength(12);
  for (const command of commands) await proxyWasm(command, join(folder, "my-filter"));
  expect((await readdir(join(folder, "my-filter/build"))).sort()).toEqual([
    "debug.wasm",
    "debug.wasm.map",
    "release.wasm",
    "release.wasm.map",
  ]);
});

async function proxyWasm(line: string, cwd: string): Promise<void> {
  const [npx, name, ...args] = line.split(" ");
  expect([npx, name]).toEqual(["npx", "proxy-wasm"]);
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "dist/src/cli/main.js"), ...args], {
    cwd,
  });
  expect(stdout).not.toBe("");
}
