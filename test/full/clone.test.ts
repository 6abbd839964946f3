// The commands of the README that make something of a fresh clone in an empty folder.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, expect, test } from "vitest";

import { codeBlocks } from "../support/blocks.ts";

const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-clone-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("npm ci && npm start serves the first example until Ctrl-C", async () => {
  const [start, check] = await codeBlocks("README.md", "sh");
  expect(start).toBe("npm ci && npm start\n");
  expect(check).toBe("npm ci && npm test\n");
  execFileSync("git", ["clone", "--quiet", resolve(import.meta.dirname, "../.."), folder]);
  const child = spawn("bash", ["-c", start!], { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
  try {
    const output = await serving(child);
    const curl = /curl -i (\S+)/.exec(output)![1]!;
    expect(curl).toBe("http://localhost:8080/");
    const response = await fetch(curl);
    expect(response.headers.get("x-service-name")).toBe("my-custom-service");
    expect(await response.text()).toBe("Hello, world!");
  } finally {
    process.kill(-child.pid!, "SIGINT");
  }
  await new Promise((done) => child.once("exit", done));
});

test("npm pack builds what it packs", () => {
  rmSync(join(folder, "dist"), { recursive: true });
  const output = execFileSync("npm", ["pack", "--json"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  const [packed] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  expect(packed.files.map(({ path }) => path)).toContain("dist/src/cli/main.js");
  expect(existsSync(join(folder, packed.filename))).toBe(true);
});

function serving(child: ChildProcess): Promise<string> {
  return new Promise((done, reject) => {
    let text = "";
    const hear = (chunk: Buffer): void => {
      text += chunk.toString();
      if (text.includes("Stop it: Ctrl-C")) done(text);
    };
    child.stdout!.on("data", hear);
    child.stderr!.on("data", hear);
    child.once("exit", (code) => reject(new Error(`npm start ended with ${code}:\n${text}`)));
  });
}
