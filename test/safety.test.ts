// What the SDK refuses to ask of a proxy, because it would crash, send a message twice or split it; and what it says.

import { describe, expect, test } from "vitest";

import { type Filter, loadFilter, LogLevel, Status } from "../src/index.ts";
import "../src/vitest.ts";
import { compileSource } from "./support/compile.ts";

const imports = `
  import { Action, Headers, HttpContext, logInfo, registerHttpContext, registerRootContext, RootContext, Status }
    from "proxy-wasm/assembly";
`;

/** Loads a filter whose context has these members. */
async function load(members: string): Promise<Filter> {
  const { bytes } = await compileSource(`${imports}
    class Filter extends HttpContext { ${members} }
    registerHttpContext(() => new Filter());`);
  return loadFilter(bytes);
}

const upstream = () => ({ status: 200, body: "ok" });
const onRequest = (body: string): string =>
  `override onRequestHeaders(_count: u32, _endOfStream: bool): Action { ${body} }`;
const onResponse = (body: string): string =>
  `override onResponseHeaders(_count: u32, _endOfStream: bool): Action { ${body} }`;

describe("a stream that is not held", () => {
  test.each(["Continue", "Pause"])("goes on when its own callback continues it and answers %s", async (action) => {
    const filter = await load(onRequest(`this.continueRequest(); return Action.${action};`));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response.logs).toEqual([]);
  });

  test("is not continued in another callback, and the log says why, once", async () => {
    const filter = await load(
      onResponse("this.continueRequest(); logInfo(this.continueRequest().toString()); return Action.Continue;"),
    );
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveLogged("error", /^not continued: the filter does not hold it/);
    expect(response).toHaveLogged("info", `${Status.BadArgument}`);
    expect(response.logs).toHaveLength(2);
    expect((await filter.request("/", { upstream })).logs).toHaveLength(1);
  });

  test("is not continued before its message is there", async () => {
    const filter = await load(onRequest("this.continueResponse(); return Action.Continue;"));
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveLogged("error", /not continued/);
  });
});

