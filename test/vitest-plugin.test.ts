// The plugin for vitest, as a project uses it: in a folder of its own, with vitest run there.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { afterEach, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const files = {
  "asconfig.json": JSON.stringify({ extends: "proxy-wasm/asconfig.json", entries: ["assembly/index.ts"] }),
  "assembly/index.ts": `
    import { registerHttpContext } from "proxy-wasm/assembly";
    import { AddHeader } from "./add-header";
    registerHttpContext(() => new AddHeader());`,
  "assembly/add-header.ts": `
    import { Action, HttpContext } from "proxy-wasm/assembly";
    export class AddHeader extends HttpContext {
      override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
        this.responseHeaders.set("x-a", "one");
        return Action.Continue;
      }
    }`,
  "vitest.config.ts": `
    import { filters } from "proxy-wasm/vitest/plugin";
    export default { plugins: [filters()], test: { include: ["*.test.ts"], root: import.meta.dirname } };`,
  "add-header.test.ts": `
    import { expect, test } from "vitest";
    import { loadFilter } from "proxy-wasm";
    import "proxy-wasm/vitest";
    import filter from "./assembly/index.ts?filter";
    test("adds a header", async () => {
      const response = await (await loadFilter(filter)).request("/", { upstream: () => ({}) });
      expect(response).toHaveHeader("x-a", "one");
    });`,
};

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

/** Makes the project and starts vitest in it. */
async function start(mode: "run" | "watch", changes: Partial<typeof files> = {}) {
  await mkdir(join(root, "test/build"), { recursive: true });
  const folder = await mkdtemp(join(root, "test/build/project-"));
  await mkdir(join(folder, "assembly"));
  for (const [name, text] of Object.entries({ ...files, ...changes })) await writeFile(join(folder, name), text);
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const env = { ...process.env, NO_COLOR: "1", CI: "", VITEST: "" };
  const child: ChildProcess = spawn(process.execPath, [vitest, mode], { cwd: folder, env });
  const ended = new Promise<number | null>((done) => child.on("exit", done));
  let output = "";
  const waiting = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout!.on("data", hear);
  child.stderr!.on("data", hear);
  stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return {
    folder,
    ended,
    output: () => output,
    /** Waits until so many matches were printed. */
    async prints(text: RegExp, times = 1): Promise<void> {
      await new Promise<void>((done) => {
        const look = (): void => {
          if ([...output.matchAll(text)].length < times) return;
          waiting.delete(look);
          done();
        };
        waiting.add(look);
        look();
      });
    },
  };
}

describe("the plugin for vitest", () => {
  test("gives a test the compiled filter, and compiles it again when a file of it changes", async () => {
    const vitest = await start("watch");
    await vitest.prints(/Tests +1 passed/g);
    const file = join(vitest.folder, "assembly/add-header.ts");
    await writeFile(file, (await readFile(file, "utf8")).replace('"one"', '"two"'));
    await vitest.prints(/expected header x-a: one; found: two/g);
  }, 60_000);

  test("says what does not compile, and where", async () => {
    const vitest = await start("run", { "assembly/add-header.ts": "export const AddHeader: i32 = nothing;" });
    expect(await vitest.ended).toBe(1);
    expect(vitest.output()).toMatch(/assembly\/index\.ts does not compile/);
    expect(vitest.output()).toMatch(/Cannot find name 'nothing'[\s\S]*assembly\/add-header\.ts\(1,/);
  }, 60_000);

  test("says when the file is no entry", async () => {
    const asconfig = JSON.stringify({ extends: "proxy-wasm/asconfig.json", entries: ["assembly/other.ts"] });
    const vitest = await start("run", { "asconfig.json": asconfig });
    expect(await vitest.ended).toBe(1);
    expect(vitest.output()).toMatch(
      /assembly\/index\.ts must be the only entry in .*asconfig\.json; found: assembly\/other\.ts/,
    );
  }, 60_000);
});
