// A context belongs to one stream: one that is handed out a second time stops the filter, with a sentence.

import { expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileSource } from "./support/compile.ts";

const http = `
  import { Action, HttpContext, registerHttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onRequestHeaders(_count: u32, _endOfStream: bool): Action { return Action.Continue; }
  }
`;
const tcp = `
  import { Action, StreamContext, registerStreamContext } from "proxy-wasm/assembly";
  class Connection extends StreamContext {
    override onNewConnection(): Action { return Action.Continue; }
  }
`;

test.each([
  ["createHttpContext", `${http}
    class Root extends RootContext {
      one: Filter | null = null;
      override createHttpContext(): HttpContext {
        let one = this.one;
        if (one === null) this.one = one = new Filter();
        return one;
      }
    }
    registerRootContext("", () => new Root());`],
  ["registerHttpContext", `${http}
    let one: Filter | null = null;
    registerHttpContext(() => {
      if (one === null) one = new Filter();
      return one!;
    });`],
])("a filter stops whose %s gives a stream the context of another one", async (_what, source) => {
  const filter = await loadFilter((await compileSource(source)).bytes, { limits: { callbackMs: 5000 } });
  expect((await filter.request("/", { upstream: () => ({}) })).status).toBe(200);
  expect((await filter.request("/", { upstream: () => ({}) })).status).toBe(503);
  expect(filter.trap).toContain("not a new context");
}); // prettier-ignore

test("a filter stops whose registerStreamContext gives a context that was made before", async () => {
  const { bytes } = await compileSource(`${tcp}
    const one = new Connection();
    registerStreamContext(() => one);`);
  const filter = await loadFilter(bytes, { limits: { callbackMs: 5000 } });
  filter.connection().connect();
  expect(filter.trap).toContain("not a new context");
});
