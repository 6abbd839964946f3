import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { libraryFiles } from "assemblyscript/asc";
import { describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import FilterTransform from "../transform.mjs";
import { type Compiled, compileSource } from "./support/compile.ts";

const always = [
  "_initialize",
  "malloc",
  "memory",
  "proxy_abi_version_0_2_1",
  "proxy_on_configure",
  "proxy_on_context_create",
  "proxy_on_delete",
  "proxy_on_memory_allocate",
  "proxy_on_vm_start",
];

const imports =
  'import { Action, HttpContext, registerHttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";';
const onRequestHeaders =
  "override onRequestHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }";
const onResponseHeaders =
  "override onResponseHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }";

/** The callbacks that are exported beyond those that always are. */
function callbacks({ exports }: Compiled): string[] {
  return exports.filter((name) => !always.includes(name));
}

describe("the exports of a filter", () => {
  test("are those that hosts need and the callbacks that a class overrides", async () => {
    const compiled = await compileSource(`${imports}
      class Filter extends HttpContext { ${onRequestHeaders} }
      registerHttpContext(() => new Filter());`);
    expect([...compiled.exports].sort()).toEqual([...always, "proxy_on_request_headers"].sort());
  });

  test("do not count a class that nothing uses", async () => {
    const compiled = await compileSource(`${imports}
      class Unused extends HttpContext { ${onResponseHeaders} }
      class Filter extends HttpContext { ${onRequestHeaders} }
      registerHttpContext(() => new Filter());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_headers"]);
  });

  test("count what an abstract class in between overrides", async () => {
    const compiled = await compileSource(`${imports}
      abstract class Between extends HttpContext {
        abstract name(): string;
        override onLog(): void { this.name(); }
      }
      class Filter extends Between { name(): string { return "x"; } }
      registerHttpContext(() => new Filter());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_log"]);
  });

  test("count what a generic class overrides", async () => {
    const compiled = await compileSource(`${imports}
      class Filter<T> extends HttpContext {
        override onRequestTrailers(count: u32): Action { return sizeof<T>() == count ? Action.Pause : Action.Continue; }
      }
      registerHttpContext(() => new Filter<u64>());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_trailers"]);
  });

  test("count what is inherited from a class of a library", async () => {
    const compiled = await compileSource(`${imports}
      class Library extends HttpContext { ${onResponseHeaders} }
      class Filter extends Library { value: i32 = 1; }
      registerHttpContext(() => new Filter());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_response_headers"]);
  });

  test("hold the tick and the end of a root context that wants them", async () => {
    const compiled = await compileSource(`${imports}
      class Root extends RootContext {
        override onTick(): void {}
        override onDone(): bool { return true; }
      }
      registerRootContext("root", () => new Root());`);
    expect(callbacks(compiled).sort()).toEqual(["proxy_on_done", "proxy_on_tick"]);
  });

  test("count a method without the word override, and one of a class that comes from elsewhere", async () => {
    const compiled = await compileSource(`${imports}
      class Tags extends HttpContext { onResponseTrailers(_count: u32): Action { return Action.Continue; } }
      class Filter extends Tags { ${onRequestHeaders} }
      class Root extends RootContext { override createHttpContext(): HttpContext { return new Filter(); } }
      registerRootContext("", () => new Root());`);
    expect(callbacks(compiled).sort()).toEqual(["proxy_on_request_headers", "proxy_on_response_trailers"]);
  });

  test("do not count methods of classes that are no contexts, nor static ones", async () => {
    const compiled = await compileSource(`${imports}
      class Timer { onTick(): void {} onLog(): void {} }
      class Filter extends HttpContext {
        static onDone(): bool { return true; }
        ${onRequestHeaders.replace("{ return", "{ new Timer().onTick(); new Timer().onLog(); Filter.onDone(); return")}
      }
      registerHttpContext(() => new Filter());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_headers"]);
  });

  test("do not count a generic class that nothing makes", async () => {
    const compiled = await compileSource(`${imports}
      class Unused<T> extends HttpContext { ${onResponseHeaders} }
      class Filter extends HttpContext { ${onRequestHeaders} }
      registerHttpContext(() => new Filter());`);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_headers"]);
  });

  test("are the same in a debug build", async () => {
    const source = `${imports} class F extends HttpContext { ${onRequestHeaders} } registerHttpContext(() => new F());`;
    const [release, debug] = [await compileSource(source), await compileSource(source, ["--target", "debug"])];
    expect([...debug.exports].sort()).toEqual([...release.exports].sort());
  });

  test("accept start and configuration where no class overrides them", async () => {
    const { bytes } = await compileSource(
      `${imports} class F extends HttpContext { ${onRequestHeaders} } registerHttpContext(() => new F());`,
    );
    const { instance } = await WebAssembly.instantiate(Uint8Array.from(bytes), { env: { proxy_log: () => 0 } });
    const { proxy_on_vm_start: start, proxy_on_configure: configure } = instance.exports as Record<
      string,
      () => number
    >;
    expect([start?.(), configure?.()]).toEqual([1, 1]);
  });

  test("are all there when the compiler is not known", () => {
    const removed: string[] = [];
    const transform = Object.assign(new FilterTransform(), { program: { instancesByName: {} } });
    transform.afterCompile({ removeExport: (name: string) => void removed.push(name) });
    Object.assign(new FilterTransform(), { program: { instancesByName: new Map() } }).afterCompile({});
    new FilterTransform().afterCompile(undefined);
    expect(removed).toEqual([]);
  });
});

describe("the imports of a filter", () => {
  test("are the host calls it uses, the log for aborts, and what says whose header map it means", async () => {
    const compiled = await compileSource(`${imports}
      class Filter extends HttpContext {
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          this.responseHeaders.set("a", "b");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const calls = ["env.proxy_log", "env.proxy_replace_header_map_value", "env.proxy_set_effective_context"];
    expect(compiled.imports.sort()).toEqual(calls);
  });
});

describe("no filter imports env.abort", () => {
  // All that the compiler and its library put an abort into: assertions, exceptions, bounds, null checks, casts, memory.
  const source = `${imports}
    class Filter extends HttpContext {
      private names: string[] = [];
      private other: Filter | null = null;
      override onRequestHeaders(count: u32, _endOfStream: bool): Action {
        assert(count < 100, "too many");
        if (count == 50) throw new Error("fifty");
        this.names.push(this.requestHeaders.get("a")!.toUpperCase());
        const values = new Map<string, i32>();
        values.set(this.names[count], I32.parseInt("1"));
        if (this.other!.names.length + values.get("b") + (new Uint8Array(count)[1] as i32)) return Action.Pause;
        return (this as HttpContext as Filter).names.join(",") == "x" ? Action.Pause : Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`;

  for (const runtime of ["proxy-wasm", "incremental", "minimal", "stub"]) {
    test.each(["release", "debug"])(`with the runtime ${runtime}, in a %s build`, async (target) => {
      const { imports } = await compileSource(source, ["--runtime", runtime, "--target", target]);
      const calls = ["env.proxy_get_header_map_value", "env.proxy_log", "env.proxy_set_effective_context"];
      expect(imports.sort()).toEqual(calls);
    });
  }
});

describe("the compiler warns", () => {
  test("of a class that overrides no callback", async () => {
    const compiled = await compileSource(`${imports}
      class Misspelt extends HttpContext { onRequestHeader(): void {} }
      registerHttpContext(() => new Misspelt());`);
    expect(compiled.stderr).toContain("class Misspelt overrides no callback");
  });

  test("of a filter that registers nothing", async () => {
    const compiled = await compileSource(`${imports}
      class Forgotten extends HttpContext { ${onRequestHeaders} }`);
    expect(compiled.stderr).toBe(
      "WARNING: nothing is registered, so the filter does nothing. Call registerHttpContext, registerStreamContext or " +
        "registerRootContext at the top level of the entry file.\n",
    );
  });

  test("of each class that overrides none, generic ones and root contexts too, whatever else there is", async () => {
    const compiled = await compileSource(`${imports}
      class Idle<T> extends HttpContext { value: T = 0; }
      class Root extends RootContext { onTik(): void {} }
      class Busy extends HttpContext { ${onRequestHeaders} }
      registerRootContext("a", () => new Root());
      registerHttpContext(() => (memory.size() > 1 ? new Idle<i32>() : new Busy()));`);
    expect(compiled.stderr).toContain("class Idle");
    expect(compiled.stderr).toContain("class Root overrides no callback");
    expect(compiled.stderr).not.toContain("class Busy");
  });

  test("of nothing when the callbacks are in a class above, and when an empty class is only above", async () => {
    const compiled = await compileSource(`${imports}
      class Above extends HttpContext { value: i32 = 0; }
      class Busy extends Above { ${onRequestHeaders} }
      class Below extends Busy { other: i32 = 0; }
      registerHttpContext(() => new Below());`);
    expect(compiled.stderr).not.toContain("WARNING");
  });

  test("of what reads object headers as asc's own runtimes write them, with the SDK's runtime only", async () => {
    const source = `import { TOTAL_OVERHEAD } from "rt/common";
      ${imports}
      class Filter extends HttpContext {
        override onRequestHeaders(count: u32, _endOfStream: bool): Action {
          return count > TOTAL_OVERHEAD ? Action.Pause : Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`;
    const expected = /WARNING: object headers \(rt\/common\) are read in .*assembly\/index\.ts\. .*"incremental" fits/;
    expect((await compileSource(source)).stderr).toMatch(expected);
    const other = await compileSource(source, ["--runtime", "incremental"]);
    expect(other.stderr).not.toContain("object headers");
  });

  test("of nothing in a filter that has one", async () => {
    const compiled = await compileSource(`${imports}
      class Root extends RootContext { override createHttpContext(): HttpContext { return new Filter(); } }
      class Filter extends HttpContext { ${onRequestHeaders} }
      registerRootContext("", () => new Root());`);
    expect(compiled.stderr).not.toContain("WARNING");
  });
});

describe("the runtimes", () => {
  test.each(["proxy-wasm", "incremental", "minimal", "stub"])("%s builds", async (runtime) => {
    const source = `${imports} class F extends HttpContext { ${onRequestHeaders} } registerHttpContext(() => new F());`;
    const compiled = await compileSource(source, ["--runtime", runtime]);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_headers"]);
  });

  test("one of the author's own finds every object that a function has", async () => {
    const source = `${imports}
      class Item { constructor(readonly name: string) {} }
      function collected(): Item { __collect(); return new Item("other"); }
      function name(item: Item, other: Item): string { return item.name + " " + other.name; }
      class Filter extends HttpContext {
        override onRequestHeaders(count: u32, _endOfStream: bool): Action {
          const seen = name(new Item(count.toString()), collected());
          assert(seen == count.toString() + " other", seen);
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`;
    // asc's own one, as a file of the author's would stand there.
    await mkdir(join(import.meta.dirname, "build"), { recursive: true });
    const folder = await mkdtemp(join(import.meta.dirname, "build/runtime-"));
    try {
      for (const name of ["itcms", "tlsf"]) {
        const own = libraryFiles[`rt/${name}`]!.replaceAll('"./', '"rt/').replaceAll('"../', '"');
        await writeFile(join(folder, `${name}.ts`), own);
      }
      await writeFile(join(folder, "own.ts"), 'import "./tlsf";\nimport "./itcms";\n');
      const compiled = await compileSource(source, ["--runtime", relative(process.cwd(), join(folder, "own"))]);
      const filter = await loadFilter(compiled.bytes);
      for (let i = 0; i < 3; i++) expect((await filter.request("/", { upstream: () => ({}) })).status).toBe(200);
      expect(filter.trap).toBeNull();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a root context", () => {
  const root = `${imports}
import { registerRootContext as register } from "proxy-wasm/assembly";
class Root extends RootContext { override onTick(): void {} }`;

  test("that is the only one is made without asking for the plugin's root id", async () => {
    const compiled = await compileSource(`${root}
registerRootContext("one", () => new Root());`);
    expect(compiled.imports).not.toContain("env.proxy_get_property");
  });

  test.each([
    ["among two", 'registerRootContext("one", () => new Root());\nregisterRootContext("two", () => new Root());'],
    ["in a loop", 'for (let i = 1; i < 3; i++) {\nregisterRootContext(i == 1 ? "one" : "two", () => new Root());\n}'],
    ["by another name", 'registerRootContext("one", () => new Root());\nregister("two", () => new Root());'],
    ["in a function", 'function add(id: string): void {\nregisterRootContext(id, () => new Root());\n}\nadd("one");\nadd("two");'],
    ["by a value", 'const add = registerRootContext;\nadd("one", () => new Root());\nregisterRootContext("two", () => new Root());'],
  ])("%s is chosen by it", async (_where, registrations) => {
    const { bytes, imports } = await compileSource(`${root}\n${registrations}`);
    expect(imports).toContain("env.proxy_get_property");
    for (const rootId of ["one", "two"]) expect((await loadFilter(bytes, { rootId })).trap).toBeNull();
    await expect(loadFilter(bytes, { rootId: "three" })).rejects.toThrow("registered are");
  }); // prettier-ignore
});
