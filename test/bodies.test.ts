// Bodies in the SDK: the handles, and what is built on them, for bodies cut anywhere.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, type FilterOptions, loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, compileSource, type Compiled } from "./support/compile.ts";
import { StubHost } from "./support/stub-host.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("bodies");
}, 60_000);

const load = (config: string, options: FilterOptions = {}): Promise<Filter> =>
  loadFilter(compiled.bytes, { config, ...options });
const messages = ({ logs }: { logs: readonly { message: string }[] }): string[] => logs.map(({ message }) => message);
const trailers = { "x-t": "1" };

/** A body cut into pieces, none of them empty. */
function pieces(body: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (body.length + 1)), body.length])].sort((a, b) => a - b);
  return places.slice(1).map((end, i) => body.subarray(places[i], end));
}

/** Sends a body both ways and gives what arrived. */
async function send(
  filter: Filter,
  body: readonly Uint8Array[],
  withTrailers: boolean,
): Promise<{ up: Uint8Array; down: Uint8Array }> {
  const extra = withTrailers ? { trailers } : {};
  const response = await filter.request(
    { method: "POST", body: [...body], ...extra },
    { upstream: () => ({ body: [...body], ...extra }) },
  );
  if (withTrailers) {
    expect(response.upstream!.trailers.get("x-t")).toBe("1");
    expect(messages(response)).toContain("request trailers 1");
    expect(messages(response)).toContain("response trailers 1");
  }
  return { up: response.upstream!.body, down: response.body };
}

const bytes = fc.uint8Array({ maxLength: 60 });
const cuts = fc.array(fc.nat(), { maxLength: 6 });
const text = fc.array(fc.oneof(fc.constantFrom("ü", "€", "😀", "secret", "sec", "s"), fc.string({ unit: "binary" })), {
  maxLength: 12,
});

describe("a handle", () => {
  test("reads and changes what is there, as text", async () => {
    const filter = await load("plain text");
    const response = await filter.request({ body: ["abc", "de"] }, { upstream: () => ({ body: "xyz" }) });
    expect(response.upstream!.text()).toBe("<ü><ü>");
    expect(response).toHaveBody("<ü>");
    expect(messages(response)).toEqual([
      "proxy_set_buffer_bytes answered BadArgument",
      "too early 2 ",
      "3 3 abc",
      "2 2 de",
      "0 0 end ",
      "3 3 xyz",
      "0 0 end ",
    ]);
  });

  test("reads and changes what is there, as bytes, from any place", async () => {
    const filter = await load("plain bytes");
    const response = await filter.request("/", { upstream: () => ({ body: "abcd" }) });
    expect(response).toHaveBody("abcdbc");
    expect(response).toHaveLogged("info", "cdbc,a,,6");
  });

  test("takes everything away", async () => {
    const filter = await load("plain clear");
    const response = await filter.request({ body: "abc" }, { upstream: () => ({ body: "xyz" }) });
    expect(response.upstream!.text()).toBe("");
    expect(response).toHaveBody("");
  });

  test("shows all that is held, and says once that a change came too early", async () => {
    const filter = await load("plain hold");
    const request = { body: ["abc", "de"] };
    const said = ["too early 2 ", "3 3 abc", "5 5 abcde", "5 5 end abcde"];
    const warning = "proxy_set_buffer_bytes answered BadArgument";
    expect(messages(await filter.request(request, { upstream: () => ({}) }))).toEqual([warning, ...said]);
    expect(messages(await filter.request(request, { upstream: () => ({}) }))).toEqual(said);
  });

  test("carries bytes that are no text, of any size", async () => {
    const filter = await load("plain bytes");
    const body = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
    const response = await filter.request("/", { upstream: () => ({ body }) });
    // The kit's own comparison of so many bytes takes seconds.
    expect(Buffer.from(response.body).equals(Buffer.concat([body, body.subarray(1, 3)]))).toBe(true);
  });
});

