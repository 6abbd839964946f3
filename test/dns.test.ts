// Names that a filter has the proxy resolve. What stands for Envoy was seen in 1.40, and the last tests ask it again.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadFilter, VirtualClock } from "../src/index.ts";
import "../src/vitest.ts";
import { type Compiled, compileFilter, filterWat } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";
import { type HttpFilters, startHttpFilters } from "./support/envoy-http.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("dns");
});

/** What is answered within the call, here and in Envoy: the answer stands before what the call said. */
const atOnce = {
  localhost: "1 [::1]:0/0",
  "127.0.0.1": "1 127.0.0.1:0/0",
  "::1": "1 [::1]:0/0",
  "0:0::1": "1 [::1]:0/0",
  "2001:DB8::A": "1 [2001:db8::a]:0/0",
  "a b": "failed 0",
  "a:b": "failed 0",
  "a%b": "failed 0",
  "[::1]": "failed 0",
  "127.0.0.1:80": "failed 0",
  ä: "failed 0",
};
const said = Object.entries(atOnce).flatMap(([name, answer]) => [`${name} = ${answer}`, `asked ${name} 0`]);

test("what nobody needs to be asked for is answered within the call", async () => {
  const filter = await loadFilter(compiled.bytes, { config: Object.keys(atOnce).join(",") });
  expect(filter.rootTrace.logs.map(({ message }) => message)).toEqual(said);
});

test("other names are answered later, by what the test gives", async () => {
  const filter = await loadFilter(compiled.bytes, {
    config: "a.test,b.test,c.test,d.test",
    dns: { "a.test": ["192.0.2.1", { address: "2001:db8::1", ttlSeconds: 60 }], "b.test": [], "c.test": null },
  });
  const logs = (): string[] => filter.rootTrace.logs.map(({ message }) => message);
  expect(logs()).toEqual(["a", "b", "c", "d"].map((name) => `asked ${name}.test 0`));
  await filter.settle();
  expect(logs().slice(4)).toEqual([
    "a.test = 2 192.0.2.1:0/0 [2001:db8::1]:0/60",
    "b.test = 0",
    "c.test = failed 0",
    "d.test = 0",
  ]);
});

test("a function answers for all names, and streams wait for it", async () => {
  const asked: string[] = [];
  const filter = await loadFilter(compiled.bytes, {
    dns: (name) => {
      asked.push(name);
      return Promise.resolve(["192.0.2.9"]);
    },
  });
  const response = await filter.request({ headers: { "x-name": "a.test" } });
  expect(response).toHaveBody("1 192.0.2.9:0/0");
  expect(await filter.request({ headers: { "x-name": "127.0.0.2" } })).toHaveBody("1 127.0.0.2:0/0");
  expect(asked).toEqual(["a.test"]);
});

test("a stream that has gone hears nothing, nor does a plugin", async () => {
  const clock = new VirtualClock();
  const filter = await loadFilter(compiled.bytes, { clock, dns: () => ["192.0.2.9"] });
  const stream = filter.stream();
  stream.requestHeaders({ ":method": "GET", ":path": "/", "x-name": "a.test" });
  expect(stream.paused).toBe("request");
  stream.reset();
  await filter.settle();
  expect(filter.rootTrace.logs).toEqual([]);
  expect(filter.rootTrace.events.at(-1)).toMatchObject({ name: "envoy_on_resolve_dns" });
  const other = await loadFilter(compiled.bytes, { config: "a.test", dns: () => ["192.0.2.9"] });
  other.close();
  await other.settle();
  expect(other.rootTrace.events.at(-1)).toMatchObject({ name: "proxy_on_delete" });
});

test("an answer that is no address is refused at once", async () => {
  const load = loadFilter(compiled.bytes, { dns: { "a.test": ["192.0.2.1:80"] } });
  await expect(load).rejects.toThrow('"192.0.2.1:80" among the answers of dns is no IP address');
});

test("numbers count up from 2, also when there is no place to write one", async () => {
  const filter = await loadFilter(
    filterWat({
      imports: '(import "env" "envoy_resolve_dns" (func $resolve (param i32 i32 i32) (result i32)))',
      data: "::1",
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $resolve (i32.const 16) (i32.const 3) (i32.const -1)))
        (drop (call $resolve (i32.const -1) (i32.const 3) (i32.const 0)))
        (drop (call $resolve (i32.const 16) (i32.const 3) (i32.const 0)))
        (i32.const 0))
      (func (export "envoy_on_resolve_dns") (param i32 i32 i32))`,
    }),
  );
  filter.stream().requestHeaders({ ":method": "GET", ":path": "/" });
  const calls = filter.rootTrace.events.flatMap((event) =>
    event.kind === "callback" ? [[event.name, event.args]] : [],
  );
  expect(calls.at(-1)).toEqual(["envoy_on_resolve_dns", [1, 3, 16]]);
});

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let filters: HttpFilters | undefined;

  beforeAll(async () => {
    const { file } = compiled;
    filters = await startHttpFilters(envoy!, { dns: { file, configuration: Object.keys(atOnce).join(",") } });
  });
  afterAll(() => filters?.envoy.stop());

  test("the same is answered within the call", async () => {
    await filters!.envoy.logged("starting main dispatch loop");
    const lines = [...filters!.envoy.log().matchAll(/\]\swasm log[^:]*: (.*)$/gm)].map((match) => match[1]!);
    // Without IPv6, localhost is another address.
    const alike = lines.map((line) => line.replace("localhost = 1 127.0.0.1:0/0", "localhost = 1 [::1]:0/0"));
    expect(alike.slice(0, said.length)).toEqual(said);
  });

  test("a stream is answered while it is held", async () => {
    const ask = async (name: string): Promise<string> =>
      (await fetch(filters!.url("dns"), { headers: { "x-name": name } })).text();
    expect(await ask("127.0.0.2")).toBe("1 127.0.0.2:0/0");
    expect(await ask("a b")).toBe("failed 0");
  });
});
