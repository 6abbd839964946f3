/* oxlint-disable unicorn/require-post-message-target-origin -- that is for windows, and this is a worker */
// A debugger finds the lines of a filter's source, and stops at them: V8's inspector, spoken to as Chrome's does.

import { close, open } from "node:inspector";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { afterEach, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { SourceMap } from "../src/module/source-map.ts";
import "../src/vitest.ts";
import { compileSource } from "./support/compile.ts";

const source = `import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.requestHeaders.has("x-trap")) {
      unreachable();
    }
    this.requestHeaders.set("x-seen", "1");
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
`;
const lineOf = (text: string): number => source.split("\n").findIndex((line) => line.includes(text)) + 1;
const debug = ["--debug", "--optimizeLevel", "0", "--shrinkLevel", "0"];
const upstream = () => ({ body: "ok" });

let finish: (() => Promise<unknown>) | undefined;
afterEach(async () => {
  await finish?.();
  finish = undefined;
});

test("a trap in a debug build is at its line, however much of the module comes from no source", async () => {
  const { file } = await compileSource(source, debug);
  const filter = await loadFilter(file);
  await filter.request({ headers: { "x-trap": "1" } }, { upstream });
  expect(filter).toHaveTrapped(`assembly/index.ts:${lineOf("unreachable")}:7\n`);
  expect(filter).toHaveTrapped(`${lineOf("unreachable")} |       unreachable();`);
});

test("a breakpoint in the source is hit", async () => {
  const { file } = await compileSource(source, debug);
  const path = pathToFileURL(file.replace("release.wasm", "assembly/index.ts")).href;
  const inspector = await attach();
  const filter = await loadFilter(file);
  const { sourceMapURL } = await inspector.next("parsed");
  const map = new SourceMap(Buffer.from(sourceMapURL!.split(",")[1]!, "base64").toString());

  const line = lineOf("x-seen");
  inspector.post({ breakAt: firstOffset(map, path, line) });
  await inspector.next("set");
  const response = await filter.request("/", { upstream });
  expect(response.upstream!.headers.get("x-seen")).toBe("1");
  const { frames } = await inspector.next("paused");
  expect(map.positionOf(frames![0]!)).toEqual({ file: path, line, column: 5 });
  // The callback of the SDK that called it is a file as well.
  expect(map.positionOf(frames![2]!)!.file).toMatch(/^file:.*assembly\/callbacks\.ts$/);
});

/** Where the code of a line begins. */
function firstOffset(map: SourceMap, file: string, line: number): number {
  for (let offset = 0; offset < 1_000_000; offset++) {
    const position = map.positionOf(offset);
    if (position?.file === file && position.line === line) return offset;
  }
  throw new Error(`no code comes from line ${line} of ${file}`);
}

interface Message {
  kind: "ready" | "parsed" | "set" | "paused";
  sourceMapURL?: string;
  /** Offsets of the running functions, innermost first. */
  frames?: number[];
}

/** A debugger in a thread of its own, since this one stands still while it is paused. */
async function attach(): Promise<{ next(kind: Message["kind"]): Promise<Message>; post(message: object): void }> {
  open(0, "127.0.0.1");
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
    const session = new (require("node:inspector").Session)();
    session.connectToMainThread();
    let script;
    session.on("Debugger.scriptParsed", ({ params }) => {
      // Other modules are those of the tools that run here.
      if (params.scriptLanguage !== "WebAssembly" || !params.sourceMapURL.startsWith("data:")) return;
      script = params.scriptId;
      parentPort.postMessage({ kind: "parsed", sourceMapURL: params.sourceMapURL });
    });
    session.on("Debugger.paused", ({ params }) => {
      const frames = params.callFrames.map(({ location }) => location.columnNumber);
      parentPort.postMessage({ kind: "paused", frames });
      session.post("Debugger.resume");
    });
    session.post("Debugger.enable", () => parentPort.postMessage({ kind: "ready" }));
    parentPort.on("message", ({ breakAt }) => {
      if (breakAt === undefined) return session.disconnect(), parentPort.close();
      const location = { scriptId: script, lineNumber: 0, columnNumber: breakAt };
      session.post("Debugger.setBreakpoint", { location }, (error) => {
        if (error) throw error;
        parentPort.postMessage({ kind: "set" });
      });
    });`,
    { eval: true },
  );
  const messages: Message[] = [];
  let arrived = (): void => {};
  worker.on("message", (message: Message) => {
    messages.push(message);
    arrived();
  });
  finish = async () => {
    worker.postMessage({});
    await new Promise((done) => worker.once("exit", done));
    close();
  };
  const next = async (kind: Message["kind"]): Promise<Message> => {
    for (;;) {
      const index = messages.findIndex((message) => message.kind === kind);
      if (index >= 0) return messages.splice(index, 1)[0]!;
      await new Promise<void>((done) => (arrived = done));
    }
  };
  await next("ready");
  return { next, post: (message) => worker.postMessage(message) };
}
