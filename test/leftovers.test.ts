// What a test leaves unfinished makes it fail.

import { beforeAll, expect, test } from "vitest";

import { compileSource } from "./support/compile.ts";
import { startVitest } from "./support/vitest-project.ts";

const source = `
  import { Action, GrpcCall, HttpCall, HttpContext, logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
  class Root extends RootContext {
    override onDone(): bool { return false; }
    override createHttpContext(): HttpContext { return new Filter(this); }
  }
  class Filter extends HttpContext {
    constructor(readonly root: Root) { super(); }
    override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
      if (this.requestHeaders.get("x-call") === "http") {
        return this.pauseFor(this.httpCall<Filter>(new HttpCall("auth").get("/check"), (self) => { self.resume(); }));
      }
      if (this.requestHeaders.get("x-call") === "grpc") {
        return this.pauseFor(this.grpcCall<Filter>(new GrpcCall("auth", "Auth", "Check"), (self) => { self.resume(); }));
      }
      return Action.Continue;
    }
  }
  registerRootContext("", () => new Root());`;

const tests = `
  import { expect, test } from "vitest";
  import { loadFilter } from "proxy-wasm";
  import "proxy-wasm/vitest";
  const load = () => loadFilter("filter.wasm", { upstreams: { auth: () => null }, grpc: { auth: () => null } });
  const head = (call) => ({ ":method": "GET", ":path": "/", ":authority": "a", "x-call": call });
  test("HTTP callout", async () => { (await load()).stream().requestHeaders(head("http")); });
  test("gRPC call", async () => { (await load()).stream().requestHeaders(head("grpc")); });
  test("exchange", async () => { void (await load()).request("/slow", { upstream: () => new Promise(() => {}) }); });
  test("root context", async () => {
    const filter = await load();
    filter.reconfigure("new");
  });
  test("one that failed already", async () => {
    (await load()).stream().requestHeaders(head("http"));
    expect(1).toBe(2);
  });
  test("answered", async () => {
    const filter = await load();
    filter.stream().requestHeaders(head("http"));
    filter.pending("auth").respond();
  });
  test("stream over", async () => {
    const stream = (await load()).stream();
    stream.requestHeaders(head("http"));
    stream.reset();
  });
  test("stream left open", async () => { (await load()).stream().requestHeaders(head("")); });`;

let bytes: Uint8Array;
beforeAll(async () => {
  ({ bytes } = await compileSource(source));
});

test("a test that leaves callouts, exchanges or root contexts behind fails, and says what to do", async () => {
  await using vitest = await startVitest("run", {
    "left.test.js": tests,
    "vitest.config.js": "export default {};",
    "filter.wasm": bytes,
  });
  expect(await vitest.ended).toBe(1);
  const output = vitest.output();
  const failed = [...output.matchAll(/FAIL +left\.test\.js > (.*)/g)].map(([, name]) => name);
  expect(failed).toEqual(["HTTP callout", "gRPC call", "exchange", "root context", "one that failed already"]);
  expect(output).toContain("the callout to auth (GET /check) has no answer: answer it, with a function in loadFilter(");
  expect(output).toContain("the gRPC call to auth (Auth/Check) is open: answer it, with a function in loadFilter(");
  expect(output).toContain("the exchange GET /slow is under way: await filter.request(…); the function of");
  expect(output).toMatch(/root context 1 was to end, and is not done: its onDone answered false/);
  expect(output.match(/LeakError: when the test ended/g)).toHaveLength(4);
}, 60_000);
