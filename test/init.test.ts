// `init` on the command line and on a terminal: what it writes, what it asks, and what it leaves alone.

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { run } from "../src/cli/run.ts";
import { command } from "./support/command.ts";

let folder: string;
let target: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-init-"));
  target = join(folder, "my-filter");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Does something in the folder. */
async function inFolder(action: () => Promise<void>): Promise<void> {
  const before = process.cwd();
  process.chdir(folder);
  await action().finally(() => process.chdir(before));
}

/** The files below a folder, sorted. */
async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1)).sort();
}

async function packageJson(path: string = target): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(path, "package.json"), "utf8")) as Record<string, unknown>;
}

const usual = [
  ".gitignore",
  "README.md",
  "asconfig.json",
  "assembly/index.ts",
  "assembly/tsconfig.json",
  "package.json",
  "test/add-header.test.ts",
  "tsconfig.json",
  "vitest.config.ts",
];

describe("without a terminal", () => {
  test("makes the project, and says what comes next", async () => {
    const { code, stdout, stderr } = await command(["init", target, "--package-manager", "npm"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^Made my-filter from the template add-header\.\n\nNext:\n {2}cd \S+my-filter\n {2}npm install\n {2}npm test\n {2}npm start\n$/,
    );
    expect(await readdir(folder)).toEqual(["my-filter"]);
    expect(await filesIn(target)).toEqual(usual);
    expect(await readFile(join(target, "README.md"), "utf8")).not.toContain("{{");
    const { version, peerDependencies } = JSON.parse(await readFile("package.json", "utf8")) as {
      version: string;
      peerDependencies: Record<string, string>;
    };
    expect(await packageJson()).toEqual({
      name: "my-filter",
      version: "0.0.0",
      private: true,
      type: "module",
      scripts: { build: "proxy-wasm build", start: "proxy-wasm build && proxy-wasm serve", test: "vitest run" },
      devDependencies: {
        assemblyscript: peerDependencies["assemblyscript"],
        "proxy-wasm": `^${version}`,
        vitest: peerDependencies["vitest"],
      },
    });
  });

  test.each([
    ["rewrite-body", []],
    ["auth-callout", ["auth-server.js"]],
    ["local-reply", ["assembly/path.ts"]],
    ["tcp", ["envoy.yaml"]],
    ["access-log", []],
  ])("makes one from the template %s", async (template, more) => {
    const words = ["--template", template, "--name", "@acme/filter", "--package-manager", "pnpm"];
    const { code, stdout } = await command(["init", target, ...words]);
    expect(code).toBe(0);
    expect(stdout).toContain("  pnpm test\n");
    expect(await packageJson()).toMatchObject({ name: "@acme/filter" });
    expect(await readFile(join(target, "README.md"), "utf8")).toMatch(/^# @acme\/filter\n[^]*\npnpm test /);
    const files = usual.map((file) => file.replace("add-header.test", `${template}.test`));
    expect(await filesIn(target)).toEqual([...files, ...more].sort());
  });

  test("makes a name of the folder's", async () => {
    await command(["init", join(folder, "My Filter (2)")]);
    expect(await packageJson(join(folder, "My Filter (2)"))).toMatchObject({ name: "my-filter-2" });
    await command(["init", join(folder, "..."), "--yes"]);
    expect(await packageJson(join(folder, "..."))).toMatchObject({ name: "my-filter" });
  });

  test("leaves a folder alone that is not empty, but for a repository", async () => {
    await mkdir(join(target, ".git"), { recursive: true });
    expect(await command(["init", target])).toMatchObject({ code: 0 });
    const before = await filesIn(target);
    await writeFile(join(target, "README.md"), "mine");
    const { code, stdout, stderr } = await command(["init", target, "--template", "tcp"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(
      `error: ${target} is not empty (.gitignore, README.md, asconfig.json, …); ` +
        "choose another folder, or --force to replace files of the same names\n",
    );
    expect(await filesIn(target)).toEqual(before);
    expect(await readFile(join(target, "README.md"), "utf8")).toBe("mine");
  });

  test("replaces files of the same names with --force, and no others", async () => {
    await mkdir(join(target, "assembly"), { recursive: true });
    await writeFile(join(target, "README.md"), "mine");
    await writeFile(join(target, "assembly/own.ts"), "mine");
    expect(await command(["init", target, "--force"])).toMatchObject({ code: 0 });
    expect(await filesIn(target)).toEqual([...usual, "assembly/own.ts"].sort());
    expect(await readFile(join(target, "README.md"), "utf8")).toMatch(/^# my-filter\n/);
    expect(await readFile(join(target, "assembly/own.ts"), "utf8")).toBe("mine");
  });

  test.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    [
      "a link",
      async (path) => symlink(tmpdir(), join(path, "assembly")),
      /assembly is a link, and nothing is written outside of /,
    ],
    [
      "a link in place of a file",
      async (path) => symlink("/etc/hostname", join(path, "README.md")),
      /README\.md is a link/,
    ],
    [
      "a file in place of a folder",
      async (path) => writeFile(join(path, "test"), ""),
      /test is a file; a folder has to be there/,
    ],
    [
      "a folder in place of a file",
      async (path) => mkdir(join(path, "tsconfig.json")),
      /tsconfig\.json is a folder; a file has to be written there/,
    ],
  ])("writes nothing at all when there is %s in its way", async (_what, make, message) => {
    await mkdir(target);
    await make(target);
    const before = await readdir(target);
    const { code, stderr } = await command(["init", target, "--force"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await readdir(target)).toEqual(before);
  });

  test("refuses a file in place of the folder, and a folder that cannot be made", async () => {
    await writeFile(target, "mine");
    expect(await command(["init", target])).toMatchObject({
      code: 1,
      stderr: `error: ${target} is a file; give a folder, which may be new\n`,
    });
    const { code, stderr } = await command(["init", join(target, "inside")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: cannot look at .*inside: ENOTDIR/);
    expect(await readFile(target, "utf8")).toBe("mine");
  });

  test.each([
    ["My Filter", "a name has lower-case letters, digits, - . _ and ~"],
    ["../filter", "a name has lower-case letters"],
    ["_filter", "does not begin with . or _"],
    ["a".repeat(215), "a name has at most 214 characters"],
    ["node_modules", "this name is taken"],
    ["", "a name has at least one character"],
  ])("refuses the name %j", async (name, reason) => {
    const { code, stderr } = await command(["init", target, "--name", name]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error: "${name}" cannot be the package's name: `);
    expect(stderr).toContain(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  test("refuses a template that there is not, with those that there are", async () => {
    const { code, stderr } = await command(["init", target, "--template", "body"]);
    expect(code).toBe(2);
    expect(stderr).toContain(
      "Allowed choices are add-header, rewrite-body, auth-callout, local-reply, tcp, access-log.",
    );
  });
});

test("create-proxy-wasm goes with this version", async () => {
  const { version } = await packageJson(".");
  expect(await packageJson("create-proxy-wasm")).toMatchObject({
    version,
    dependencies: { "proxy-wasm": `^${String(version)}` },
  });
});

test("npm start of a TCP filter runs the Envoy that ENVOY_PATH names", async () => {
  await command(["init", target, "--template", "tcp"]);
  const { scripts } = (await packageJson()) as { scripts: { start: string } };
  const stranger = join(folder, "my envoy");
  await writeFile(stranger, '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  const start = scripts.start.replace(/^proxy-wasm build && /, "");
  const env = { ...process.env, ENVOY_PATH: stranger };
  expect(execFileSync("/bin/sh", ["-c", start], { env, encoding: "utf8" })).toBe("-c envoy.yaml\n");
});

describe("on a terminal", () => {
  /** Runs `init` and answers each question, by what it asks, with these keys. */
  async function answer(
    args: string[],
    answers: [RegExp, string][],
    all: { shown: string } = { shown: "" },
  ): Promise<{ code: number; stderr: string }> {
    const [input, output] = [new PassThrough(), new PassThrough()];
    let shown = "";
    let stderr = "";
    output.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
      all.shown += chunk.toString();
      const [next] = answers;
      if (!next || !next[0].test(shown)) return;
      answers.shift();
      shown = "";
      // After the question is drawn, as a person would.
      setImmediate(() => input.write(next[1]));
    });
    const code = await run(["init", ...args], {
      stdout: { write: () => true },
      stderr: { write: (text: string) => (stderr += text) },
      signal: new AbortController().signal,
      terminal: { input, output },
    });
    return { code, stderr };
  }
  const [enter, down, escape, controlD] = ["\r", "\x1b[B", "\x1b", "\x04"];

  test("asks for what the flags do not say", async () => {
    const { code, stderr } = await answer(
      [target],
      [
        [/What is the filter to do\?/, down + enter],
        [/What is the package's name\?/, enter],
        [/Install the dependencies with \w+ now\?/, `${"\x1b[C"}${enter}`],
      ],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await readdir(join(target, "test"))).toEqual(["rewrite-body.test.ts"]);
    expect(await packageJson()).toMatchObject({ name: "my-filter" });
  });

  test("asks nothing when the flags say everything, or with --yes", async () => {
    const all = ["--template", "tcp", "--name", "a", "--no-install"];
    expect(await answer([target, ...all], [])).toEqual({ code: 0, stderr: "" });
    expect(await answer([join(folder, "other"), "--yes"], [])).toEqual({ code: 0, stderr: "" });
  });

  test("asks before it writes into a folder that is not empty, and writes nothing when it is told not to", async () => {
    await mkdir(target);
    await writeFile(join(target, "README.md"), "mine");
    expect(await answer([target], [[/is not empty\. Write into it/, enter]])).toEqual({
      code: 1,
      stderr: "error: cancelled; nothing was written\n",
    });
    expect(await readdir(target)).toEqual(["README.md"]);
  });

  test("offers a folder and a name, which other ones replace", async () => {
    await inFolder(async () => {
      const rest = ["--template", "tcp", "--no-install"];
      expect(
        await answer(rest, [
          [/Where to\?/, enter],
          [/package's name\?/, enter],
        ]),
      ).toMatchObject({ code: 0 });
      expect(
        await answer(rest, [
          [/Where to\?/, `abc${enter}`],
          [/package's name\?/, enter],
        ]),
      ).toMatchObject({ code: 0 });
    });
    expect((await readdir(folder)).sort()).toEqual(["abc", "my-filter"]);
    const { name } = JSON.parse(await readFile(join(folder, "abc/package.json"), "utf8")) as { name: string };
    expect(name).toBe("abc");
  });

  test.each([
    ["a choice", ["a"], /What is the filter to do\?/],
    ["a text", [], /Where to\?/],
    ["yes or no", ["a", "--template", "tcp", "--name", "a"], /Install the dependencies/],
  ])("Ctrl-D cancels %s, and nothing is coloured without colours", async (_what, args, question) => {
    const all = { shown: "" };
    await inFolder(async () => {
      expect(await answer(args, [[question, controlD]], all)).toEqual({
        code: 1,
        stderr: "error: cancelled; nothing was written\n",
      });
    });
    expect(all.shown).toMatch(/\x1b\[\?25h$/);
    expect(all.shown).not.toMatch(/\x1b\[[\d;]*m/);
    expect(await readdir(folder)).toEqual([]);
  });

  test("writes nothing when a question is not answered", async () => {
    expect(await answer([target], [[/What is the filter to do\?/, escape]])).toEqual({
      code: 1,
      stderr: "error: cancelled; nothing was written\n",
    });
    expect(await readdir(folder)).toEqual([]);
  });
});
