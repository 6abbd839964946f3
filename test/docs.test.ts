// The code in docs/: the filter and the tests of testing.md, in a project of their own, and the filters of filters.md.

import { readFile } from "node:fs/promises";

import { beforeAll, describe, expect, test } from "vitest";

import {
  type Filter,
  type FilterOptions,
  GrpcStatus,
  loadFilter,
  LogLevel,
  ProxyState,
  UpstreamError,
  VirtualClock,
} from "../src/index.ts";
import "../src/vitest.ts";
import { codeBlocks } from "./support/blocks.ts";
import { compileSource } from "./support/compile.ts";
import { startVitest } from "./support/vitest-project.ts";

test("docs/testing.md: every test of it passes", async () => {
  const [filter, ...parts] = await codeBlocks("docs/testing.md", "ts");
  const { bytes } = await compileSource(filter!);
  await using vitest = await startVitest("run", {
    "auth.test.ts": parts.join("\n"),
    "vitest.config.js": "export default {};",
    "build/release.wasm": bytes,
  });
  await vitest.ended;
  expect(vitest.output()).toMatch(/Tests +6 passed \(6\)/);
}, 60_000);

/**
 * Filters as one: their imports together, and root contexts for the classes that they register without one, whose root
 * ids are the names of these classes.
 */
function joined(filters: readonly string[]): string {
  const imports = new Map<string, Set<string>>();
  const rest = filters.map((filter) =>
    filter
      .replace(/^import \{([^}]*)\} from "(.*)";$/gm, (_, names: string, from: string) => {
        const all = imports.get(from) ?? new Set();
        imports.set(from, all);
        for (const name of names.split(",")) if (name.trim()) all.add(name.trim());
        return "";
      })
      .replace(
        /^register(Http|Stream)Context\(\(\) => new (\w+)\(\)\);$/gm,
        `class $2Root extends RootContext {
          override create$1Context(): $1Context { return new $2(); }
        }
        registerRootContext("$2", () => new $2Root());`,
      ),
  );
  return (
    [...imports].map(([from, names]) => `import { ${[...names].join(", ")} } from "${from}";`).join("\n") +
    rest.join("")
  );
}

