// Foreign functions on the host: Envoy's own as a running Envoy has them, an embedder's, and answers that cannot be placed.

import { readFile } from "node:fs/promises";

import { beforeAll, describe, expect, test } from "vitest";

import { EnvoyFault, type Filter, loadFilter, Refusal, Status } from "../src/index.ts";
import { type Compiled, compileFilter, compileSource, filterWat, hostCall } from "./support/compile.ts";
import { testForeignFunctions } from "./support/foreign.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("foreign");
});

const send = async (filter: Filter, headers: Record<string, string>): Promise<string> =>
  (await filter.request({ path: "/path", headers })).text().replace(/\n$/, "");

describe("Envoy's functions", () => {
  testForeignFunctions(async (headers) => send(await loadFilter(compiled.bytes), headers));
});

describe("an embedder's functions", () => {
  test("get bytes and answer bytes, nothing, or a refusal", async () => {
    const filter = await loadFilter(compiled.bytes, {
      foreign: {
        reverse: (bytes) => bytes.toReversed(),
        nothing: () => undefined,
        refuse: () => new Refusal(Status.CasMismatch, "because"),
      },
    });
    expect(await send(filter, { "x-call": "reverse", "x-argument": "010203" })).toBe("0 030201");
    expect(await send(filter, { "x-call": "nothing" })).toBe("0 ");
    expect(await send(filter, { "x-call": "refuse" })).toBe("8");
  });

  test("stand in place of Envoy's", async () => {
    const filter = await loadFilter(compiled.bytes, {
      config: "request.path.size()",
      foreign: {
        expr_create: () => Uint8Array.of(7, 0, 0, 0),
        expr_evaluate: (token) => Uint8Array.of(...token, 9),
      },
    });
    expect(await send(filter, { "x-call": "evaluate", "x-typed": "1" })).toBe("0700000009");
  });

  test("are named when there is none of that name", async () => {
    const reasons: string[] = [];
    const filter = await loadFilter(compiled.bytes, {
      foreign: { mine: () => undefined },
      onRefusal: (_, { reason }) => reasons.push(reason),
    });
    await send(filter, { "x-call": "min" });
    expect(reasons.join()).toMatch(/there is no foreign function "min"; there are mine, compress, uncompress,/);
  });
});

test("expressions without anything that evaluates them are a known gap", async () => {
  const { default: gaps } = await import("./known-gaps.json", { with: { type: "json" } });
  expect(gaps).toHaveProperty("expr_create, expr_evaluate, expr_delete");
  const filter = await loadFilter(compiled.bytes);
  for (const name of ["expr_create", "expr_evaluate", "expr_delete"]) {
    expect(await send(filter, { "x-call": name })).toBe("12");
  }
});

test("what is set in the filter state can be read in the stream, and nowhere else", async () => {
  const source = (await readFile(new URL("filters/foreign.ts", import.meta.url), "utf8")).replace(
    "return this.reply(this.typed(name, argument));",
    `{
      this.typed(name, argument);
      return this.reply(readProperty("filter_state\\0" + this.header("x-name")));
    }`,
  );
  const filter = await loadFilter(
    (
      await compileSource(`${source}
        import { proxy_get_property } from "proxy-wasm/assembly/env";
        import { answerData, answerSize, answerText, beginCall, write, written } from "proxy-wasm/assembly/memory";
        function readProperty(path: string): string {
          beginCall();
          const at = write(changetype<usize>(path));
          return proxy_get_property(at, written, answerData, answerSize) ? "none" : answerText();
        }`)
    ).bytes,
  );
  const set = (name: string, value: string) =>
    send(filter, { "x-call": "set_envoy_filter_state", "x-typed": "1", "x-name": name, "x-value": value });
  expect(await set("envoy.tcp_proxy.cluster", "blue")).toBe("blue");
  expect(await set("envoy.ratelimit.hits_addend", "007")).toBe("7");
  expect(await set("envoy.network.ip", "1.2.3.4")).toBe("1.2.3.4:0");
  expect(await set("envoy.ratelimit.hits_addend", "x")).toBe("none");
  expect(await set("envoy.network.application_protocols", "h2")).toBe("none");
});

describe("pointers", () => {
  const name = { hex: "compress", size: 8 };
  const load = (body: string, malloc?: string) =>
    loadFilter(
      filterWat({
        imports: hostCall("call_foreign_function", 6) + hostCall("set_effective_context", 1),
        data: `${name.hex}uncompress\\\\78\\\\9c\\\\03\\\\00\\\\00\\\\00\\\\00\\\\01`,
        functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${body})`,
        ...(malloc && { malloc }),
      }),
    );
  const call = (result: number, size: number, from = 16, length = name.size) =>
    `(drop (call $call_foreign_function (i32.const ${from}) (i32.const ${length}) (i32.const 16) (i32.const 4) (i32.const ${result}) (i32.const ${size}))) (i32.const 0)`;
  const status = async (filter: Filter) => {
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET" });
    const event = stream.trace.events.find(({ kind }) => kind === "call");
    return event?.kind === "call" ? event.status : undefined;
  };

  test("of 0 drop the answer", async () => {
    expect(await status(await load(call(0, 0)))).toBe(Status.Ok);
  });

  test("outside of memory are refused", async () => {
    expect(await status(await load(call(64, 1 << 30)))).toBe(Status.InvalidMemoryAccess);
    expect(await status(await load(call(1 << 30, 64)))).toBe(Status.InvalidMemoryAccess);
    expect(await status(await load(call(64, 68, 1 << 30)))).toBe(Status.InvalidMemoryAccess);
    expect(await status(await load(call(1 << 30, 1 << 30, 16, 3)))).toBe(Status.NotFound);
  });

  test.each([
    ["0", "(i32.const 0)"],
    ["a place outside", "(i32.const 0x7fffffff)"],
    ["a trap", "unreachable"],
  ])("of an answer that the allocator gives as %s crash Envoy, and fail the test", async (_, body) => {
    const filter = await load(call(64, 68), `(func (export "malloc") (param i32) (result i32) ${body})`);
    await expect(filter.request("/", { upstream: () => ({}) })).rejects.toThrow(EnvoyFault);
  });
});

test("a connection's upstream can be chosen; a root context has no stream", async () => {
  const { bytes } = await compileSource(`
    import { Action, logInfo, registerRootContext, RootContext, StreamContext } from "proxy-wasm/assembly";
    import { setEnvoyFilterState } from "proxy-wasm/assembly/envoy";
    class Root extends RootContext {
      override onConfigure(_size: u32): bool {
        logInfo(setEnvoyFilterState("envoy.tcp_proxy.cluster", "blue").toString());
        return true;
      }
      override createStreamContext(): StreamContext { return new Connection(); }
    }
    class Connection extends StreamContext {
      override onNewConnection(): Action {
        logInfo(setEnvoyFilterState("envoy.tcp_proxy.cluster", "blue").toString());
        return Action.Continue;
      }
    }
    registerRootContext("", () => new Root());`);
  const filter = await loadFilter(bytes);
  expect(filter.rootTrace.logs.map(({ message }) => message)).toEqual(["1"]);
  const connection = filter.connection();
  connection.connect();
  expect(connection.trace.logs.map(({ message }) => message)).toEqual(["0"]);
});
