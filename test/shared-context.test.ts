// One context for every stream, where none keeps anything of its own: it does what a context for each would do.

import { describe, expect, test } from "vitest";

import { Action, loadFilter } from "../src/index.ts";
import { compileSource } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, startEnvoy } from "./support/envoy.ts";
import { filterInEnvoy } from "./support/filter-in-envoy.ts";
import { StubHost } from "./support/stub-host.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const imports =
  'import { Action, HttpCall, HttpContext, logInfo, registerHttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";\n';
const body = `
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("request of " + this.id.toString() + " to " + (this.requestHeaders.get(":path") || "-"));
    if (this.requestHeaders.get(":path") == "/denied") this.sendLocalResponse(403, "denied");
    return Action.Continue;
  }
  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-stream", this.id.toString());
    logInfo("response of " + this.id.toString());
    return Action.Continue;
  }
`;
const register = "registerHttpContext(() => new Filter());\n";
const shared = `${imports}class Filter extends HttpContext {${body}}\n${register}`;
/** A field is all that is needed for contexts of their own. */
const separate = `${imports}class Filter extends HttpContext {${body} kept: u32 = 0; }\n${register}`;

test("does what contexts of their own do, also with streams at the same time", async () => {
  const outcomes = [];
  for (const source of [shared, separate]) {
    const { bytes, exports } = await compileSource(source);
    expect(exports.includes("proxy_on_delete")).toBe(source === separate);
    expect(exports).toContain("proxy_on_context_create");
    const filter = await loadFilter(bytes);
    const [one, other] = [filter.stream(), filter.stream()];
    one.requestHeaders([[":method", "GET"], [":path", "/one"], [":authority", "a"]], { endStream: true }); // prettier-ignore
    other.requestHeaders([[":method", "GET"], [":path", "/denied"], [":authority", "a"]], { endStream: true }); // prettier-ignore
    one.responseHeaders([[":status", "200"]], { endStream: true });
    const calls = [one, other].map((stream) =>
      String(stream.trace)
        .split("\n")
        .filter((line) => !/^proxy_on_(context_create|done|delete)/.test(line)),
    );
    const responses = await Promise.all(["/", "/denied"].map((path) => filter.request(path, { upstream: () => ({}) })));
    outcomes.push({
      calls,
      responses: responses.map(({ status, headers, logs }) => ({
        status,
        stream: headers.get("x-stream"),
        logs: logs.map(({ message }) => message),
      })),
    });
  }
  expect(outcomes[0]).toEqual(outcomes[1]);
  expect(outcomes[0]!.responses[1]!.status).toBe(403);
});

test.skipIf(!envoy)("does the same in a real Envoy", async () => {
  const outcomes = [];
  for (const source of [shared, separate]) {
    const { file } = await compileSource(source);
    const port = await freePort();
    const running = await startEnvoy(envoy!, filterInEnvoy(port, file), ".");
    try {
      const seen = [];
      for (const path of ["/", "/denied", "/"]) {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        seen.push([response.status, response.headers.get("x-stream"), await response.text()]);
      }
      await running.logged("response of 4");
      const logs = [...running.log().matchAll(/wasm log: ((?:request|response) of .*)/g)].map(([, line]) => line);
      outcomes.push({ seen, logs });
    } finally {
      await running.stop();
    }
  }
  expect(outcomes[0]).toEqual(outcomes[1]);
  expect(outcomes[0]!.seen.map(([status]) => status)).toEqual([200, 403, 200]);
});

test.each([["shared", shared], ["of its own", separate]])("a context %s outlives streams that end late or that nobody announced", async (_what, source) => {
  const host = new StubHost((await compileSource(source)).bytes, "");
  host.call("proxy_on_context_create", 2, 1);
  expect(host.call("proxy_on_request_headers", 2, 0, 1)).toBe(Action.Continue);
  host.call("proxy_on_delete", 2);
  for (const id of [2, 0, 1, 77, 0xffffffff]) {
    expect(host.call("proxy_on_request_headers", id, 0, 1)).toBe(Action.Continue);
    expect(host.call("proxy_on_response_headers", id, 0, 1)).toBe(Action.Continue);
    host.call("proxy_on_delete", id);
  }
  host.call("proxy_on_context_create", 3, 1);
  expect(host.call("proxy_on_request_headers", 3, 0, 1)).toBe(Action.Continue);
}); // prettier-ignore

test("the host's own calls reach the stream they are for, and not the root context", async () => {
  const { bytes } = await compileSource(`${imports}
    class Filter extends HttpContext {
      override onForeignFunction(functionId: u32, _size: u32): void { logInfo("called " + functionId.toString()); }
    }
${register}`);
  const filter = await loadFilter(bytes);
  expect(filter.foreignFunction(1).logs).toEqual([]);
  const stream = filter.stream();
  stream.requestHeaders({ ":method": "GET", ":path": "/" });
  expect(stream.foreignFunction(2).logs.map(({ message }) => message)).toEqual(["called 2"]);
});

describe("a filter has contexts of their own", () => {
  const callback = "override onRequestHeaders(_count: u32, _endOfStream: bool): Action {";
  test.each([
    ["with a constructor", `class Filter extends HttpContext { constructor() { super(); logInfo("made"); } ${callback} return 0; } }`, register],
    ["that hear of the end", `class Filter extends HttpContext { override onLog(): void { logInfo("end"); } ${callback} return 0; } }`, register],
    ["that the host calls by itself", `class Filter extends HttpContext { override onForeignFunction(_id: u32, _size: u32): void { logInfo("called"); } ${callback} return 0; } }`, register],
    ["that continue", `class Filter extends HttpContext { ${callback} this.continueRequest(); return Action.Pause; } }`, register],
    ["that call out", `class Filter extends HttpContext { ${callback} return this.pauseFor(this.httpCall<Filter>(new HttpCall("a").get("/"), (self, response) => { logInfo("answered"); })); } }`, register],
    ["that are handed on", `let last: HttpContext | null = null; class Filter extends HttpContext { ${callback} last = this; return 0; } }`, register],
    ["with a root context", `class Filter extends HttpContext { ${callback} return 0; } } class Root extends RootContext { override createHttpContext(): HttpContext | null { return new Filter(); } }`, 'registerRootContext("", () => new Root());\n'],
  ])("%s", async (_what, source, registration) => {
    const { exports } = await compileSource(`${imports}${source}\n${registration}`);
    expect(exports).toContain("proxy_on_delete");
  }); // prettier-ignore
});
