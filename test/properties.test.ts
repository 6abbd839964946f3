// Properties, on the host and in the SDK: what a test gives, what a filter reads and sets, and what is refused.

import { get } from "node:http";

import type { ASUtil } from "@assemblyscript/loader";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import {
  chain,
  type FilterOptions,
  loadFilter,
  type PropertyOptions,
  ProxyState,
  Status,
  UpstreamError,
  VirtualClock,
} from "../src/index.ts";
import { serve } from "../src/serve/server.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";
import { loadGuest } from "./support/guest.ts";

let compiled: Compiled;
let probe: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("properties");
  probe = await compileFilter("property-probe");
}, 60_000);

const upstream = () => ({ body: "ok" });
const letters = Buffer.from("lettered").readBigInt64LE();
const texts = (logs: readonly { message: string }[]): string[] => logs.map(({ message }) => message);

/** What the filter logs for a command in its request headers. */
async function run(command: string, path: string, properties: PropertyOptions = {}): Promise<string[]> {
  const filter = await loadFilter(compiled.bytes, { rootId: "root", properties });
  const headers = { "x-do": command, ...(path && { "x-path": path }) };
  const lines = texts((await filter.request({ headers }, { upstream })).logs);
  return lines.slice(
    0,
    lines.findIndex((line) => line.startsWith("later")),
  );
}

/** What the probe reads at a path in each callback, as `callback status hex`. */
async function read(path: string, options: FilterOptions = {}, properties: PropertyOptions = {}): Promise<string[]> {
  const filter = await loadFilter(probe.bytes, { ...options, config: path });
  const { logs } = await filter.request({ body: "four" }, { upstream, properties });
  return texts(logs).map((line) => line.replace(/^get\|([\w-]+)\|.*\|/, "$1 "));
}

