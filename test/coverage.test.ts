// Coverage of a filter's lines, as vitest's `istanbul` provider collects it.

import { dirname, join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileSource } from "./support/compile.ts";

const source = `import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.requestHeaders.has("x-a")) {
      this.requestHeaders.set("x-seen", "a");
    } else {
      for (let i = 0; i < 3; i++)
        this.requestHeaders.append("x-seen", "b");
    }
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
`;
const lineOf = (text: string): number => source.split("\n").findIndex((line) => line.includes(text)) + 1;
const upstream = () => ({ body: "ok" });
const store = globalThis as { __VITEST_COVERAGE__?: Record<string, { s: Record<string, number> }> };

const before = process.env["PROXY_WASM_COVERAGE"];
let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileSource(source, ["--debug", "--optimizeLevel", "0", "--shrinkLevel", "0"]);
  process.env["PROXY_WASM_COVERAGE"] = "1";
});
afterAll(() => {
  if (before === undefined) delete process.env["PROXY_WASM_COVERAGE"];
  else process.env["PROXY_WASM_COVERAGE"] = before;
});

test("each line that is compiled is counted, over all instances, and nothing of the SDK", async () => {
  const path = join(dirname(compiled.file), "assembly/index.ts");
  const [first, second] = [await loadFilter(compiled.file), await loadFilter(compiled.file)];
  const response = await first.request("/", { upstream });
  expect(response.upstream!.headers.getAll("x-seen")).toEqual(["b", "b", "b"]);
  const count = (text: string): number | undefined => store.__VITEST_COVERAGE__![path]!.s[lineOf(text)];
  expect(count("if (this")).toBe(1);
  expect(count('"a"')).toBe(0);
  expect(count('"b"')).toBe(3);
  expect(count("return")).toBe(1);
  expect(count("import")).toBeUndefined();
  await second.request({ headers: { "x-a": "1" } }, { upstream });
  expect(count("if (this")).toBe(2);
  expect(count('"a"')).toBe(1);
  expect(
    Object.keys(store.__VITEST_COVERAGE__!).filter((file) => /node_modules|assembly.(?!index)/.test(file)),
  ).toEqual([]);

  // vitest takes a copy, and sets the counts back when another file begins in the same process.
  const { s } = store.__VITEST_COVERAGE__![path]!;
  expect(structuredClone(s)).toEqual({ ...s });
  s[lineOf("return")] = 0;
  expect(count("return")).toBe(0);
  await first.request("/", { upstream });
  expect(count("return")).toBe(1);
});

test("a module without a source map is not counted, and works", async () => {
  const filter = await loadFilter(compiled.bytes);
  expect(await filter.request("/", { upstream })).toHaveStatus(200);
});
