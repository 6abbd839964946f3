// Expressions of CEL in a filter of the SDK, on the host and in serve. What each gives is held to Envoy's recordings in
// test/conformance.

import { afterEach, beforeAll, expect, test } from "vitest";

import { cel } from "../src/cel.ts";
import { ServedFilters } from "../src/cli/serve/proxy.ts";
import { type FilterOptions, loadFilter, LogLevel } from "../src/index.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";
import { closeAll, closeLater, start } from "./support/serve.ts";

afterEach(closeAll);

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("foreign");
});

/** What the filter answers to a request with such a header, and why host calls were refused. */
async function evaluate(config: string, options: FilterOptions = { expressions: cel }) {
  const reasons: string[] = [];
  const onRefusal: FilterOptions["onRefusal"] = (call, { reason }) => {
    if (call === "proxy_call_foreign_function") reasons.push(reason);
  };
  const filter = await loadFilter(compiled.bytes, { config, onRefusal, ...options });
  if (reasons.length) return { reasons };
  const response = await filter.request({ path: "/path", headers: { "x-call": "evaluate", "x-typed": "1" } });
  return { answer: response.text().trim(), reasons };
}

test("an expression of the root context is evaluated for each stream", async () => {
  expect(await evaluate("request.path.size()")).toEqual({ answer: "0500000000000000", reasons: [] });
  expect(await evaluate("request.headers['x-call'] == 'evaluate' && request.method == 'GET'")).toMatchObject({
    answer: "01",
  });
});

test("one without a value says why", async () => {
  const { answer, reasons } = await evaluate("request.headers['x-none']");
  expect(answer).toBe("null 10");
  expect(reasons.join()).toMatch(/^the expression has no value here: .*x-none/);
  expect((await evaluate("request")).reasons.join()).toMatch(/has no bytes: null, a type or a group$/);
  expect((await evaluate("none == 1")).reasons.join()).toMatch(/there is no none$/);
});

test("loops go around as often as in Envoy", async () => {
  const ten = "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]";
  const nested = (depth: number): string => (depth ? `${ten}.all(x, ${nested(depth - 1)})` : "true");
  expect((await evaluate(nested(3))).answer).toBe("01");
  expect((await evaluate(nested(4))).reasons.join()).toMatch(
    /its loops go around more than 9999 times, the most in Envoy$/,
  );
  expect((await evaluate(`true || ${nested(8)}`)).answer).toBe("01");
});

test("what is no expression is refused with the reason", async () => {
  const why = async (source: string): Promise<string> => (await evaluate(source)).reasons.join();
  expect(await why("1 +")).toMatch(/^"1 \+" is no expression: <input>:1:3: found \+/);
  expect(await why("size()")).toMatch(/there is no function size of 0 arguments$/);
  expect(await why("'a'.lowerAscii()")).toMatch(/there is no function \.lowerAscii of 0 arguments$/);
  expect(await why("a{b: 1}")).toMatch(/there is no message a$/);
  expect(await why("has(1)")).toMatch(/has is a macro and wants other arguments$/);
  expect(await why("9223372036854775808")).toMatch(/9223372036854775808 has more than 64 bits$/);
  expect(await why("[".repeat(40) + "]".repeat(40))).toMatch(/nested deeper than 32 levels$/);
  expect(await why(`'${"x".repeat(99_999)}'`)).toMatch(/Envoy reads 100000 characters$/);
});

test("a filter cannot keep expressions without end", async () => {
  const limits = { expressionBytes: 80 };
  expect((await evaluate("1 == 1", { expressions: cel, limits })).answer).toBe("01");
  const { reasons } = await evaluate("1 == 1 && 2 == 2 && 3 == 3", { expressions: cel, limits });
  expect(reasons.join()).toMatch(
    /the bytes of expressions would come to 90; the most is 80 \(limits\.expressionBytes\)/,
  );
});

test("without it the filter sees Unimplemented, and the reason says what to install", async () => {
  expect((await evaluate("true", {})).reasons.join()).toMatch(/import \{ cel \} from "proxy-wasm\/cel"/);
});

test("serve finds it where it is installed", async () => {
  const filters = await ServedFilters.load({
    specs: [{ module: compiled.file, name: "filter", config: "request.path + '!'", rootId: "" }],
    clusters: new Map(),
    failurePolicy: "closed",
    logLevel: LogLevel.Info,
    onClusterFailure: () => {},
    onError: (error) => {
      throw error;
    },
  });
  closeLater(() => filters.close());
  const { url } = await start(filters.chain);
  const answer = await fetch(`${url}/a`, { headers: { "x-call": "evaluate", "x-typed": "1", connection: "close" } });
  expect(await answer.text()).toBe(`${Buffer.from("/a!").toString("hex")}\n`);
});