describe("a collected body", () => {
  test("is whole, however it was cut and whether trailers end it", async () => {
    const filter = await load("collect");
    await fc.assert(
      fc.asyncProperty(bytes, cuts, fc.boolean(), async (body, at, withTrailers) => {
        const reversed = body.slice().reverse();
        expect(await send(filter, pieces(body, at), withTrailers)).toEqual({ up: reversed, down: reversed });
      }),
      { numRuns: 200 },
    );
  });

  test("is shown once, with its size, and goes without content-length", async () => {
    const filter = await load("collect");
    const response = await filter.request(
      { body: ["abc", "de"], headers: { "content-length": "5" } },
      { upstream: () => ({ body: "xyz" }) },
    );
    expect(messages(response)).toEqual(["whole request 5", "whole response 3"]);
    expect(response.upstream!.headers.get("content-length")).toBeNull();
    expect(response.headers.get("content-length")).toBeNull();
    expect(response).toHaveBody("zyx");
  });

  test("keeps content-length when it is only read", async () => {
    const filter = await load("collect read only");
    const response = await filter.request({ body: "abc" }, { upstream: () => ({ body: "xyz" }) });
    expect(response.upstream!.headers.get("content-length")).toBe("3");
    expect(response).toHaveHeader("content-length", "3");
    expect(response).toHaveBody("xyz");
  });

  test("of no bytes is whole too; a message without a body has none", async () => {
    const filter = await load("collect");
    const empty = await filter.request({ body: [] }, { upstream: () => ({ body: [] }) });
    expect(messages(empty)).toEqual(["whole request 0", "whole response 0"]);
    expect(messages(await filter.request("/", { upstream: () => ({ status: 204 }) }))).toEqual([]);
  });

  test.each([
    ["as soon as it is", { body: ["abcdefgh", "ijk", "never read"] }, "request too large 11"],
    ["at once when it says so", { body: "abcdefghijkl" }, "request too large 12"],
    [
      "at once when it says more than fits 32 bits",
      { body: [], headers: { "content-length": "5000000000" } },
      /4294967295/,
    ],
  ])("that is too large is refused with 413 %s", async (_, request, said) => {
    const response = await (await load("collect ten")).request({ method: "POST", ...request });
    expect(response).toHaveRepliedLocally(413);
    expect(response).toHaveLogged("info", said);
    expect(response.upstream).toBeNull();
  });

  test("that is too large only with its last piece is refused when trailers follow, too", async () => {
    const filter = await load("collect ten");
    const stream = filter.stream();
    stream.requestHeaders({ ":method": "POST", ":path": "/", ":authority": "a" });
    expect(stream.requestBody("abcdefghij")).toPause();
    stream.requestBody("k");
    expect(stream).toHaveRepliedLocally(413);
  });

  test("of a response that is too large is 500, or breaks what has begun", async () => {
    const filter = await load("collect ten");
    expect(await filter.request("/", { upstream: () => ({ body: "abcdefghijkl" }) })).toHaveStatus(500);
    const broken = await filter.request("/", { upstream: () => ({ body: ["abcdefgh", "ijk"] }) });
    expect(broken).toHaveStatus(200);
    expect(broken.complete).toBe(false);
  });

  test("that is too large may pass unseen", async () => {
    const filter = await load("collect or pass");
    const response = await filter.request(
      { body: ["abcdefgh", "ijk", "lmn"] },
      { upstream: () => ({ body: "zyxwvutsrqpon" }) },
    );
    expect(response.upstream!.text()).toBe("abcdefghijklmn");
    expect(response).toHaveBody("zyxwvutsrqpon");
    expect(response).toHaveHeader("content-length", "13");
    expect(messages(response)).toEqual(["request too large 11", "response too large 13"]);
  });
});

