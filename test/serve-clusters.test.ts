// Callouts of a served filter to real servers: HTTP and gRPC, and what the filter hears when they fail.

import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer } from "node:net";

import { afterEach, beforeAll, describe, expect, test } from "vitest";

import { LogLevel } from "../src/index.ts";
import { ServedFilters } from "../src/cli/serve/proxy.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";
import { startGrpcServer } from "./support/grpc-server.ts";
import { frameTypes, http2Faults, http2Server } from "./support/http2-frames.ts";
import { closeAll, closeLater, listen, start, type Started, startUpstream } from "./support/serve.ts";

afterEach(closeAll);

let http: Compiled;
let grpc: Compiled;
beforeAll(async () => {
  http = await compileFilter("callouts");
  grpc = await compileFilter("grpc");
});

interface Served extends Started {
  logs: string[];
  failures: string[];
}

async function serveWith(module: string, clusters: Record<string, string>): Promise<Served> {
  const logs: string[] = [];
  const failures: string[] = [];
  const filters = await ServedFilters.load({
    specs: [{ module, name: "filter", config: "", rootId: "" }],
    clusters: new Map(Object.entries(clusters).map(([name, url]) => [name, new URL(url)])),
    failurePolicy: "closed",
    logLevel: LogLevel.Info,
    onLog: (_level, message) => void logs.push(message),
    onClusterFailure: (cluster, _url, error) => void failures.push(`${cluster}: ${error.message}`),
    onError: (error) => void failures.push(error.message),
  });
  closeLater(() => filters.close());
  return Object.assign(await start(filters.chain), { logs, failures });
}

function command(server: Started, words: string): Promise<Response> {
  return fetch(`${server.url}/shop`, { headers: { "x-do": words, connection: "close" } });
}

describe("over HTTP", () => {
  test("reach the server with all that the filter says, and the filter has all of the answer", async () => {
    const seen: unknown[] = [];
    const auth = await startUpstream((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const { method, url, headers } = request;
        seen.push([
          method,
          url,
          headers.host,
          headers["x-two"],
          Buffer.from(String(headers["x-bytes"]), "latin1").toString(),
          body,
        ]);
        response.writeHead(200, { "x-answer": "yes", trailer: "x-trailer" });
        response.write("all of it");
        response.addTrailers({ "x-trailer": "t" });
        response.end();
      });
    });
    const server = await serveWith(http.file, { auth: `${auth.href}base/` });
    expect((await command(server, "full")).status).toBe(200);
    expect(seen).toEqual([["PUT", "/base/full", "auth.test:8080", "a, Ã¼", "€", "grüße"]]);
    expect(server.logs[0]).toBe("200 all of it x-answer=yes x-trailer=t 1 trailers");
  });

  test("go over HTTP/2 when the cluster speaks that", async () => {
    const server = createHttp2Server();
    const seen: unknown[] = [];
    server.on("stream", (stream, headers) => {
      let body = "";
      stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
      stream.on("end", () => {
        seen.push([headers[":method"], headers[":path"], headers[":authority"], headers["x-one"], body]);
        stream.respond({ ":status": 200, "x-answer": "yes" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-trailer": "t" }));
        stream.end("all of it");
      });
    });
    const port = await listen(server);
    closeLater(() => server.close());
    const served = await serveWith(http.file, { auth: `h2c://127.0.0.1:${port}` });
    expect((await command(served, "full")).status).toBe(200);
    expect(seen).toEqual([["PUT", "/full", "auth.test:8080", "1", "grüße"]]);
    expect(served.logs[0]).toBe("200 all of it x-answer=yes x-trailer=t 1 trailers");
  });

  test.each(http2Faults)("to a server of HTTP/2 that %s: the filter hears of it", async (_what, answers, fault) => {
    const auth = await http2Server(({ type, stream }, peer) => type === frameTypes.headers && fault(peer, stream));
    closeLater(() => auth.close());
    const { port } = auth.address() as AddressInfo;
    const server = await serveWith(http.file, { auth: `h2c://127.0.0.1:${port}` });
    await command(server, "reset");
    expect(server.logs[0]).toMatch(
      answers ? /^reset without a body$/ : /^503 upstream connect error.*maybe from the proxy$/,
    );
    expect(server.failures).toHaveLength(1);
  });

  test("decide about the request", async () => {
    const auth = await startUpstream((request, response) =>
      response.writeHead(Number(/\d+$/.exec(request.url!)?.[0] ?? 200)).end(),
    );
    const server = await serveWith(http.file, { auth: auth.href });
    expect((await command(server, "auth")).status).toBe(200);
    expect((await command(server, "denied")).status).toBe(403);
    expect((await command(server, "unknown")).status).toBe(503);
  });

  test("that fail are what Envoy makes of them", async () => {
    const auth = await startUpstream((request, response) => {
      if (request.url === "/slow") return;
      response.writeHead(200, { "content-length": "100" });
      response.write("part", () => response.destroy());
    });
    const free = createServer();
    const port = await listen(free);
    await new Promise((done) => free.close(done));
    const server = await serveWith(http.file, { auth: auth.href, refusing: `http://127.0.0.1:${port}` });
    await command(server, "reset");
    await command(server, "slow");
    expect((await command(server, "refusing")).status).toBe(403);
    expect(server.logs.filter((line) => !line.startsWith("status"))).toEqual([
      "reset without a body",
      "504 upstream request timeout maybe from the proxy",
      expect.stringMatching(/^503 upstream connect error.*maybe from the proxy$/),
    ]);
    expect(server.failures).toEqual(["auth: aborted", expect.stringMatching(/^refusing: connect ECONNREFUSED/)]);
  });
});

