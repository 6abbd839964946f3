// A row of `+` between texts, which the transform makes one call of.

import { describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileSource } from "./support/compile.ts";

const filter = (body: string, more = ""): string => `
import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
let count = 0;
function next(): string { return (++count).toString(); }
${more}
class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action { ${body} return Action.Continue; }
}
registerHttpContext(() => new Filter());`;

async function logged(source: string, flags: readonly string[] = []): Promise<string[]> {
  const loaded = await loadFilter((await compileSource(source, [...flags])).bytes);
  const { logs } = await loaded.request("/", { upstream: () => ({}) });
  return logs.map(({ message }) => message);
}

describe("texts are joined from left to right", () => {
  const body = `
    logInfo("<" + next() + ">");
    logInfo(next() + ":" + next() + ":" + next());
    logInfo("a" + next() + "b" + next() + "c");
    logInfo("" + next() + ("(" + next() + next() + ")") + next() + next() + next() + next() + "");
    logInfo("ä" + "" + "世" + "🎉" + "");
    let text = "";
    for (let i = 0; i < 3; i++) text += "[" + i.toString() + "]" + text + ";";
    logInfo(text);`;
  const expected = ["<1>", "2:3:4", "a5b6c", "7(89)10111213", "ä世🎉", "[0];[1][0];;[2][0];[1][0];;;"];

  test.each([[[]], [["--target", "debug"]], [["--runtime", "incremental"]], [["--use", "GC_STRESS=2"]]])(
    "%j",
    async (flags) => {
      expect(await logged(filter(body), flags)).toEqual(expected);
    },
  );
});

test("numbers are added up before a text comes", async () => {
  expect(
    await logged(filter(`const a: i32[] = [1, 2, 3]; logInfo((a[0] + a[1] + a[2]).toString() + "!" + next());`)),
  ).toEqual(["6!1"]);
});

test.each(['@operator("+")', "@operator.binary('+')", '@operator(/* of paths */ "+")'])(
  "a class with %s keeps it",
  async (own) => {
    const path = `class Path {
    constructor(readonly text: string) {}
    ${own} static join(left: Path, right: string): Path { return new Path(left.text + "/" + right); }
  }`;
    expect(await logged(filter(`logInfo((new Path("a") + "b" + "c" + "d").text);`, path))).toEqual(["a/b/c/d"]);
  },
);

test("what is no text is refused where it stands", async () => {
  await expect(logged(filter(`logInfo("a" + next() + 1 + "b");`))).rejects.toThrow(
    /not assignable[^]*"a" \+ next\(\) \+ 1/,
  );
});
