// `serve` with what is more than requests over HTTP/1.1: HTTP/2 on the same port, WebSocket, event streams.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";

import { afterEach, beforeAll, describe, expect, test } from "vitest";

import { loadFilter, SystemClock } from "../src/index.ts";
import { filterOf } from "./conformance/probe.ts";
import { list, reply } from "./conformance/scenario.ts";
import { compileSource, filterWat } from "./support/compile.ts";
import { frameTypes, http2Faults, http2Server } from "./support/http2-frames.ts";
import { closeAll, closeLater, listen, raw, start, startUpstream } from "./support/serve.ts";

afterEach(closeAll);
// The compiler lets nothing else run meanwhile.
beforeAll(() => marking);

/** Marks requests and responses, and counts the bytes of bodies in the trailers' place: the log. */
const marking = compileSource(`
  import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
      this.requestHeaders.set("x-asked", this.requestHeaders.get(":authority")!);
      return Action.Continue;
    }
    override onRequestBody(size: u32, _endOfStream: bool): Action {
      if (size) logInfo("request " + size.toString());
      return Action.Continue;
    }
    override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
      this.responseHeaders.set("x-seen", "yes");
      return Action.Continue;
    }
    override onResponseBody(size: u32, _endOfStream: bool): Action {
      if (size) logInfo("response " + size.toString());
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`).then(({ bytes }) => bytes);

interface Http2Answer {
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: string;
}

function session(url: string): ClientHttp2Session {
  const client = connect(url);
  client.on("error", () => {});
  closeLater(() => client.destroy());
  return client;
}

function ask(
  client: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
  trailers?: Record<string, string>,
): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request(headers, { endStream: body === undefined, waitForTrailers: trailers !== undefined });
    const answer: Http2Answer = { headers: {}, trailers: {}, body: "" };
    stream.on("wantTrailers", () => stream.sendTrailers(trailers!));
    stream.on("response", (head) => (answer.headers = head));
    stream.on("trailers", (last) => (answer.trailers = last));
    stream.on("data", (chunk: Buffer) => (answer.body += chunk.toString()));
    stream.on("end", () => resolve(answer));
    stream.on("error", reject);
    if (body !== undefined) stream.end(body);
  });
}