describe("over gRPC", () => {
  test("are calls and streams over HTTP/2, and end as the server says", async () => {
    const greeter = await startGrpcServer({
      opened: (call) => call.path.endsWith("/Talk") && call.head({ "x-from": "greeter" }),
      message(call, message) {
        if (call.path.endsWith("/Greet")) call.send(`hello ${message}`);
        if (call.path.endsWith("/Greet")) call.end(0);
        if (call.path.endsWith("/Refuse")) call.end(7, "not you, 50%25 of the time");
        if (call.path.endsWith("/Talk") && message === "hello") call.send("more");
        if (call.path.endsWith("/Talk") && message === "you said more") call.end(0, undefined, { "x-trailer": "t" });
      },
    });
    closeLater(() => greeter.close());
    const server = await serveWith(grpc.file, { greeter: `http://127.0.0.1:${greeter.port}` });
    await command(server, "call greeter Greet");
    await command(server, "call greeter Refuse");
    await command(server, "stream greeter Talk");
    expect(server.logs).toEqual([
      "call 0",
      "ok 8 hello me",
      "call 0",
      "status 7 not you, 50%25 of the time{via_upstream}",
      expect.stringMatching(/^stream 0 send 0/),
      expect.stringMatching(/^initial \d+ greeter \/shop$/),
      "message more",
      expect.stringMatching(/^trailing \d+ t$/),
      "closed 0 via_upstream",
    ]);
    expect(greeter.calls[0]!.headers).toMatchObject({
      ":method": "POST",
      "content-type": "application/grpc",
      te: "trailers",
      "x-token": expect.stringContaining("secret"),
    });
  });

  test("have messages whole, in whatever pieces they come", async () => {
    const frame = (text: string): Buffer => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(text.length, 1);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const long = "more".repeat(200_000);
    const all = Buffer.concat([frame("a"), frame(""), frame("bc"), frame(long), frame("d")]);
    // Alone, in the middle of a head, two and a half at once, and the rest in all sizes.
    const ends = [1, 3, 6, 9, 14, 20, 30, 31, 32, 400_000, 700_001, all.length - 7, all.length - 1, all.length];
    const greeter = await startGrpcServer({
      opened(call) {
        call.head();
        const send = (i: number): void => {
          if (i === ends.length) return call.end(0);
          call.stream.write(all.subarray(ends[i - 1] ?? 0, ends[i]), () => setImmediate(send, i + 1));
        };
        send(0);
      },
      message() {},
    });
    closeLater(() => greeter.close());
    const server = await serveWith(grpc.file, { greeter: `http://127.0.0.1:${greeter.port}` });
    await command(server, "stream greeter Talk");
    const messages = server.logs.filter((line) => line.startsWith("message "));
    expect(messages).toEqual(["a", "", "bc", long, "d"].map((text) => `message ${text}`));
    expect(server.logs.at(-1)).toBe("closed 0 via_upstream");
  });

  test.each([
    ["compressed", Buffer.of(1, 0, 0, 0, 1, 97), "a compressed message, which was not offered"],
    ["too long", Buffer.of(0, 2, 0, 0, 1, 97), "a message too long"],
  ])("that are %s are broken off", async (_what, bytes, why) => {
    const greeter = await startGrpcServer({
      opened(call) {
        call.head();
        call.stream.write(bytes);
      },
      message() {},
    });
    closeLater(() => greeter.close());
    const server = await serveWith(grpc.file, { greeter: `http://127.0.0.1:${greeter.port}` });
    await command(server, "call greeter Greet");
    expect(server.failures).toEqual([`greeter: ${why}`]);
    await expect.poll(() => greeter.calls[0]!.resetCode).toBe(8);
  });

  test("that fail are what Envoy makes of them, and the server hears when nobody waits", async () => {
    const greeter = await startGrpcServer({
      message(call) {
        if (call.path.endsWith("/Broken")) call.stream.close(2);
      },
    });
    closeLater(() => greeter.close());
    const free = createServer();
    const port = await listen(free);
    await new Promise((done) => free.close(done));
    const server = await serveWith(grpc.file, {
      greeter: `http://127.0.0.1:${greeter.port}`,
      nobody: `http://127.0.0.1:${port}`,
    });
    await command(server, "call greeter Broken");
    await command(server, "call greeter Slow");
    await command(server, "call nobody Greet");
    expect(server.logs.filter((line) => line.startsWith("status"))).toEqual([
      expect.stringMatching(/^status 14 .*remote reset/),
      expect.stringMatching(/^status 4 .*response_timeout|^status 14 .*response_timeout/),
      expect.stringMatching(/^status 14 .*remote connection failure/),
    ]);
    await expect.poll(() => greeter.calls[1]!.resetCode).toBe(8);
    expect(server.failures.at(-1)).toMatch(/^nobody: /);
  });
});
