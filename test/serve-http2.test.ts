// What a client of `serve` over HTTP/2 does that breaks off, waits, or repeats itself, and what the upstream hears of it.

import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, test } from "vitest";

import { loadFilter, SystemClock } from "../src/index.ts";
import { grpcCluster } from "../src/serve/grpc-cluster.ts";
import { http2Cluster } from "../src/serve/http2-cluster.ts";
import { Http2Sessions } from "../src/serve/http2-sessions.ts";
import { filterOf } from "./conformance/probe.ts";
import { add, list, pairs, set, word } from "./conformance/scenario.ts";
import { type Frame, frameTypes, http2Exchange, type Http2Peer, http2Server } from "./support/http2-frames.ts";
import { closeAll, closeLater, listen, raw, start, startUpstream } from "./support/serve.ts";

afterEach(closeAll);

const END_STREAM = 1;
const post = { ":method": "POST", ":path": "/", ":scheme": "http", ":authority": "a" };
const passing = filterOf({ name: "", on: {} }).bytes;
/** Logs each callback with its arguments. */
const listening = filterOf({ name: "", on: { request_headers: [list(0)], request_body: [list(0)] } }).bytes;

/** An upstream of HTTP/2 that answers nothing, and what it has got on stream 1. */
async function silent(): Promise<{ url: URL; frames: Frame[] }> {
  const frames: Frame[] = [];
  const server = await http2Server((frame) => {
    if (frame.stream === 1) frames.push(frame);
  });
  closeLater(() => server.close());
  return { url: new URL(`h2c://127.0.0.1:${(server.address() as AddressInfo).port}`), frames };
}

describe("a request that its client breaks off", () => {
  const breaks: readonly (readonly [what: string, how: (peer: Http2Peer) => void])[] = [
    ["with CANCEL", (peer) => peer.reset(1, 8)],
    ["with NO_ERROR", (peer) => peer.reset(1, 0)],
    ["with INTERNAL_ERROR", (peer) => peer.reset(1, 2)],
    ["closing its connection", (peer) => peer.close()],
    ["breaking its connection", (peer) => peer.destroy()],
  ];

  test.each(breaks)("%s is reset at a server of HTTP/2, and has no end", async (_what, breakOff) => {
    const { url, frames } = await silent();
    const { port, exchanges, errors } = await start(passing, url);
    await http2Exchange(port, async (peer) => {
      peer.headers(1, Object.entries(post), false);
      await expect.poll(() => frames.map(({ type }) => type)).toContain(frameTypes.headers);
      peer.data(1, "hello", false);
      breakOff(peer);
      await expect.poll(() => frames.map(({ type }) => type)).toContain(frameTypes.reset);
      peer.close();
    });
    expect(frames.filter(({ type, flags }) => type <= frameTypes.headers && flags & END_STREAM)).toEqual([]);
    await expect.poll(() => exchanges).toMatchObject([{ status: 0 }]);
    expect(errors).toEqual([]);
  });

  test.each(breaks)("%s is broken off at a server of HTTP/1.1, and has no end", async (_what, breakOff) => {
    let [body, isOver, isWhole] = ["", false, false];
    const upstream = await startUpstream((request) => {
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => (isWhole = true));
      request.on("error", () => {});
      request.on("close", () => (isOver = true));
    });
    const { port, exchanges } = await start(passing, upstream);
    await http2Exchange(port, async (peer) => {
      peer.headers(1, Object.entries(post), false);
      peer.data(1, "hello", false);
      await expect.poll(() => body).toBe("hello");
      breakOff(peer);
      await expect.poll(() => isOver).toBe(true);
      peer.close();
    });
    expect(isWhole).toBe(false);
    await expect.poll(() => exchanges).toMatchObject([{ status: 0 }]);
  });

  test("does not look whole to the filter, even when its last piece and the reset come at once", async () => {
    const { url, frames } = await silent();
    const logs: string[] = [];
    const { port, exchanges } = await start(listening, url, { onLog: ({ message }) => logs.push(message) });
    await http2Exchange(port, async (peer) => {
      peer.headers(1, Object.entries(post), false);
      await expect.poll(() => frames.map(({ type }) => type)).toContain(frameTypes.headers);
      peer.data(1, "hello", false);
      peer.reset(1, 8);
      await expect.poll(() => exchanges).toHaveLength(1);
      peer.close();
    });
    expect(logs).toContainEqual(expect.stringMatching(/^request_headers\(/));
    expect(logs.filter((line) => /^request_body\(\d+,\d+,1\)/.test(line))).toEqual([]);
  });
});