describe("a body rewritten piece by piece", () => {
  test.each(["chunks", "hold chunks"])("goes on as bytes, however it was cut: %s", async (mode) => {
    const filter = await load(mode);
    await fc.assert(
      fc.asyncProperty(bytes, cuts, fc.boolean(), async (body, at, withTrailers) => {
        const inverted = body.map((byte) => ~byte);
        expect(await send(filter, pieces(body, at), withTrailers)).toEqual({ up: inverted, down: inverted });
      }),
      { numRuns: 200 },
    );
  });

  test.each(["text", "hold text"])("goes on as text, cut within characters too: %s", async (mode) => {
    const filter = await load(mode);
    await fc.assert(
      fc.asyncProperty(text, cuts, fc.boolean(), async (words, at, withTrailers) => {
        const wanted =
          mode === "text" ? words.join("").replaceAll("ü", "ue") : words.join("").replaceAll("secret", "***");
        const { up, down } = await send(filter, pieces(new TextEncoder().encode(words.join("")), at), withTrailers);
        expect(new TextDecoder("utf-8", { ignoreBOM: true }).decode(up)).toBe(
          new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(wanted)),
        );
        expect(down).toEqual(up);
      }),
      { numRuns: 300 },
    );
  });

  test("has U+FFFD for what is no text, as if it had come in one piece", async () => {
    const filter = await load("text");
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    await fc.assert(
      fc.asyncProperty(bytes, cuts, async (body, at) => {
        const { up, down } = await send(filter, pieces(body, at), false);
        expect(decoder.decode(up)).toBe(decoder.decode(body).replaceAll("ü", "ue"));
        expect(down).toEqual(up);
      }),
      { numRuns: 200 },
    );
  });

  test("is not delayed", async () => {
    const stream = (await load("text")).stream();
    stream.requestHeaders({ ":method": "POST", ":path": "/", ":authority": "a", "content-length": "3" });
    expect(stream.requestBody("ü")).toContinue();
    expect(new TextDecoder().decode(stream.upstream.body)).toBe("ue");
    expect(stream.upstream.headers.get("content-length")).toBeNull();
  });

  test("leaves a character out that has only begun when trailers end it", async () => {
    const { up } = await send(await load("text"), [Uint8Array.of(0x61, 0xe2), Uint8Array.of(0x82)], true);
    expect(new TextDecoder().decode(up)).toBe("a");
  });

  test("says when it is over", async () => {
    const filter = await load("chunks");
    expect(messages(await filter.request({ body: "abc" }, { upstream: () => ({}) }))).toEqual(["last 0"]);
    const response = await filter.request({ body: "abc", trailers }, { upstream: () => ({}) });
    expect(messages(response)).toEqual(["last 0", "request trailers 1"]);
  });
});

describe("the toolkit", () => {
  const imports = 'import { Action, BodyContext, registerHttpContext } from "proxy-wasm/assembly";';
  const collector = (hook: string): string => `${imports}
    class Filter extends BodyContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action { return this.collectRequestBody(10); }
      ${hook}
    }
    registerHttpContext(() => new Filter());`;

  test("asks the proxy for the bodies that a hook is for, and for no others", async () => {
    const { exports } = await compileSource(
      collector("override onWholeRequestBody(_size: u32): Action { return Action.Continue; }"),
    );
    expect(exports.filter((name) => /_(body|trailers)$/.test(name)).sort()).toEqual([
      "proxy_on_request_body",
      "proxy_on_request_trailers",
    ]);
  });

  test.each(["--runtime incremental", "--runtime minimal", "--runtime stub", "--use GC_STRESS=2"])(
    "works with %s",
    async (flags) => {
      const { bytes } = await compileFilter("bodies", flags.split(" "));
      for (const mode of ["collect", "hold text", "chunks"]) {
        const filter = await loadFilter(bytes, { config: mode });
        for (let i = 0; i < 300; i++) {
          const response = await filter.request({ body: ["abc", "de"] }, { upstream: () => ({ body: "xy" }) });
          expect(response.upstream!.body).toHaveLength(5);
        }
      }
    },
  );
});

describe("a host", () => {
  const modes = ["plain text", "plain bytes", "plain hold", "collect", "collect ten", "chunks", "hold chunks", "text"];

  /** A stream with bodies and trailers, both ways. */
  function stream(host: StubHost, id: number): void {
    host.call("proxy_on_context_create", id, 1);
    for (const way of ["request", "response"]) {
      host.call(`proxy_on_${way}_headers`, id, 3, 0);
      host.call(`proxy_on_${way}_body`, id, 6, 0);
      host.call(`proxy_on_${way}_body`, id, 12, 0);
      host.call(`proxy_on_${way}_trailers`, id, 1);
      host.call(`proxy_on_${way}_body`, id, 3, 1);
    }
    for (const name of ["log", "done", "delete"]) host.call(`proxy_on_${name}`, id);
  }

  test.each(modes)("that answers anything to anything stops no filter: %s", (mode) => {
    const host = new StubHost(compiled.bytes, mode);
    for (host.status = 0; host.status < 40; host.status++) stream(host, host.status + 2);
  });

  test.each([...modes, "hold text"])("sees flat memory: %s", (mode) => {
    const host = new StubHost(compiled.bytes, mode);
    host.content = new TextEncoder().encode("secret ü sec");
    for (let id = 2; id < 2000; id++) stream(host, id);
    const before = host.memorySize;
    for (let id = 2000; id < 20_000; id++) stream(host, id);
    expect(host.memorySize).toBe(before);
  });
});
