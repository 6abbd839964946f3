// The package as a stranger gets it: packed in a fresh clone, installed in an empty folder, and used as the README says.

import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, expect, test } from "vitest";

import { codeBlocks } from "../support/blocks.ts";

const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-stranger-"));
const clone = mkdtempSync(join(tmpdir(), "proxy-wasm-packed-"));
afterAll(() => {
  for (const path of [folder, clone]) rmSync(path, { recursive: true, force: true });
});

const root = resolve(import.meta.dirname, "../..");
const npm = (args: string[], cwd: string): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: "pipe" });

test("the README's filter and test build and pass with the packed package", async () => {
  // A clone has no dist/: packing has to make it.
  execFileSync("git", ["clone", "--quiet", root, clone]);
  npm(["ci", "--no-audit", "--no-fund"], clone);
  const [packed] = JSON.parse(npm(["pack", "--json", "--pack-destination", folder], clone)) as {
    filename: string;
    files: { path: string }[];
  }[];
  const paths = packed!.files.map((file) => file.path);
  expect(paths).toContain("dist/src/index.js");
  expect(paths).toContain("dist/src/cli/main.js");
  expect(paths).toContain("dist/assembly/abi.js");
  expect(paths).toContain("assembly/index.ts");
  // The tests of the templates are their projects' own; `gaps` prints what stands among those of the host.
  const own = paths.filter((path) => !path.startsWith("templates/"));
  expect(own.filter((path) => /__tests__|\.test\.|^test\/|^bench\/|^examples\//.test(path))).toEqual([
    "test/known-gaps.json",
  ]);

  const [filter, unitTest] = await codeBlocks("README.md", "ts");
  const [config] = await codeBlocks("README.md", "json");
  mkdirSync(join(folder, "assembly"));
  mkdirSync(join(folder, "test"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  writeFileSync(join(folder, "assembly/index.ts"), filter!);
  writeFileSync(join(folder, "asconfig.json"), config!);
  writeFileSync(join(folder, "test/add-header.test.ts"), unitTest!);
  npm(
    ["install", "--no-audit", "--no-fund", join(folder, packed!.filename), "assemblyscript@0.28.20", "vitest@4"],
    folder,
  );
  npm(["exec", "--", "asc", "--target", "release"], folder);
  expect(npm(["exec", "--", "vitest", "run", "--no-color"], folder)).toMatch(/Tests {2}1 passed/);
  expect(npm(["exec", "--", "proxy-wasm", "serve", "--help"], folder)).toContain("Usage: proxy-wasm serve");
  const gaps = JSON.parse(npm(["exec", "--", "proxy-wasm", "gaps", "--json"], folder)) as unknown;
  expect(gaps).toEqual(JSON.parse(readFileSync(join(root, "test/known-gaps.json"), "utf8")));
});
