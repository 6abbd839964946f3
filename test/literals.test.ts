// Strings of a filter's source, which stand in the module with one byte a character where that is possible.

import { describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileSource } from "./support/compile.ts";

const source = `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

const names: StaticArray<string> = ["alpha", "", "gämma", "delta\\n"];
const lengths = new Map<string, i32>();
for (let i = 0; i < names.length; i++) lengths.set(names[i], names[i].length);

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("ascii");
    logInfo("line\\nbreak");
    logInfo("Grüße, 世界 🎉");
    logInfo("");
    logInfo(names.slice<string[]>(0).join("|") + "/" + lengths.get("alpha").toString() + lengths.get("delta\\n").toString());
    logInfo("abc" == "ab" + "c" && "abc".length == 3 && "abc".charCodeAt(1) == 0x62 ? "equal" : "not equal");
    logInfo("AbC".toLowerCase().replace("b", "BB").padStart(6, "."));
    this.requestHeaders.set("x-literal", "set");
    this.requestHeaders.set("x-broken", "a\\r\\nx: b");
    logInfo(this.requestHeaders.get("x-literal")! + (this.requestHeaders.has("x-broken") ? " broken" : " whole"));
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
`;

const expected = [
  "ascii",
  "line\nbreak",
  "Grüße, 世界 🎉",
  "",
  "alpha||gämma|delta\n/56",
  "equal",
  "..aBBc",
  expect.stringContaining("a header was not set"),
  "set whole",
];

describe("strings in a source are what they were", () => {
  test.each([
    [["--target", "release"]],
    [["--target", "debug"]],
    [["--runtime", "incremental"]],
    [["--runtime", "minimal"]],
    [["--use", "GC_STRESS=2"]],
  ])("%j", async (flags) => {
    const filter = await loadFilter((await compileSource(source, flags)).bytes);
    const response = await filter.request("/", { upstream: () => ({}) });
    expect(response.logs.map(({ message }) => message)).toEqual(expected);
  });
});

test("an ASCII string takes one byte a character, one that nothing uses none", async () => {
  const has = (bytes: Uint8Array, text: string, encoding: BufferEncoding): boolean =>
    Buffer.from(bytes).includes(Buffer.from(text, encoding));
  const { bytes } = await compileSource(source);
  expect(has(bytes, "x-literal", "latin1")).toBe(true);
  expect(has(bytes, "x-literal", "utf16le")).toBe(false);
  expect(has(bytes, "Grüße", "utf16le")).toBe(true);
  // What the SDK says of a callout, which this filter does not make.
  expect(has(bytes, "proxy_http_call", "latin1")).toBe(false);
  // What it says of a context of its own for each stream, which this filter needs as little.
  expect(has(bytes, "not a new context", "latin1")).toBe(false);
  const { bytes: separate } = await compileSource(source.replace("HttpContext {", "HttpContext { kept: u32 = 0;"));
  expect(has(separate, "not a new context", "latin1")).toBe(true);
});