describe("a filter reads", () => {
  test("what Envoy has by itself", async () => {
    expect(await run("known", "")).toEqual([
      '"127.0.0.1:50000""127.0.0.1"50000',
      '"127.0.0.1:10000""127.0.0.1"10000',
      '0 - ""',
      "nullnull",
      "null-1 1",
      '"filter""root"""',
      '"""""upstream"""',
      "0{}null",
      '0"all"""',
      `"HTTP/1.1"${Date.UTC(2026, 0)}000000 -1`,
    ]);
  });

  test("what a test gives in its place", async () => {
    const given = {
      "source.address": "[2001:db8::7]:4711",
      destination: { address: "192.0.2.1:443", port: 8443 },
      "connection.id": 77,
      "connection.mtls": true,
      "connection.requested_server_name": "example.test",
      "connection.tls_version": "TLSv1.3",
      "connection.uri_san_peer_certificate": "spiffe://cluster.local/ns/default/sa/client",
      "upstream.num_endpoints": 3n,
      "xds.node.id": "sidecar~192.0.2.1",
      "xds.node": { cluster: "web", metadata: { NAMESPACE: "default" } },
      "xds.route_metadata.filter_metadata": { ns: { k: "v", n: 2 } },
      "xds.route_name": "main",
      "xds.listener_direction": 2,
      "request.protocol": "HTTP/2",
    };
    expect(await run("known", "", given)).toEqual([
      '"[2001:db8::7]:4711""2001:db8::7"4711',
      '"192.0.2.1:443""192.0.2.1"8443',
      '77 mtls "example.test"',
      '"TLSv1.3""spiffe://cluster.local/ns/default/sa/client"',
      "null-1 3",
      '"filter""root"""',
      '"sidecar~192.0.2.1""web""upstream""main"',
      expect.stringMatching(/^1\{NAMESPACE="default"\/NaN\/false;\}2\{k="v"\/NaN\/false;n=".*"\/2\.0\/false;\}$/),
      '2"all"""',
      `"HTTP/2"${Date.UTC(2026, 0)}000000 -1`,
    ]);
  });

  test("a path as a text with dots or as segments, as text or bytes", async () => {
    expect(await run("text", "source/address")).toEqual([
      `"127.0.0.1:50000""127.0.0.1:50000"[${[..."127.0.0.1:50000"].map((c) => c.charCodeAt(0)).join(",")}]`,
    ]);
    const metadata = { "metadata.filter_metadata": { "envoy.lb": { canary: "yes" } } };
    expect(await run("text", "metadata/filter_metadata/envoy.lb/canary", metadata)).toEqual(['null"yes"[121,101,115]']);
    expect(await run("text", "xds/filter_chain_name")).toEqual(['""""[]']);
    expect(await run("text", "nope")).toEqual(["nullnullnull"]);
    expect(await run("text", "xds")).toEqual(["proxy_get_property answered SerializationFailure", "nullnullnull"]);
  });

  // As i64, u64, f64, bool (absent: true), bool (absent: false), nanoseconds.
  test.each<[string, PropertyOptions[string], string]>([
    ["an integer of Envoy", 5n, "5 5 2.5e-323 true false 5"],
    ["a negative one", -5n, "-5 18446744073709551611 NaN true false -5"],
    ["a double of Envoy", 1.5, "4609434218613702656 4609434218613702656 1.5 true false 4609434218613702656"],
    ["true of Envoy", true, "-7 7 -7.5 true true -7"],
    ["false of Envoy", false, "-7 7 -7.5 false false -7"],
    ["decimal text", "123", "123 123 123.0 true false 123000000000"],
    ["eight digits", "12345678", "12345678 12345678 12345678.0 true false 12345678000000000"],
    ["a fraction as text", "-1.75", "-1 18446744073709551615 -1.75 true false -1750000000"],
    [
      "seconds with milliseconds",
      "1700000000.125",
      "1700000000 1700000000 1700000000.125 true false 1700000000125000000",
    ],
    ["more digits than nanoseconds have", "0.0000000019", "0 0 1.9e-9 true false 1"],
    ["true as text", "true", "-7 7 -7.5 true true -7"],
    ["false as text", "false", "-7 7 -7.5 false false -7"],
    ["1 as text", "1", "1 1 1.0 true true 1000000000"],
    ["other text", "text", "-7 7 -7.5 true false -7"],
    ["eight letters", "lettered", `${letters} ${letters} 4.2435685098604958e+175 true false ${letters}`],
    ["two dots", "1.2.3", "-7 7 -7.5 true false -7"],
    ["nothing", "", "-7 7 -7.5 true false -7"],
    ["what is absent", null, "-7 7 -7.5 true false -7"],
  ])("%s in every way", async (_what, value, readings) => {
    expect(await run("read", "other/value", { "other.value": value })).toEqual([readings]);
  });

  test("maps and lists, nested ones too, and tells an empty one from none", async () => {
    const node = { "xds.node.metadata": { a: "b", t: true, n: 1.5 } };
    expect((await run("map", "xds/node/metadata", node)).map((line) => line.replace(/n=".*?"/s, 'n="…"'))).toEqual([
      '3{a="b"/NaN/false;t="\x01"/NaN/true;n="…"/1.5/false;}',
      "none",
    ]);
    expect(await run("map", "metadata/filter_metadata")).toEqual(["0{}", "none"]);
    expect(await run("map", "metadata/none")).toEqual(["null"]);
    const list = { "metadata.filter_metadata.ns": { list: ["x", "", true] } };
    expect(await run("list", "metadata/filter_metadata/ns/list", list)).toEqual([
      '3 "x"/NaN/false ""/NaN/false "\x01"/NaN/true',
    ]);
    expect(await run("list", "nope")).toEqual(["null"]);
    const nested = { other: { "a.b": { k: "v" }, list: [1, 2, 3], n: 4, t: 5n } };
    expect(await run("nested", "other", nested)).toEqual(['1{k="v"/NaN/false;}3', "4 5"]);
  });
});

