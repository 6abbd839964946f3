import { describe, expect, test } from "vitest";

import PruneExports from "../transform.mjs";
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

const imports = 'import { Action, HttpContext, registerHttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";';
const onRequestHeaders = "override onRequestHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }";
const onResponseHeaders = "override onResponseHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }";

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

  test("are all there when the compiler is not known", () => {
    const removed: string[] = [];
    const transform = Object.assign(new PruneExports(), { program: { instancesByName: {} } });
    transform.afterCompile({ removeExport: (name: string) => void removed.push(name) });
    Object.assign(new PruneExports(), { program: { instancesByName: new Map() } }).afterCompile({});
    new PruneExports().afterCompile(undefined);
    expect(removed).toEqual([]);
  });
});

describe("the imports of a filter", () => {
  test("are the host calls it uses, and the log for aborts", async () => {
    const compiled = await compileSource(`${imports}
      class Filter extends HttpContext {
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          this.responseHeaders.set("a", "b");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    expect(compiled.imports.sort()).toEqual(["env.proxy_log", "env.proxy_replace_header_map_value"]);
  });
});

describe("the compiler warns", () => {
  test("of a class that overrides no callback", async () => {
    const compiled = await compileSource(`${imports}
      class Misspelt extends HttpContext { onRequestHeader(): void {} }
      registerHttpContext(() => new Misspelt());`);
    expect(compiled.stderr).toContain("class Misspelt overrides no callback");
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
  test.each(["incremental", "minimal", "stub"])("%s builds", async (runtime) => {
    const source = `${imports} class F extends HttpContext { ${onRequestHeaders} } registerHttpContext(() => new F());`;
    const compiled = await compileSource(source, ["--runtime", runtime]);
    expect(callbacks(compiled)).toEqual(["proxy_on_request_headers"]);
  });
});
