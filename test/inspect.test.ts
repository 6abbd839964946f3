// What `inspect` tells of a module.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { command } from "./support/command.ts";
import { compileSource, filterWat } from "./support/compile.ts";

interface Sized {
  readonly name: string;
  readonly size: number;
}
interface Description {
  readonly bytes: number;
  readonly abi: string | null;
  readonly producers: readonly { field: string; name: string; version: string }[];
  readonly memories: readonly { initial: number; maximum?: number }[];
  readonly imports: readonly { module: string; name: string; signature?: string }[];
  readonly exports: readonly { name: string; kind: string; signature?: string }[];
  readonly sections: readonly Sized[];
  readonly functions: readonly Sized[];
  readonly sources: readonly Sized[] | null;
}

async function inspect(file: string): Promise<Description> {
  const { code, stdout } = await command(["inspect", file, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as Description;
}

const sum = (sized: readonly Sized[]): number => sized.reduce((total, { size }) => total + size, 0);

const source = `
  import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onResponseHeaders(count: u32, _endOfStream: bool): Action {
      if (count > 40) return Action.Pause;
      this.responseHeaders.set("x-a", "one");
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`;

describe("a filter of this SDK", () => {
  let release: Description;
  let file: string;
  let bytes: Uint8Array;
  beforeAll(async () => {
    ({ file, bytes } = await compileSource(source));
    release = await inspect(file);
  });

  test("says what made it", () => {
    expect(release.producers).toEqual([
      { field: "language", name: "AssemblyScript", version: "" },
      { field: "processed-by", name: "asc", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      { field: "sdk", name: "proxy-wasm", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    ]);
  });

  test("has imports and exports with their types", () => {
    expect(release.abi).toBe("0.2.1");
    expect(release.imports).toContainEqual(
      expect.objectContaining({ module: "env", name: "proxy_log", signature: "i32 i32 i32 -> i32" }),
    );
    expect(release.exports).toContainEqual(
      expect.objectContaining({ name: "proxy_on_response_headers", signature: "i32 i32 i32 -> i32" }),
    );
    expect(release.memories).toEqual([{ initial: 1 }]);
  });

  test("has sections, functions and source files that add up", () => {
    // Eight bytes come before the first section.
    expect(sum(release.sections)).toBe(bytes.length - 8);
    expect(sum(release.sources!)).toBe(sum(release.functions));
    const code = release.sections.find(({ name }) => name === "code")!.size;
    // Besides the bodies, the section has their sizes, their number and its own size.
    expect(code - sum(release.functions)).toBeLessThan(10 + 2 * release.functions.length);
    expect(release.sources!.map(({ name }) => name)).toContain("~lib/proxy-wasm/assembly/heap.ts");
    expect(release.sources!.find(({ name }) => name.endsWith("assembly/index.ts"))!.size).toBeGreaterThan(10);
    expect(release.functions.map(({ size }) => size)).toEqual(
      release.functions.map(({ size }) => size).sort((a, b) => b - a),
    );
  });

  test("calls functions by their place, or by their names in a debug build", async () => {
    expect(release.functions.map(({ name }) => name)).toContainEqual(expect.stringMatching(/assembly\/index\.ts:\d+$/));
    const debug = await inspect((await compileSource(source, ["--target", "debug"])).file);
    expect(debug.functions.map(({ name }) => name)).toContainEqual(expect.stringMatching(/Filter#onResponseHeaders$/));
  });

  test("is described in a page, with the rest behind --all", async () => {
    const { stdout } = await command(["inspect", file]);
    expect(stdout).toMatch(/ {2}ABI {6}0\.2\.1\n {2}made by {2}AssemblyScript, asc [\d.]+, proxy-wasm [\d.]+\n/);
    expect(stdout).toMatch(/\nImports \(\d+\)\n/);
    expect(stdout).toMatch(/ \d+ more; --all lists them\n/);
    const all = await command(["inspect", file, "--all"]);
    expect(all.stdout).not.toContain("--all lists them");
    for (const { name } of release.sources!) expect(all.stdout).toContain(` %  ${name}\n`);
  });
});

describe("a module without source map and producers", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "proxy-wasm-inspect-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("cannot control the terminal by its names, nor with sections that are no sections", async () => {
    const file = join(folder, "hostile.wasm");
    const imports = '(import "env" "a\\1b]0;title\\07\\0ab" (func))';
    const section = (name: string): Uint8Array =>
      Uint8Array.from([0, name.length + 6, name.length, ...Buffer.from(name), 1, 255, 255, 255, 15]);
    await writeFile(file, Buffer.concat([filterWat({ imports }), section("name"), section("producers")]));
    for (const name of ["inspect", "check"]) {
      const { stdout, stderr } = await command([name, file]);
      expect(stdout).toContain("env.a\\u{1b}]0;title\\u{7}\\u{a}b");
      // oxlint-disable-next-line no-control-regex
      expect(stdout + stderr).not.toMatch(/[\0-\x09\x0b-\x1f]/);
    }
  });

  test("is described all the same", async () => {
    const file = join(folder, "filter.wasm");
    await writeFile(file, filterWat({}));
    const { abi, producers, sources, functions } = await inspect(file);
    expect({ abi, producers, sources }).toEqual({ abi: "0.2.1", producers: [], sources: null });
    expect(functions.map(({ name }) => name)).toEqual(["malloc", "proxy_abi_version_0_2_1"]);
    const { stdout } = await command(["inspect", file]);
    expect(stdout).toContain("made by  unknown: it has no producers section\n");
    expect(stdout).toContain("Code by source file: unknown, there is no source map beside the module\n");
  });
});