describe("docs/filters.md", () => {
  const page = "docs/filters.md";
  const upstream = () => ({ status: 200, body: "Hello" });
  const messages = (entries: readonly { message: string }[]): string[] => entries.map((entry) => entry.message);
  let bytes: Uint8Array;
  const untested = new Set<string>();

  beforeAll(async () => {
    const source = joined(await codeBlocks(page, "ts"));
    for (const [, rootId] of source.matchAll(/registerRootContext\("(\w+)"/g)) untested.add(rootId!);
    ({ bytes } = await compileSource(source));
  });

  function load(rootId: string, options: FilterOptions = {}): Promise<Filter> {
    untested.delete(rootId);
    return loadFilter(bytes, { rootId, ...options });
  }

  test("a configuration reaches the streams", async () => {
    const filter = await load("greeter", { config: "good day" });
    expect(await filter.request("/", { upstream })).toHaveHeader("x-greeting", "good day");
    expect(await (await load("greeter")).request("/", { upstream })).toHaveHeader("x-greeting", "hello");
  });

  test("headers", async () => {
    const headers = { "x-team": "Blue", "x-debug-a": "1", "x-debug-b": "2" };
    const { upstream: seen } = await (await load("Tidy")).request({ headers }, { upstream });
    expect(["x-team", "x-via", "x-debug-a", "x-debug-b"].map((name) => seen!.headers.get(name))).toEqual([
      "blue",
      "tidy",
      null,
      null,
    ]);
  });

  test("a reply", async () => {
    const response = await (await load("Closed")).request("/", { upstream });
    expect(response).toHaveRepliedLocally(503);
    expect(response).toHaveHeader("content-type", "application/json");
    expect(response).toHaveHeader("retry-after", "60");
    expect(response).toHaveBody('{"error":"closed"}');
  });

  test("bodies, whole and in pieces", async () => {
    const headers = { "content-type": "application/json; charset=utf-8", "content-length": "16" };
    const filter = await load("Redact");
    const response = await filter.request("/", { upstream: () => ({ headers, body: ['{"a":"sec', 'ret!"}'] }) });
    expect(response).toHaveBody('{"a":"***!"}');
    expect(response.headers.get("content-length")).toBeNull();
    expect(await filter.request("/", { upstream: () => ({ body: "secret" }) })).toHaveBody("secret");
    const piece = new TextEncoder().encode("é");
    const pieces = ["a", piece.subarray(0, 1), piece.subarray(1)];
    const shout = await load("Shout");
    expect(await shout.request("/", { upstream: () => ({ body: pieces }) })).toHaveBody("AÉ");
  });

  test("a callout", async () => {
    const answers: Record<string, number> = { good: 200, bad: 401, down: 503 };
    const auth = ({ headers }: { headers: { get(name: string): string | null } }) => {
      const token = headers.get("authorization")!;
      if (token === "broken") throw new UpstreamError();
      return { status: answers[token]! };
    };
    const filter = await load("Guard", { upstreams: { auth } });
    const statuses: number[] = [];
    for (const authorization of ["good", "good", "bad", "down", "broken"]) {
      statuses.push((await filter.request({ headers: { authorization } }, { upstream })).status);
    }
    expect(statuses).toEqual([200, 200, 403, 503, 503]);
    const count = (outcome: string) => filter.metric(`outcome=.=${outcome};.;guard.outcomes`).value;
    expect(["allowed", "cached", "denied", "down"].map(count)).toEqual([1, 1, 1, 2]);
    const unknown = await load("Guard");
    expect(await unknown.request("/", { upstream })).toHaveRepliedLocally(503);
  });

  test("callouts at once, and one after the other", async () => {
    const users = () => ({ status: 200, body: "ann" });
    const enrich = await load("Enrich", { upstreams: { users, flags: () => ({ status: 404 }) } });
    const response = await enrich.request("/", { upstream });
    expect(response).toHaveCalled("flags");
    expect(response.upstream!.headers.get("x-user")).toBe("ann");
    expect(response.upstream!.headers.get("x-flags")).toBeNull();
    expect(await (await load("Enrich")).request("/", { upstream })).toHaveStatus(200);

    const chain = async (status: number) =>
      (await load("Chain", { upstreams: { users, rights: () => ({ status }) } })).request("/", { upstream });
    expect(await chain(200)).toHaveCalled("rights", { method: "POST", path: "/may", body: "ann" });
    expect(await chain(404)).toHaveRepliedLocally(403);
    expect(await (await load("Chain", { upstreams: { users } })).request("/", { upstream })).toHaveRepliedLocally(503);
    const none = await load("Chain", { upstreams: { users: () => ({ status: 500 }) } });
    expect(await none.request("/", { upstream })).toHaveRepliedLocally(401);
  });

  test("gRPC", async () => {
    const limited = async (answer: object) =>
      (await load("Limited", { grpc: { limits: () => answer } })).request("/", { upstream });
    expect(await limited({ message: Uint8Array.of(8, 3) })).toHaveStatus(200);
    expect(await limited({ message: "" })).toHaveRepliedLocally(429);
    expect(await limited({ status: GrpcStatus.Internal, statusMessage: "no" })).toHaveRepliedLocally(503);

    const clock = new VirtualClock();
    const watcher = await load("watcher", {
      clock,
      grpc: {
        news: (call) => {
          call.start();
          call.send("four");
          call.onEnd(() => call.end());
        },
      },
    });
    clock.advance(1000);
    await watcher.settle();
    expect(messages(watcher.rootTrace.logs)).toEqual(["news of 4 bytes", "over: 0"]);
  });

  test("a configuration in JSON", async () => {
    const filter = await load("configured", { config: { header: "x-limit", paths: ["/a"] } });
    const limit = async (path: string) => (await filter.request(path, { upstream })).upstream!.headers.get("x-limit");
    expect([await limit("/a?b"), await limit("/b")]).toEqual(["10", null]);
    await expect(load("configured", { config: { header: 3, limit: -1, path: [] } })).rejects.toThrow(
      /header .*expected a string, found 3.*limit .*expected a whole number.*the name path/,
    );
  });

  test("words and properties", async () => {
    const properties = { source: { address: "192.0.2.1:4711" }, xds: { route_name: "main" } };
    const filter = await load("Words", { properties });
    const request = { path: "/a?q=b+c", headers: { cookie: "x=y; session=s" } };
    const expected = "GET /a?q=b+c b c s 192.0.2.1 main";
    expect(await filter.request(request, { upstream })).toHaveHeader("x-words", `${expected} 200`);
  });

  test("shared data", async () => {
    const filter = await load("Visits");
    await filter.request("/", { upstream });
    expect(await filter.worker().request("/", { upstream })).toHaveHeader("x-visits", "2");
  });

  test("timers in two workers, a queue, and who takes from it", async () => {
    const clock = new VirtualClock();
    const proxy = new ProxyState({ clock });
    const worker = await load("worker", { proxy });
    const clockwork = await load("clockwork", { proxy });
    clockwork.worker();
    clock.advance(3000);
    expect(messages(worker.rootTrace.logs)).toEqual(["does job 1", "does job 2", "does job 3"]);
  });

  test("metrics", async () => {
    const filter = await load("Measured");
    const open = filter.stream();
    open.requestHeaders({ ":method": "GET", ":path": "/", ":authority": "a" });
    expect(filter.metric("measured.open").value).toBe(1);
    open.reset();
    await filter.request("/", { upstream });
    expect(filter.metric("measured.open").value).toBe(0);
    expect(filter.metric("code=.=200;.;measured.requests").value).toBe(1);
  });

  test("TCP", async () => {
    const filter = await load("Bytes");
    const connection = filter.connection();
    connection.connect();
    connection.downstreamData("hello");
    connection.upstreamData("hi");
    expect(["received", "sent"].map((name) => filter.metric(`bytes.${name}`).value)).toEqual([5, 2]);
    connection.downstreamClose();
  });

  test("the log", async () => {
    const lines = async (logLevel: LogLevel) =>
      messages((await (await load("AccessLog", { logLevel })).request("/a", { upstream })).logs);
    expect(await lines(LogLevel.Info)).toEqual(["GET /a 200"]);
    expect(await lines(LogLevel.Debug)).toEqual(["GET /a 200", expect.stringMatching(/^\d headers$/)]);
  });

  test("a request that is sent again", async () => {
    const statuses = [503, 502, 200];
    const response = await (await load("Persistent")).request("/", { upstream: () => ({ status: statuses.shift()! }) });
    expect(response).toHaveStatus(200);
    expect(response.attempts).toBe(3);
  });

  test("what is refused", async () => {
    const { logs } = await (await load("Refused")).request("/", { upstream });
    expect(messages(logs)).toEqual(expect.arrayContaining(["set: 2", "continue: 2"]));
  });

  test("has nothing that is not tested, and names what can be imported", async () => {
    expect([...untested]).toEqual([]);
    const text = await readFile(page, "utf8");
    const index = await readFile("assembly/index.ts", "utf8");
    const families = [...index.matchAll(/export \{([^}]*)\} from "(.*)"/g)];
    const missing = families.filter(
      ([, names]) => !names!.match(/\w+/g)!.some((name) => new RegExp(`\\b${name}\\b`).test(text)),
    );
    expect(missing.map(([, , file]) => file)).toEqual([]);
  });
});
