// `build` in a project of its own: what it writes, says and refuses, and that it builds again on save.

import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { run } from "../src/cli/run.ts";
import { command } from "./support/command.ts";

const header = (value: string): string => `
  import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
  import { value } from "./value";
  class Filter extends HttpContext {
    override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
      this.responseHeaders.set("x-a", value + "${value}");
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`;

const configuration = {
  extends: "proxy-wasm/asconfig.json",
  entries: ["assembly/index.ts"],
  targets: { release: { outFile: "build/release.wasm" }, debug: { outFile: "build/debug.wasm" }, lost: {} },
};

let folder: string;
beforeEach(async () => {
  // A project may lie below such a folder itself.
  const root = resolve(import.meta.dirname, "build/node_modules");
  await mkdir(root, { recursive: true });
  folder = await mkdtemp(join(root, "project-"));
  await mkdir(join(folder, "assembly"));
  await put("asconfig.json", JSON.stringify(configuration));
  await put("assembly/index.ts", header("one"));
  await put("assembly/value.ts", 'export const value: string = "a ";');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
const built = async (): Promise<string[]> => (await readdir(join(folder, "build")).catch(() => [])).sort();

describe("build", () => {
  test("compiles each target with its source map, and says what came of it", async () => {
    const { code, stdout, stderr } = await command(["build", folder, "--target", "release", "debug", "--for", "istio"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^\S+build\/release\.wasm: \d,\d{3} bytes, ABI 0\.2\.1, in \d+\.\d s\n\S+build\/debug\.wasm: [\d,]+ bytes, .*\n$/,
    );
    expect(await built()).toEqual(["debug.wasm", "debug.wasm.map", "release.wasm", "release.wasm.map"]);
    const before = (await stat(join(folder, "build/release.wasm"))).size;

    const words = ["--json", "--small", "--for", "apisix", "--", "--exportStart", "_start"];
    const small = await command(["build", folder, ...words]);
    const line = JSON.parse(small.stdout) as { bytes: number; target: string; verdicts: { verdict: string }[] };
    expect(small.code).toBe(0);
    expect(line).toMatchObject({ target: "release", abi: "0.2.1", verdicts: [{ target: "apisix", verdict: "loads" }] });
    expect(line.bytes).toBeLessThan(before);
  });

  test("finds targets where asc does: in what the configuration extends, and release without any", async () => {
    const { targets } = configuration;
    await put(
      "base.json",
      JSON.stringify({ extends: "./more.json", targets: { fast: { outFile: "build/fast.wasm" } } }),
    );
    await put("more.json", JSON.stringify({ extends: "proxy-wasm/asconfig.json", targets }));
    await put("asconfig.json", JSON.stringify({ extends: "./base.json", entries: configuration.entries }));
    expect(await command(["build", folder, "--target", "fast", "--quiet"])).toMatchObject({ code: 0, stderr: "" });
    expect(await built()).toEqual(["fast.wasm"]);
    expect(await command(["build", folder, "--target", "slow"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/asconfig\.json has no target "slow"; it has: fast, release, debug, lost\n$/),
    });
    await put("assembly/plain.ts", "export function f(): void {}");
    const options = { outFile: "build/plain.wasm", runtime: "stub" };
    await put("asconfig.json", JSON.stringify({ entries: ["assembly/plain.ts"], options }));
    expect((await command(["build", folder])).stderr).toMatch(/^error: \S+plain\.wasm would be refused by/);
    expect((await command(["build", folder, "--target", "fast"])).stderr).toMatch(/no target "fast"; it has: none\n$/);
  });

  test("fails when a chosen proxy would refuse the module", async () => {
    const { code, stdout, stderr } = await command(["build", folder, "--quiet", "--for", "apisix"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: \S+release\.wasm would be refused by Apache APISIX: _initialize is never called/);
  });

  test("says what does not compile, and where, and leaves what was built before", async () => {
    await command(["build", folder]);
    const before = await readFile(join(folder, "build/release.wasm"));
    await put("assembly/value.ts", "export const value: string = 5;");
    const here = process.cwd();
    process.chdir(folder);
    const { code, stdout, stderr } = await command(["build"]).finally(() => process.chdir(here));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/ERROR TS2322: Type 'i32' is not assignable to type '~lib\/string\/String'/);
    expect(stderr).toContain("in assembly/value.ts(1,30)");
    expect(stderr).toMatch(/\nerror: the filter does not compile: 1 compile error\(s\)\n$/);
    expect(await readFile(join(folder, "build/release.wasm"))).toEqual(before);
    expect(await built()).toEqual(["release.wasm", "release.wasm.map"]);
  });

  test("says when there is no place for the module", async () => {
    await put("build", "a file");
    expect(await command(["build", folder])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .* cannot write it: E\w+: .*build/),
    });
    expect(await readdir(folder)).toEqual(["asconfig.json", "assembly", "build"]);
  });

  test("warns of a class that no proxy calls", async () => {
    await put(
      "assembly/index.ts",
      `import { HttpContext, registerHttpContext } from "proxy-wasm/assembly";
       class Filter extends HttpContext { onRequestHeader(): void {} }
       registerHttpContext(() => new Filter());`,
    );
    const { code, stderr } = await command(["build", folder]);
    expect(code).toBe(0);
    expect(stderr).toContain("WARNING: class Filter overrides no callback");
  });

  test.each<[string, string[], number, RegExp]>([
    [
      "a target that is not there",
      ["--target", "fast"],
      1,
      /asconfig\.json has no target "fast"; it has: release, debug, lost\n$/,
    ],
    [
      "a target without outFile",
      ["--target", "lost"],
      1,
      /the target lost of .* has no outFile, such as "build\/lost\.wasm"\n$/,
    ],
    ["a proxy that is not known", ["--for", "apache"], 2, /unknown proxy "apache"; known: envoy, /],
    ["an option that is none", ["--watsh"], 2, /unknown option '--watsh'\n\(Did you mean --watch\?\)/],
  ])("refuses %s", async (_what, flags, code, message) => {
    const result = await command(["build", folder, ...flags]);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
    expect(await built()).toEqual([]);
  });

  test("says what a folder lacks", async () => {
    expect(await command(["build", join(folder, "assembly")])).toEqual({
      code: 1,
      stdout: "",
      stderr: `error: cannot read ${folder}/assembly/asconfig.json: there is none; proxy-wasm init makes a project that has one\n`,
    });
    await put("asconfig.json", JSON.stringify({ ...configuration, extends: "proxy-wasn/asconfig.json" }));
    expect(await command(["build", folder])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: .* does not compile: Cannot find module 'proxy-wasn\/asconfig\.json'; have .* been installed\?\n$/,
      ),
    });
    expect(await command(["build", folder, "--target", "fast"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: cannot read what .*asconfig\.json extends: Cannot find module 'proxy-wasn\//,
      ),
    });
    await put("asconfig.json", "{ targets }");
    expect(await command(["build", folder])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*asconfig\.json:1:3 is no JSON: "targets }" cannot stand there\n/),
    });
  });
});