describe("a filter sets", () => {
  test.each(["proxy-wasm", "incremental", "minimal", "stub"])("properties of its own (runtime %s)", async (runtime) => {
    const { bytes } = await compileFilter("properties", ["--runtime", runtime]);
    const filter = await loadFilter(bytes, { rootId: "root" });
    expect(texts(filter.rootTrace.logs)).toEqual([
      'root "root"""null-1',
      "proxy_set_property answered NotFound",
      "set 1",
    ]);
    const first = await filter.request({ headers: { "x-do": "set" } }, { upstream });
    expect(texts(first.logs)).toEqual([
      '0"first"',
      "0",
      '[0,0]0""',
      expect.stringContaining("setProperty: not set"),
      "22",
      '0"dotted"null',
      "long 05000",
      "nullnull",
      'later "first""127.0.0.1:3000"1',
      'log "first"0',
    ]);
    // They belong to the stream.
    const second = await filter.request("/", { upstream });
    expect(texts(second.logs)).toEqual(['later null"127.0.0.1:3000"1', "log null0"]);
  });

  test("for the other filters on its stream too", async () => {
    const proxy = new ProxyState();
    const first = await loadFilter(probe.bytes, { proxy, name: "first", vmId: "a", config: "request-headers mine=x" });
    const second = await loadFilter(probe.bytes, { proxy, name: "second", vmId: "b", config: "mine\nplugin_name" });
    const { logs } = await chain([first, second]).request("/", { upstream });
    const name = Buffer.from("second").toString("hex");
    expect(texts(logs)).toEqual(
      expect.arrayContaining([
        "set|request-headers|mine=x|0",
        "get|request-headers|mine|0 78",
        `get|request-headers|plugin_name|0 ${name}`,
        "get|log|mine|0 78",
      ]),
    );
  });

  test("only once what it has declared to be read-only", async () => {
    const { bytes } = await compileSource(`
      import { Action, getProperty, HttpContext, logInfo, registerRootContext, RootContext, setProperty }
        from "proxy-wasm/assembly";
      import { declareProperty, PropertyType } from "proxy-wasm/assembly/envoy";
      class Root extends RootContext {
        override onConfigure(_size: u32): bool {
          declareProperty("once", PropertyType.String, true);
          return true;
        }
        override createHttpContext(): HttpContext | null { return new Filter(); }
      }
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          logInfo(setProperty("once", "1").toString() + setProperty("once", "2").toString() + getProperty("once")!);
          return Action.Continue;
        }
      }
      registerRootContext("", () => new Root());`);
    const reasons: string[] = [];
    const filter = await loadFilter(bytes, { onRefusal: (_call, { reason }) => reasons.push(reason) });
    for (let i = 0; i < 2; i++) expect(texts((await filter.request("/", { upstream })).logs)).toContain("021");
    expect(reasons).toContain("the property once is declared read-only and is set already");
  });

  test("and finds what other filters keep with the stream", async () => {
    const properties = { filter_state: { "wasm.theirs": "x", "envoy.string": "y" } };
    expect(await run("text", "theirs", properties)).toEqual(['"x""x"[120]']);
    expect(await run("text", "filter_state/envoy.string", properties)).toEqual(['null"y"[121]']);
  });
});