describe("a server of HTTP/2 that", () => {
  test.each(http2Faults)("%s: the exchange ends, and not as if all had come", async (what, answers, fault) => {
    const upstream = await http2Server(({ type, stream }, peer) => type === frameTypes.headers && fault(peer, stream));
    const { port: to } = upstream.address() as AddressInfo;
    closeLater(() => upstream.close());
    const { port, exchanges } = await start(filterWat({}), new URL(`h2c://127.0.0.1:${to}`));
    for (const request of ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 9\r\n"]) {
      const answer = await raw(port, `${request}Host: a\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(answers ? /^(HTTP\/1\.1 200 [^]*\r\n\r\n4\r\nhalf\r\n)?$/ : /^HTTP\/1\.1 503 /);
    }
    const refused = what.includes("REFUSED_STREAM") ? "remote_refused_stream_reset" : "remote_reset";
    const reason = what.includes("connection") ? "connection_termination" : refused;
    const details = `upstream_reset_${answers ? "after" : "before"}_response_started{${reason}}`;
    await expect.poll(() => exchanges).toMatchObject([{ details }, { details }]);
  });
});

describe("HTTP/2 without TLS", () => {
  test("is spoken on the port of HTTP/1.1", async () => {
    const { url, exchanges } = await start(await marking);
    const client = session(url);
    const answers = await Promise.all(
      ["/a", "/b"].map((path) => ask(client, { ":path": path, "x-two": "1" }, path === "/b" ? "body" : undefined)),
    );
    for (const { headers, body } of answers) {
      expect(headers).toMatchObject({ ":status": 200, "x-seen": "yes" });
      expect(headers).not.toHaveProperty("connection");
      expect(body).toBe("Hello, world!");
    }
    expect((await fetch(url)).headers.get("x-seen")).toBe("yes");
    await expect.poll(() => exchanges.map(({ path }) => path).sort()).toEqual(["/", "/a", "/b"]);
  });

  test("passes bodies and trailers through, to a server that speaks it too", async () => {
    const upstream = createHttp2Server();
    const seen: unknown[] = [];
    upstream.on("stream", (stream, headers) => {
      let body = "";
      stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
      stream.on("trailers", (last) => seen.push(last));
      stream.on("end", () => {
        seen.push([headers[":method"], headers[":path"], headers[":authority"], headers["x-asked"], body]);
        stream.respond({ ":status": 201, "set-cookie": ["a=1", "b=2"] }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end("done");
      });
    });
    const port = await listen(upstream);
    closeLater(() => upstream.close());
    const { url } = await start(await marking, new URL(`h2c://127.0.0.1:${port}/base`));
    const client = session(url);
    const head = { ":method": "POST", ":path": "/x?y=z", ":authority": "shop.test", te: "trailers" };
    const answer = await ask(client, head, "hello", { "x-sum": "5" });
    expect(seen).toEqual([
      expect.objectContaining({ "x-sum": "5" }),
      ["POST", "/base/x?y=z", "shop.test", "shop.test", "hello"],
    ]);
    expect(answer.headers).toMatchObject({ ":status": 201, "set-cookie": ["a=1", "b=2"], "x-seen": "yes" });
    expect(answer.body).toBe("done");
    expect(answer.trailers).toMatchObject({ "grpc-status": "0" });
  });

  test("ends the stream when the client resets it, and the connection lives on", async () => {
    let asked = (): void => {};
    const isAsked = new Promise<void>((done) => (asked = done));
    const upstream = await startUpstream(() => asked());
    const { url, exchanges } = await start(await marking, upstream);
    const client = session(url);
    const stream = client.request({ ":path": "/never" });
    stream.on("error", () => {});
    await isAsked;
    stream.close(8);
    await expect.poll(() => exchanges.map(({ status }) => status)).toEqual([0]);
    expect(client.closed).toBe(false);
  });

  test("that is asked for by an upgrade, as curl does, is answered with HTTP/1.1", async () => {
    const { port } = await start(await marking);
    const answer = await raw(
      port,
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n" +
        "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(answer.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  });

  test("does not confuse a method that begins like its preface", async () => {
    const { port } = await start(await marking);
    const answers = ["POST", "PUT", "PRI"].map((method) =>
      raw(port, `${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
    );
    const statuses = (await Promise.all(answers)).map((answer) => answer.slice(9, 12));
    expect(statuses).toEqual(["200", "200", "400"]);
  });
});

/** A WebSocket server by hand, whose frames are whatever follows the handshake: it sends them back. */
async function startWebSocket(): Promise<URL> {
  const server = createServer((_request, response) => response.writeHead(426).end("upgrade"));
  server.on("upgrade", (request, socket: Socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
        `X-Asked: ${request.headers["x-asked"] as string}\r\n\r\nwelcome `,
    );
    socket.on("data", (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on("end", () => socket.end("bye"));
    socket.on("error", () => {});
  });
  const port = await listen(server);
  closeLater(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${port}`);
}

const handshake =
  "GET /chat HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

describe("WebSocket", () => {
  test("passes through, headers and frames by the filter", async () => {
    const logs: string[] = [];
    const upstream = await startWebSocket();
    const { port, exchanges } = await start(await marking, upstream, { onLog: ({ message }) => logs.push(message) });
    let text = "";
    const socket = connectSocket(port, "127.0.0.1", () => socket.write(`${handshake}early `));
    socket.on("data", (chunk) => (text += chunk.toString()));
    const closed = new Promise((done) => socket.on("close", done));
    await expect.poll(() => text).toContain("EARLY");
    socket.write("hello");
    await expect.poll(() => text).toContain("HELLO");
    socket.end();
    await closed;
    const [head, frames] = text.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols/);
    expect(head).toMatch(/upgrade: websocket/i);
    expect(head).toMatch(/connection: upgrade/i);
    expect(head).toContain("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(head).toContain("x-asked: shop.test");
    expect(head).toContain("x-seen: yes");
    expect(frames).toBe("welcome EARLY HELLObye");
    expect(logs.filter((line) => line.startsWith("request")).join()).toBe("request 6,request 5");
    await expect.poll(() => exchanges).toMatchObject([{ path: "/chat", status: 101 }]);
  });

  test("is refused by a filter as any request is", async () => {
    const module = filterWat({
      imports: `(import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))`,
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const -1)))
        (i32.const 1))`,
      data: "no",
    });
    const { port } = await start(module, await startWebSocket());
    const answer = await raw(port, handshake);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toMatch(/\r\n\r\nno$/);
  });

  test("is answered as the server answers that does not want it", async () => {
    const upstream = await startUpstream((_request, response) => response.writeHead(404).end("no such chat"));
    const { port } = await start(await marking, upstream);
    const answer = await raw(port, handshake);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toContain("no such chat");
  });

  test("ends the client's connection when the server's breaks", async () => {
    const server = createServer();
    const sockets: Socket[] = [];
    server.on("upgrade", (_request, socket: Socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi");
    });
    const port = await listen(server);
    closeLater(() => server.close());
    const { port: served } = await start(await marking, new URL(`http://127.0.0.1:${port}`));
    const answer = raw(served, handshake);
    await expect.poll(() => sockets.length).toBe(1);
    sockets[0]!.destroy();
    expect(await answer).toMatch(/hi$/);
  });
});

describe("CONNECT over HTTP/1.1", () => {
  const connecting = "CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n";

  test.each(["", "early"])(
    "passes the filter, is answered, and the connection closes (%j behind it)",
    async (early) => {
      const { port, exchanges, errors } = await start(await marking);
      const answer = await raw(port, connecting + early);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(answer).toContain("x-seen: yes");
      const exchange = { method: "CONNECT", path: "shop.test:443", status: 404, details: "route_not_found" };
      await expect.poll(() => exchanges).toMatchObject([exchange]);
      expect(errors).toEqual([]);
    },
  );

  test("is answered by the filter when that likes", async () => {
    const filter = filterOf({ name: "", on: { request_headers: [list(0), reply(403, "no tunnel")] } }).bytes;
    const logs: string[] = [];
    const { port } = await start(filter, undefined, { onLog: ({ message }) => logs.push(message) });
    const answer = await raw(port, connecting);
    expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*\r\n\r\nno tunnel$/);
    expect(logs).toContainEqual(expect.stringContaining(":method=CONNECT"));
  });
});

test("what a client expects passes the filter and reaches the upstream, whatever it is", async () => {
  const upstream = createServer();
  const seen: unknown[] = [];
  upstream.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request.headers.expect, request.headers["x-asked"]);
    response.end("ok");
  });
  const to = await listen(upstream);
  closeLater(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const { port, exchanges } = await start(await marking, new URL(`http://127.0.0.1:${to}`));
  const answer = await raw(port, "GET / HTTP/1.1\r\nHost: a\r\nExpect: foo\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*x-seen: yes/);
  expect(seen).toEqual(["foo", "a"]);
  await expect.poll(() => exchanges).toMatchObject([{ status: 200 }]);
});

test("an event stream reaches the client event by event", async () => {
  let send = (_event: string): void => {};
  const upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    send = (event) => response.write(`data: ${event}\n\n`);
  });
  const { url } = await start(await marking, upstream);
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body!.getReader();
  for (const event of ["one", "two"]) {
    send(event);
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(`data: ${event}\n\n`);
  }
  await reader.cancel();
});

test("exchanges under way end on the filters that they began with, when others take their place", async () => {
  let finish = (): void => {};
  const upstream = await startUpstream((request, response) => {
    response.write("begun, ");
    if (request.url === "/old") finish = () => response.end("ended");
    else response.end();
  });
  const server = await start(await marking, upstream);
  const response = await fetch(`${server.url}/old`);
  server.use(await loadFilter(filterWat({}), { clock: new SystemClock() }));
  expect((await fetch(`${server.url}/new`)).headers.has("x-seen")).toBe(false);
  finish();
  expect(response.headers.get("x-seen")).toBe("yes");
  expect(await response.text()).toBe("begun, ended");
});

test("stops listening, and ends when what is under way has", async () => {
  let finish = (): void => {};
  const upstream = await startUpstream((_request, response) => {
    response.write("begun, ");
    finish = () => response.end("ended");
  });
  const server = await start(await marking, upstream);
  const response = await fetch(server.url);
  let closed = false;
  const closing = server.close().then(() => (closed = true));
  await expect(fetch(server.url)).rejects.toThrow();
  expect([closed, server.open]).toEqual([false, 1]);
  finish();
  expect(await response.text()).toBe("begun, ended");
  await closing;
});
