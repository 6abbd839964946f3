// The plugin for vitest, as a project uses it: in a folder of its own, with vitest run there.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { filters } from "../src/vitest-plugin.ts";
import { startVitest } from "./support/vitest-project.ts";

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

describe("the plugin for vitest", () => {
  test("gives a test the compiled filter, and compiles it again when a file of it changes", async () => {
    await using vitest = await startVitest("watch", files);
    await vitest.prints(/Tests +1 passed/g);
    const file = join(vitest.folder, "assembly/add-header.ts");
    await writeFile(file, (await readFile(file, "utf8")).replace('"one"', '"two"'));
    await vitest.prints(/expected header x-a: one; found: two/g);
  }, 60_000);

  test("says what does not compile, and where", async () => {
    await using vitest = await startVitest("run", {
      ...files,
      "assembly/add-header.ts": "export const AddHeader: i32 = nothing;",
    });
    expect(await vitest.ended).toBe(1);
    expect(vitest.output()).toMatch(/assembly\/index\.ts does not compile/);
    expect(vitest.output()).toMatch(/Cannot find name 'nothing'[\s\S]*assembly\/add-header\.ts\(1,/);
  }, 60_000);

  test("keeps filters apart whose folders have one name", async () => {
    const filter = (name: string) => ({
      [`${name}/filter/asconfig.json`]: JSON.stringify({ extends: "proxy-wasm/asconfig.json", entries: ["index.ts"] }),
      [`${name}/filter/index.ts`]: `
        import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
        class Reply extends HttpContext {
          override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
            this.sendLocalResponse(200, "${name}");
            return Action.Pause;
          }
        }
        registerHttpContext(() => new Reply());`,
    });
    await using vitest = await startVitest("run", {
      "vitest.config.ts": files["vitest.config.ts"],
      ...filter("one"),
      ...filter("two"),
      "both.test.ts": `
        import { expect, test } from "vitest";
        import { loadFilter } from "proxy-wasm";
        import "proxy-wasm/vitest";
        import one from "./one/filter/index.ts?filter";
        import two from "./two/filter/index.ts?filter";
        test("are two", async () => {
          expect(await (await loadFilter(one)).request("/")).toHaveBody("one");
          expect(await (await loadFilter(two)).request("/")).toHaveBody("two");
        });`,
    });
    await vitest.ended;
    expect(vitest.output()).toMatch(/Tests +1 passed/);
  }, 60_000);

  test("says when the file is no entry", async () => {
    const asconfig = JSON.stringify({ extends: "proxy-wasm/asconfig.json", entries: ["assembly/other.ts"] });
    await using vitest = await startVitest("run", { ...files, "asconfig.json": asconfig });
    expect(await vitest.ended).toBe(1);
    expect(vitest.output()).toMatch(
      /assembly\/index\.ts must be the only entry in .*asconfig\.json; found: assembly\/other\.ts\. A second filter needs a folder and an asconfig\.json of its own/,
    );
  }, 60_000);

  test("says where an asconfig.json is no JSON", async () => {
    const folder = await mkdtemp(join(tmpdir(), "proxy-wasm-plugin-"));
    try {
      await writeFile(join(folder, "asconfig.json"), '{\n  entries: ["index.ts"]\n}\n');
      const load = filters().load.call({ addWatchFile() {} }, join(folder, "index.ts?filter"));
      await expect(load).rejects.toThrow(
        /asconfig\.json:2:3 is no JSON: "entries: \[\\"index\.ts\\"" cannot stand there$/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