describe("the host", () => {
  const hex = (value: bigint): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes.toString("hex");
  };

  test("takes properties for one exchange in place of those of the filter", async () => {
    const options = { properties: { "xds.route_name": "all", "xds.cluster_name": "all" } };
    const route = await read("xds/route_name", options, { "xds.route_name": "one" });
    expect(new Set(route.map((line) => line.replace(/^\S+ /, "")))).toEqual(new Set(["0 6f6e65"]));
    expect((await read("xds/cluster_name", options, { "xds.route_name": "one" }))[0]).toBe("create 0 616c6c");
    const stream = (await loadFilter(probe.bytes, { config: "xds/route_name" })).stream({
      properties: { "xds.route_name": "one" },
    });
    stream.requestHeaders({ ":method": "GET" });
    expect(texts(stream.logs)).toContain("get|request-headers|xds/route_name|0 6f6e65");
  });

  test("takes a property away with null", async () => {
    expect((await read("source/address"))[0]).toContain("create 0 ");
    expect((await read("source/address", { properties: { "source.address": null } }))[0]).toBe("create 1");
    expect((await read("source/port", { properties: { "source.address": null } }))[0]).toBe("create 1");
  });

  test("counts connections", async () => {
    const filter = await loadFilter(probe.bytes, { config: "connection/id" });
    for (const id of [0n, 1n]) {
      expect(texts((await filter.request("/", { upstream })).logs)[0]).toBe(`get|create|connection/id|0 ${hex(id)}`);
    }
  });

  test("measures times on the clock", async () => {
    const clock = new VirtualClock(new Date(0));
    const filter = await loadFilter(probe.bytes, {
      clock,
      config: "request/time\nrequest/duration\nresponse/backend_latency\nrequest/size\nresponse/size",
    });
    clock.advance(5);
    const slow = () => {
      clock.advance(30);
      return { body: ["ab", "cd"] };
    };
    const logs = texts((await filter.request({ body: "four" }, { upstream: slow })).logs).filter((l) =>
      l.includes("|log|"),
    );
    expect(logs).toEqual([
      `get|log|request/time|0 ${hex(5_000_000n)}`,
      `get|log|request/duration|0 ${hex(30_000_000n)}`,
      `get|log|response/backend_latency|0 ${hex(30_000_000n)}`,
      `get|log|request/size|0 ${hex(4n)}`,
      `get|log|response/size|0 ${hex(4n)}`,
    ]);
  });

  test.each([
    ["remote connection failure", 0x20n],
    ["connection termination", 0x40n],
    ["connection timeout", 0x20n],
    ["remote reset", 0x10n],
  ] as const)("flags a %s", async (reason, flag) => {
    const filter = await loadFilter(probe.bytes, { config: "response/flags" });
    const failing = () => {
      throw new UpstreamError(reason);
    };
    const logs = texts((await filter.request("/", { upstream: failing })).logs);
    expect(logs).toContain(`get|log|response/flags|0 ${hex(flag)}`);
  });

  test("flags a client that has gone", async () => {
    const stream = (await loadFilter(probe.bytes, { config: "response/flags" })).stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/" });
    stream.reset();
    expect(texts(stream.logs)).toContain(`get|log|response/flags|0 ${hex(0x4000n)}`);
  });

  test.each<[string, PropertyOptions, string]>([
    ["request.path", { "request.path": "/" }, "it comes from the request itself"],
    ["response", { response: { code: 200 } }, "it comes from the response itself"],
    ["upstream.request_attempt_count", { "upstream.request_attempt_count": 1 }, "it comes from what the upstream does"],
    ["plugin_name", { plugin_name: "x" }, "give the option name"],
    ["plugin_root_id", { plugin_root_id: "x" }, "give the option rootId"],
    ["connection_id", { connection_id: 1 }, 'give "connection.id"'],
    ["source.adress", { "source.adress": "x" }, "source has address, port"],
    ["source.address", { "source.address": 1 }, "it is text"],
    ["source.port", { "source.port": "80" }, "it is a number"],
    ["source", { source: "192.0.2.1" }, 'it is a group: give "source.…"'],
    ["xds.node", { "xds.node": "me" }, "it is a message"],
    ["xds.node.ident", { "xds.node": { ident: "me" } }, "the message has id, cluster, metadata"],
    ["xds.node.locality.place", { "xds.node.locality": { place: "x" } }, "the message has id, cluster"],
    ["metadata.ns", { "metadata.ns": {} }, "the message has filter_metadata"],
  ])("does not take %s when it cannot mean it", async (path, properties, why) => {
    const loading = loadFilter(probe.bytes, { properties });
    await expect(loading).rejects.toThrow(`the property ${path} cannot be given so: ${why}`);
    await expect(loading).rejects.toBeInstanceOf(TypeError);
  });

  test.each([
    ["request/path", "there is no property request.path in on_response_headers: Envoy takes it from the headers"],
    ["node/id", "since Envoy 1.33 it is xds.node"],
    ["request.path", "that is one segment; segments are divided by a NUL"],
    ["upstream/tls_version", "there is no property upstream.tls_version in on_response_headers"],
    ["nope", "there is no property nope"],
    ["request", "property request as a whole has no bytes: read what is in it"],
    ["", "the property's path is empty"],
  ])("says why %s cannot be read", async (path, why) => {
    const reasons: string[] = [];
    const filter = await loadFilter(probe.bytes, {
      config: path,
      onRefusal: (call, { reason }) => reasons.push(`${call} ${reason}`),
    });
    expect(reasons[0]).toContain("proxy_get_property ");
    reasons.length = 0;
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "GET", ":path": "/" }, { endStream: true });
    reasons.length = 0;
    stream.responseHeaders({ ":status": "200" }, { endStream: true });
    expect(reasons[0]).toContain(why);
  });

  test("says why there is hardly any in a root context, and that none can be set there", async () => {
    const reasons: string[] = [];
    await loadFilter(probe.bytes, {
      config: "source/address\nroot mine=1",
      onRefusal: (_call, { status, reason }) => reasons.push(`${Status[status]} ${reason}`),
    });
    expect(reasons).toEqual([
      "NotFound the property mine cannot be set in a root context: a property is kept with a stream",
      "NotFound there is no property source.address in a root context: without a stream there are xds.node, " +
        "plugin_name, plugin_root_id, plugin_vm_id",
    ]);
  });

  test("writes messages as protocol buffers", async () => {
    const node = {
      id: "a",
      metadata: { s: "v", l: [null, true, 1], o: {} },
      locality: { zone: "z" },
      user_agent_name: "",
      user_agent_build_version: { version: { major_number: 300 } },
      extensions: [{ name: "e", disabled: true }],
      client_features: ["f", ""],
      dynamic_parameters: { p: { params: { k: "v" } } },
    };
    const [first] = await read("xds/node", { properties: { "xds.node": node } });
    // Field by field, as protoc writes them.
    expect(first).toBe(
      [
        "create 0 0a0161",
        "1a2f0a080a017312031a0176",
        "0a1a0a016c1215",
        "32130a0208000a0220010a0911000000000000f03f",
        "0a070a016f12022a00",
        "220312017a",
        "42070a0508ac021028",
        "4a050a01652801",
        "5201665200",
        "620d0a017012080a060a016b120176",
      ].join(""),
    );
  });
});