describe("a held stream", () => {
  const later = (act: string): string => `${imports}
    class Root extends RootContext {
      held: HttpContext[] = [];
      override onConfigure(_size: u32): bool { this.setTickPeriodMs(100); return true; }
      override onTick(): void { while (this.held.length) { const stream = this.held.shift(); ${act} } }
      override createHttpContext(): HttpContext { return new Filter(this); }
    }
    class Filter extends HttpContext {
      constructor(readonly root: Root) { super(); }
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        this.root.held.push(this);
        return Action.Pause;
      }
    }
    registerRootContext("", () => new Root());`;

  test("is continued, answered and read from a tick, with no word about contexts", async () => {
    const { bytes } = await compileSource(
      later('logInfo(stream.requestHeaders.get(":path")!); stream.continueRequest();'),
    );
    const filter = await loadFilter(bytes);
    const [one, two] = await Promise.all(["/1", "/2"].map((path) => filter.request(path, { upstream })));
    for (const response of [one, two]) expect(response).toHaveStatus(200);
    expect([one!.upstream!.path, two!.upstream!.path]).toEqual(["/1", "/2"]);
  });

  test("that was answered is not continued: Envoy would do both", async () => {
    const { bytes } = await compileSource(later("stream.sendLocalResponse(403); stream.continueRequest();"));
    const lines: string[] = [];
    const filter = await loadFilter(bytes, { onLog: ({ message }) => lines.push(message) });
    const response = await filter.request("/", { upstream });
    expect(response).toHaveRepliedLocally(403);
    expect(response.upstream).toBeNull();
    expect(lines).toEqual([expect.stringMatching(/^not continued/)]);
  });

  test.each([
    ["is continued", "proxy_continue_stream", "stream.continueRequest()", 200],
    ["is answered", "proxy_send_local_response", 'stream.sendLocalResponse(403, "denied")', 403],
    [
      "is answered with bytes",
      "proxy_send_local_response",
      "stream.sendLocalResponseBytes(403, new Uint8Array(1))",
      403,
    ],
  ])("%s at the second try when the host refuses the first", async (_what, call, act, status) => {
    const { bytes } = await compileSource(later(`logInfo([${act}, ${act}].join(" "));`));
    const lines: string[] = [];
    const filter = await loadFilter(bytes, {
      faults: { [call]: (count) => (count === 1 ? Status.InternalFailure : undefined) },
      onLog: ({ message }) => lines.push(message),
    });
    expect(await filter.request("/", { upstream })).toHaveStatus(status);
    expect(lines).toEqual([`${call} answered InternalFailure`, "10 0"]);
  });

  test.each(["stream.sendLocalResponse(403)", "stream.close()"])(
    "is continued when the host refuses %s",
    async (act) => {
      const { bytes } = await compileSource(later(`logInfo([${act}, stream.continueRequest()].join(" "));`));
      const lines: string[] = [];
      const faults = {
        proxy_send_local_response: Status.InternalFailure,
        proxy_close_stream: Status.InternalFailure,
      };
      const filter = await loadFilter(bytes, { faults, onLog: ({ message }) => lines.push(message) });
      expect(await filter.request("/", { upstream })).toHaveStatus(200);
      expect(lines[1]).toBe("10 0");
    },
  );

  test("that is gone changes nobody else's headers", async () => {
    const { bytes } = await compileSource(`${imports}
      let first: Filter | null = null;
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          if (first === null) first = this;
          const other = first!;
          const status = other.requestHeaders.set("x-set", "yes");
          logInfo([status, other.sendLocalResponse(500), other.continueRequest(), other.continueResponse()].join(" "));
          this.requestHeaders.set("x-own", "yes");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const filter = await loadFilter(bytes);
    expect(await filter.request("/", { upstream })).toHaveRepliedLocally(500);
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveLogged("info", "2 2 2 2");
    expect(response.upstream!.headers.has("x-set")).toBe(false);
    expect(response.upstream!.headers.get("x-own")).toBe("yes");
  });
});

describe("a stream that is over", () => {
  test.each([
    ["onLog", "override onLog(): void { this.sendLocalResponse(500); }"],
    ["onDone", "override onDone(): bool { this.sendLocalResponse(500); return true; }"],
    ["onLog", "override onLog(): void { this.close(); }"],
    ["onDone", "override onDone(): bool { this.close(); return true; }"],
  ])("is neither answered nor closed in %s", async (_name, member) => {
    const filter = await load(member);
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveLogged("error", /^not answered or closed: the stream is over/);
  });
});

describe("a header with a NUL, CR or LF", () => {
  const values = [
    "a\\r\\nx: b",
    "a\\nb",
    "a\\rb",
    "a\\0b",
    "eight chars and\\n",
    "\\n",
    "longer, and in the middle\\r of it",
  ];
  test.each(values)("is not set: %s", async (value) => {
    const filter = await load(
      onResponse(`
        const headers = this.responseHeaders;
        const bytes = Uint8Array.wrap(String.UTF8.encode("${value}"));
        logInfo([headers.set("x-a", "${value}"), headers.append("x-a", "${value}"), headers.setBytes("x-a", bytes),
          headers.appendBytes("x-a", bytes), headers.set("${value}", "v")].join(" "));
        return Action.Continue;`),
    );
    const response = await filter.request("/", { upstream });
    expect(response).toHaveStatus(200);
    expect(response).toHaveLogged("info", "2 2 2 2 2");
    expect(response).toHaveLogged("error", /^a header was not set: .* would split the message$/);
    expect(response.headers.has("x-a")).toBe(false);
  });

  test("is left out of a list", async () => {
    const filter = await load(
      onRequest(`
        const headers = new Headers().append("x-a", "1\\n2").set("x-b", "fine\\tö").appendBytes("x-c\\0", new Uint8Array(0));
        this.sendLocalResponse(200, "", headers);
        return Action.Pause;`),
    );
    const response = await filter.request("/", { upstream });
    expect(response).toHaveHeader("x-b", "fine\tö");
    expect(response.headers.has("x-a")).toBe(false);
    expect(response).toHaveLogged("error", /^a header was not set/);
  });

  test("is nothing else: tabs, spaces, control characters and bytes beyond ASCII pass", async () => {
    const filter = await load(
      onResponse(`this.responseHeaders.set("x-a", "\\t \\x01\\x0b\\x0c\\x0eö€"); return Action.Continue;`),
    );
    const response = await filter.request("/", { upstream });
    expect(response.headers.get("x-a")).toBe("\t \x01\x0b\x0c\x0eö€");
    expect(response.logs).toEqual([]);
  });
});

describe("a status that a call should not answer", () => {
  test("is logged once for each call and status", async () => {
    const filter = await load(`
      ${onResponse('this.requestHeaders.set("a", "b"); this.requestHeaders.set("a", "b"); return Action.Continue;')}
      override onLog(): void { this.responseHeaders.delete("a"); this.requestHeaders.get("a"); }`);
    const response = await filter.request("/", { upstream });
    expect(response.logs).toEqual([
      { level: LogLevel.Warn, message: "proxy_replace_header_map_value answered BadArgument" },
      { level: LogLevel.Warn, message: "proxy_remove_header_map_value answered BadArgument" },
    ]);
  });
});