test("build --watch builds again after each save, also after a mistake, until it is stopped", async () => {
  const abort = new AbortController();
  const outputs = { stdout: "", stderr: "" };
  const running = run(["build", folder, "--watch"], {
    stdout: { write: (text: string) => (outputs.stdout += text) },
    stderr: { write: (text: string) => (outputs.stderr += text) },
    signal: abort.signal,
    isTerminal: true,
  });
  const builds = (): number => outputs.stdout.match(/release\.wasm: /g)?.length ?? 0;
  const wait = { timeout: 20_000 };
  await expect.poll(() => outputs.stdout, wait).toContain("Stop it: Ctrl-C");
  expect(builds()).toBe(1);
  expect(outputs.stdout).toMatch(/^Compiling the target release …\n\S+release\.wasm: /);
  const module = (): Promise<Buffer> => readFile(join(folder, "build/release.wasm"));
  const first = await module();
  await put("assembly/value.ts", 'export const value: string = "another ";');
  await expect.poll(module, wait).not.toEqual(first);
  await expect.poll(builds, wait).toBeGreaterThan(1);
  const second = await module();
  await put("assembly/value.ts", "export const value: string = 5;");
  await expect.poll(() => outputs.stderr, wait).toContain("does not compile");
  await put("assembly/index.ts", header("two").replace("./value", "./other"));
  await expect.poll(() => outputs.stderr, wait).toMatch(/'assembly\/other\.ts' not found[^]*does not compile/);
  expect(await module()).toEqual(second);
  // A file that no build has seen yet.
  await put("assembly/other.ts", 'export const value: string = "other ";');
  await expect.poll(module, wait).not.toEqual(second);
  abort.abort();
  expect(await running).toBe(0);
}, 60_000);