test("a client over HTTP/2 that waits for a word before it sends its body is told to go on", async () => {
  const seen: unknown[] = [];
  const upstream = await startUpstream((request, response) => {
    request.on("data", (chunk: Buffer) => seen.push(request.headers.expect, chunk.toString()));
    request.on("end", () => response.end("ok"));
  });
  const { url, exchanges } = await start(passing, upstream);
  const client = connect(url);
  closeLater(() => client.destroy());
  const stream = client.request({ ":method": "POST", ":path": "/", expect: "100-Continue" });
  stream.on("continue", () => stream.end("hello"));
  const [head] = (await once(stream, "response")) as [Record<string, unknown>];
  stream.resume();
  expect(head[":status"]).toBe(200);
  expect(seen).toEqual([undefined, "hello"]);
  await expect.poll(() => exchanges).toMatchObject([{ status: 200, bytes: 2 }]);
});

describe("headers that come twice, as they seldom do,", () => {
  /** The values of a name among names and values in turn, which some versions of Node cannot send one by one. */
  const valuesOf = (raw: readonly string[], name: string): string =>
    raw.flatMap((key, i) => (i % 2 === 0 && key === name ? [raw[i + 1]!] : [])).join(", ");

  test("reach a client over HTTP/2", async () => {
    const upstream = await startUpstream((_request, response) => {
      response.writeHead(200, ["x-content-type-options", "nosniff", "X-Content-Type-Options", "nosniff", "age", "1"]);
      response.end("ok");
    });
    const { url, errors } = await start(passing, upstream);
    const client = connect(url);
    closeLater(() => client.destroy());
    const stream = client.request({ ":path": "/" });
    const [head, , raw] = (await once(stream, "response")) as [Record<string, unknown>, number, string[]];
    stream.resume();
    expect(head[":status"]).toBe(200);
    expect(valuesOf(raw, "x-content-type-options")).toBe("nosniff, nosniff");
    expect(valuesOf(raw, "age")).toBe("1");
    expect(errors).toEqual([]);
  });

  test("reach an upstream over HTTP/2, and te only as HTTP/2 has it", async () => {
    const seen: string[][] = [];
    const upstream = createServer();
    upstream.on("stream", (stream, _headers, _flags, ...rest: unknown[]) => {
      seen.push(rest[0] as string[]);
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const to = await listen(upstream);
    closeLater(() => upstream.close());
    const wishing = filterOf({ name: "", on: { request_headers: [set(0, "te", "gzip"), add(0, "dnt", "0")] } }).bytes;
    const { port, errors } = await start(wishing, new URL(`h2c://127.0.0.1:${to}`));
    const fields = "DNT: 1\r\nDNT: 1\r\nFrom: a@b.test\r\nFrom: c@d.test\r\n";
    const answer = await raw(port, `GET / HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(["dnt", "from", "te"].map((name) => valuesOf(seen[0]!, name))).toEqual([
      "1, 1, 0",
      "a@b.test, c@d.test",
      "",
    ]);
    expect(errors).toEqual([]);
  });

  test("reach a service that a filter calls over HTTP/2", async () => {
    const seen: string[][] = [];
    const service = createServer();
    service.on("stream", (stream, _headers, _flags, ...rest: unknown[]) => {
      seen.push(rest[0] as string[]);
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true });
    });
    const url = new URL(`http://127.0.0.1:${await listen(service)}`);
    closeLater(() => service.close());
    const sessions = new Http2Sessions();
    closeLater(() => sessions.close());
    const failures: Error[] = [];
    const onFailure = (error: Error): void => void failures.push(error);
    const twice = [
      ["dnt", "1"],
      ["dnt", "0"],
    ] as const;
    const head = pairs([":method", "GET"], [":path", "/"], [":authority", "a.test"], ...twice);
    const calling = filterOf({
      name: "",
      on: {
        request_headers: [
          ["http_call", "http", head, "", "", 5000, word],
          ["grpc_call", "grpc", "s.S", "M", pairs(...twice), "hello", 5000, word],
        ],
      },
    }).bytes;
    const filter = await loadFilter(calling, {
      clock: new SystemClock(),
      upstreams: { http: http2Cluster(url, sessions, onFailure) },
      grpc: { grpc: grpcCluster(url, { sessions, boundary: (action) => action(), onFailure }) },
    });
    const { url: served } = await start(filter);
    expect((await fetch(served)).status).toBe(200);
    await expect.poll(() => seen.map((raw) => valuesOf(raw, "dnt"))).toEqual(["1, 0", "1, 0"]);
    expect(failures).toEqual([]);
  });
});