describe("serve", () => {
  test("says whose connection it is", async () => {
    const lines: string[] = [];
    const filter = await loadFilter(probe.bytes, {
      config: "source/address\ndestination/address\nupstream/address",
      onLog: ({ message }) => message.startsWith("get|request-headers") && lines.push(message),
    });
    const server = await serve(filter, { port: 0 });
    try {
      const port = await new Promise<number>((done, fail) => {
        const request = get(server.url, { agent: false }, (response) => {
          const { localPort } = response.socket;
          response.resume().on("end", () => done(localPort!));
        });
        request.on("error", fail);
      });
      const hex = (address: string): string => Buffer.from(address).toString("hex");
      expect(lines).toEqual([
        `get|request-headers|source/address|0 ${hex(`127.0.0.1:${port}`)}`,
        `get|request-headers|destination/address|0 ${hex(`127.0.0.1:${new URL(server.url).port}`)}`,
        "get|request-headers|upstream/address|1",
      ]);
    } finally {
      await server.close();
    }
  });
});

interface Guest extends ASUtil, Record<string, unknown> {
  readonly Uint8Array_ID: WebAssembly.Global;
  toI64(bytes: number): bigint;
  toNanoseconds(bytes: number): bigint;
  toF64(bytes: number): number;
  toBool(bytes: number): number;
  map(bytes: number): number;
  list(bytes: number): number;
}

describe("decoding", async () => {
  const guest = await loadGuest<Guest>("web-parsers.ts");
  function on<T>(bytes: Uint8Array, use: (pointer: number) => T): T {
    const pointer = guest.__pin(guest.__newArray(guest.Uint8Array_ID.value as number, bytes));
    try {
      return use(pointer);
    } finally {
      guest.__unpin(pointer);
    }
  }
  const arrays = (pointer: number): Uint8Array[] =>
    guest.__getArray(pointer).map((part) => guest.__getUint8Array(part));
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  test("gives back numbers in both forms", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }), (value) => {
        const bytes = new Uint8Array(new BigInt64Array([value]).buffer);
        expect(on(bytes, guest.toI64)).toBe(value);
        expect(on(bytes, guest.toNanoseconds)).toBe(value);
        expect(on(text(String(value)), guest.toI64)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        expect(on(new Uint8Array(new Float64Array([value]).buffer), guest.toF64)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.nat(2_000_000_000), fc.nat(999), (seconds, milliseconds) => {
        const decimal = `${seconds}.${String(milliseconds).padStart(3, "0")}`;
        expect(on(text(decimal), guest.toNanoseconds)).toBe(BigInt(seconds * 1000 + milliseconds) * 1_000_000n);
        expect(on(text(decimal), guest.toF64)).toBe(Number(decimal));
      }),
    );
  });

  test("knows 0, 1, true and false, and nothing else, for booleans", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom("true", "false", "0", "1", "\0", "\x01", "True"), fc.string()), (value) => {
        const known: Record<string, number> = { true: 1, false: 0, "0": 0, "1": 1, "\0": 0, "\x01": 1 };
        expect(on(text(value), guest.toBool)).toBe(Object.hasOwn(known, value) ? known[value] : 2);
      }),
    );
  });

  test("gives back maps and lists", () => {
    const pair = fc.tuple(fc.string({ unit: "grapheme" }), fc.uint8Array({ maxLength: 9 }));
    fc.assert(
      fc.property(fc.uniqueArray(pair, { maxLength: 6, selector: ([name]) => name }), (pairs) => {
        const entries = pairs.map(([name, value]) => [text(name), value] as const);
        expect(arrays(on(encode(entries), guest.map))).toEqual(entries.flat());
        const items = entries.map(([name]) => [name, new Uint8Array()] as const);
        expect(arrays(on(encode(items), guest.list))).toEqual(items.map(([item]) => item));
      }),
    );
  });

  test("is not led astray by any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(5), (bytes, count) => {
        const counted = Uint8Array.from([count, 0, 0, 0, ...bytes]);
        for (const some of [bytes, counted]) {
          on(some, guest.map);
          on(some, guest.list);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** The reference: the wire form of pairs. */
function encode(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const sizes = new Uint32Array([pairs.length, ...pairs.flatMap(([name, value]) => [name.length, value.length])]);
  return Uint8Array.from([
    ...new Uint8Array(sizes.buffer),
    ...pairs.flatMap(([name, value]) => [...name, 0, ...value, 0]),
  ]);
}
