// Several filters in a row: requests pass them in order, responses in reverse.

import { beforeAll, describe, expect, test } from "vitest";

import { chain, type Filter, type FilterOptions, loadFilter, ProxyState } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("workers");
});

const upstream = () => ({ body: "ok" });

async function three(options: FilterOptions = {}) {
  const proxy = new ProxyState();
  const load = (name: string) => loadFilter(compiled.bytes, { proxy, name, config: name, ...options });
  return [await load("a"), await load("b"), await load("c")] as const;
}

const apart = async () => {
  const proxy = new ProxyState();
  const load = (name: string) => loadFilter(compiled.bytes, { proxy, name, config: name, vmId: name });
  return [await load("a"), await load("b"), await load("c")] as const;
};

describe("a chain", () => {
  test("is passed in order by the request, in reverse by the response, in one VM", async () => {
    const response = await chain(await three()).request("/", { upstream });
    expect(response.upstream!.headers.getAll("x-passed")).toEqual(["a 4", "b 5", "c 6"]);
    expect(response.headers.getAll("x-passed")).toEqual(["c 6", "b 5", "a 4"]);
    expect(response.logs.map((line) => line.message)).toEqual([
      "log 4",
      "log 5",
      "log 6",
      "done 4",
      "delete 4",
      "done 5",
      "delete 5",
      "done 6",
      "delete 6",
    ]);
  });

  test("has a VM for each filter when they are to be apart", async () => {
    const response = await chain(await apart()).request("/", { upstream });
    expect(response.upstream!.headers.getAll("x-passed")).toEqual(["a 2", "b 2", "c 2"]);
    expect(response.trace.toString()).toMatch(
      /^a: proxy_on_context_create\(2, 1\).*^b: proxy_on_context_create\(2, 1\).*^c: proxy_on_response_headers/ms,
    );
  });

  test("is left where a filter answers: those behind it only see the end", async () => {
    const response = await chain(await apart()).request({ headers: { "x-reply": "b" } });
    expect(response).toHaveRepliedLocally(403);
    expect(response.headers.getAll("x-passed")).toEqual(["b 2", "a 2"]);
    const seen = response.trace.events.filter((event) => event.kind === "callback" && event.filter === "c");
    expect(seen.map((event) => event.kind === "callback" && event.name)).toEqual([
      "proxy_on_context_create",
      "proxy_on_log",
      "proxy_on_done",
      "proxy_on_delete",
    ]);
  });

  test("can be driven step by step, and holds a request in its middle", async () => {
    const stream = chain(await apart()).stream();
    const head = { ":method": "GET", ":path": "/", ":authority": "a", "x-pause": "b" };
    expect(stream.requestHeaders(head, { endStream: true })).toPause();
    expect(stream.upstream.complete).toBe(false);
    const passed = stream.trace.events.filter(
      (event) => event.kind === "callback" && event.name === "proxy_on_request_headers",
    );
    expect(passed.map((event) => event.filter)).toEqual(["a", "b"]);
    stream.reset();
    expect(stream.ended).toBe(true);
  });

  test("goes on without a filter that has failed and may be left out", async () => {
    const [a, b, c] = await three({ failurePolicy: "open" });
    expect(() => b.reconfigure("trap")).toThrow("trapped on purpose");
    expect((await chain([a, b, c]).request("/", { upstream })).upstream!.headers.has("x-passed")).toBe(false);
  });

  test("shows one filter twice when it stands there twice, with one root context", async () => {
    const [a] = await three();
    const response = await chain([a, a]).request("/", { upstream });
    expect(response.upstream!.headers.getAll("x-passed")).toEqual(["a 4", "a 5"]);
  });

  test("takes TCP connections too", async () => {
    const { bytes } = await compileSource(`
      import { Action, Counter, PeerType, registerRootContext, RootContext, StreamContext } from "proxy-wasm/assembly";
      class Root extends RootContext {
        override createStreamContext(): StreamContext { return new Connection(); }
      }
      const closed = new Counter("closed");
      class Connection extends StreamContext {
        override onDownstreamData(_size: u32, _endOfStream: bool): Action {
          this.downstreamData.append("+" + this.id.toString());
          return Action.Continue;
        }
        override onDownstreamClose(_peer: PeerType): void { closed.increment(); }
      }
      registerRootContext("", () => new Root());`);
    const proxy = new ProxyState();
    const filters: Filter[] = [];
    for (const config of ["a", "b"]) filters.push(await loadFilter(bytes, { proxy, name: config, config }));
    const connection = chain(filters).connection();
    connection.connect();
    connection.downstreamData("x");
    expect(connection.upstream.text).toBe("x+3+4");
    filters[0]!.close();
    const ended = () =>
      filters[0]!.rootTrace.events.some((event) => event.kind === "callback" && event.name.endsWith("_delete"));
    expect(ended()).toBe(false);
    connection.downstreamClose();
    expect(ended()).toBe(true);
    expect(filters[0]!.metric("closed").value).toBe(2);
  });

  test("is for filters of one proxy, and for at least one", async () => {
    const load = (config: string) => loadFilter(compiled.bytes, { config });
    const [a, b] = [await load("a"), await load("b")];
    expect(() => chain([a, b])).toThrow(/^the filters of a chain belong to one proxy/);
    expect(() => chain([])).toThrow("a chain needs a filter");
    expect((await chain([a]).request("/", { upstream })).upstream!.headers.getAll("x-passed")).toEqual(["a 2"]);
  });
});
