// `serve` over real HTTP on loopback.

import { createServer, type IncomingMessage, request, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";

import { afterEach, describe, expect, test, vi } from "vitest";

import { type FilterOptions, loadFilter, SystemClock } from "../src/index.ts";
import { connectTo } from "../src/serve/connect.ts";
import type { Exchange } from "../src/serve/observer.ts";
import { type RunningServer, serve } from "../src/serve/server.ts";
import { compileSource, filterWat, hostCall } from "./support/compile.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const addHeader = `
  import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
      this.responseHeaders.set("x-seen", "yes");
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`;

async function startUpstream(listener: RequestListener): Promise<URL> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

interface Started extends RunningServer {
  exchanges: Exchange[];
  errors: Error[];
}

async function start(module: Uint8Array, upstream?: URL, options: FilterOptions = {}): Promise<Started> {
  const filter = await loadFilter(module, { clock: new SystemClock(), ...options });
  const exchanges: Exchange[] = [];
  const errors: Error[] = [];
  const server = await serve(filter, {
    port: 0,
    ...(upstream && { upstream: connectTo(upstream) }),
    onExchange: (exchange) => void exchanges.push(exchange),
    onError: (error) => void errors.push(error),
  });
  closers.push(() => server.close());
  return { ...server, exchanges, errors };
}

const compiled = compileSource(addHeader).then(({ bytes }) => bytes);

/** Sends a request by hand and gives what comes back, byte for byte, until the server closes. */
function raw(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(text, "latin1"));
    let answer = "";
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("serve", () => {
  test("answers hello by itself, through the filter", async () => {
    const { url, exchanges } = await start(await compiled);
    const response = await fetch(`${url}/hello`);
    expect(response.headers.get("x-seen")).toBe("yes");
    expect(await response.text()).toBe("Hello, world!");
    await expect.poll(() => exchanges).toMatchObject([{ method: "GET", path: "/hello", status: 200, bytes: 13 }]);
  });

  test("passes requests on as they are, and responses back, repeated headers and trailers too", async () => {
    let seen: IncomingMessage | undefined;
    let body = "";
    const upstream = await startUpstream((incoming, outgoing) => {
      seen = incoming;
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
      incoming.on("end", () => {
        outgoing.writeHead(201, { "set-cookie": ["a=1", "b=2"], trailer: "x-sum" });
        outgoing.write("part 1, ");
        outgoing.addTrailers({ "x-sum": "42" });
        outgoing.end("part 2");
      });
    });
    const { url } = await start(await compiled, upstream);
    const answer = await raw(
      url,
      "POST /a?b=c HTTP/1.1\r\nHost: shop.test\r\nX-Two: 1\r\nX-Two: 2\r\nX-Bytes: \xff\xfe\r\n" +
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    );
    expect(seen!.method).toBe("POST");
    expect(seen!.url).toBe("/a?b=c");
    expect(seen!.headers.host).toBe("shop.test");
    expect(seen!.headersDistinct["x-two"]).toEqual(["1", "2"]);
    expect(seen!.headers["x-bytes"]).toBe("\xff\xfe");
    expect(seen!.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen!.trailers).toEqual({ "x-t": "1" });
    expect(body).toBe("abc");
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer).toContain("set-cookie: a=1\r\nset-cookie: b=2\r\n");
    expect(answer).toContain("part 1, ");
    expect(answer).toContain("x-sum: 42");
  });

  test.each(["GET", "DELETE", "POST"])("gives a %s whose body has no length an end", async (method) => {
    let body = "";
    const upstream = await startUpstream((incoming, outgoing) => {
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
      incoming.on("end", () => outgoing.end("ok"));
    });
    const { url } = await start(filterWat({}), upstream);
    const head = `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await raw(url, `${head}3\r\nabc\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(body).toBe("abc");
  });

  test("says as little of connections and upstreams as Envoy", async () => {
    // Node's own servers send keep-alive.
    const upstream = await startUpstream((_request, response) => response.setHeader("proxy-connection", "x").end("hi"));
    const request = (options: string): string => `GET / HTTP/1.1\r\nhost: a\r\n${options}\r\n`;
    const close = "connection: close\r\n";
    for (const to of [upstream, undefined]) {
      const { url } = await start(filterWat({}), to);
      const [kept, closed] = (await raw(url, request("") + request(close))).toLowerCase().split(/(?<=hi|world!)/);
      expect(kept).toMatch(/^http\/1\.1 200 ok\r\n/);
      expect(kept).not.toMatch(/\r\n(connection|keep-alive|proxy-connection):/);
      expect(closed).toMatch(/\r\nconnection: close\r\n/);
      expect(closed).not.toMatch(/\r\n(keep-alive|proxy-connection):/);
      expect(/\r\nx-envoy-upstream-service-time:/.test(kept!)).toBe(to !== undefined);
    }
  });

  test("gives the client the first chunk before the upstream has ended", async () => {
    let finish = (): void => {};
    const upstream = await startUpstream((_incoming, outgoing) => {
      outgoing.write("first");
      finish = () => outgoing.end("last");
    });
    const { url } = await start(await compiled, upstream);
    const response = await fetch(url);
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("first");
    finish();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("last");
  });

  test("stops reading an upstream whose client does not read", async () => {
    let sent = 0;
    let drained = false;
    const upstream = await startUpstream((_incoming, outgoing) => {
      const chunk = Buffer.alloc(65536);
      const more = (): void => {
        while (sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!outgoing.write(chunk)) {
            outgoing.once("drain", more);
            return;
          }
        }
        drained = true;
        outgoing.end();
      };
      more();
    });
    const { url } = await start(await compiled, upstream);
    const received = await new Promise<number>((resolve, reject) => {
      request(url, (response) => {
        response.pause();
        setTimeout(() => {
          // What fits into the sockets' own buffers has been sent, and no more.
          if (drained || sent > 32 * 1024 * 1024) reject(new Error(`${sent} bytes were read without a reader`));
          let size = 0;
          response.on("data", (chunk: Buffer) => (size += chunk.length));
          response.on("end", () => resolve(size));
          response.resume();
        }, 500);
      })
        .on("error", reject)
        .end();
    });
    expect(received).toBe(64 * 1024 * 1024);
  });

  test("answers 503 as Envoy when the upstream is down", async () => {
    const upstream = await startUpstream(() => {});
    await closers.pop()!();
    const { url, exchanges } = await start(await compiled, upstream);
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(response.headers.get("x-seen")).toBe("yes");
    expect(await response.text()).toBe(
      "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
    );
    await expect.poll(() => exchanges[0]?.details).toMatch(/^upstream_reset_before_response_started/);
  });

  test("breaks the response when the upstream breaks off", async () => {
    const upstream = await startUpstream((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-length": "100" });
      outgoing.write("only this", () => outgoing.destroy());
    });
    const { url } = await start(await compiled, upstream);
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
    expect(
      (
        await fetch(`${url}/again`)
          .then((response) => response.text())
          .catch(() => "broken")
      ).length,
    ).toBeGreaterThan(0);
  });

  test("ends the stream and the upstream's request when the client goes away", async () => {
    let gone = false;
    const upstream = await startUpstream((incoming, outgoing) => {
      outgoing.write("endless");
      incoming.on("close", () => (gone = true));
    });
    const { url, exchanges } = await start(await compiled, upstream);
    const abort = new AbortController();
    const response = await fetch(url, { signal: abort.signal });
    await response.body!.getReader().read();
    abort.abort();
    await expect.poll(() => gone).toBe(true);
    await expect.poll(() => exchanges.length).toBe(1);
  });

  test("refuses an upgrade that is none to WebSocket", async () => {
    const { url, exchanges } = await start(await compiled);
    const head = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    const answer = await raw(url, head);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer.toLowerCase()).toContain("connection: close");
    await expect.poll(() => exchanges).toMatchObject([{ path: "/chat", status: 403, details: "upgrade_failed" }]);
  });

  test("answers 504 when the upstream takes longer than the filter lets it", async () => {
    const upstream = await startUpstream(() => {});
    const module = filterWat({
      imports: hostCall("replace_header_map_value", 5),
      data: "x-envoy-upstream-rq-timeout-ms50",
      functions: `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $replace_header_map_value (i32.const 0) (i32.const 16) (i32.const 30) (i32.const 46) (i32.const 2)))
        (i32.const 0))`,
    });
    const { url } = await start(module, upstream);
    const response = await fetch(url);
    expect(response.status).toBe(504);
    expect(await response.text()).toBe("upstream request timeout");
  });

  test("answers 503 with an empty body when the filter traps, and stays up", async () => {
    const module = filterWat({
      functions: '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)',
    });
    const { url } = await start(module);
    for (let i = 0; i < 3; i++) {
      const response = await fetch(url);
      expect(response.status).toBe(503);
      expect(await response.text()).toBe("");
    }
  });

  test("answers 500 when the filter does what would break a real Envoy, and says what", async () => {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      import { proxy_continue_stream } from "proxy-wasm/assembly/env";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          proxy_continue_stream(0);
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const { url, errors } = await start(bytes);
    expect((await fetch(url)).status).toBe(500);
    expect(errors[0]!.message).toContain("sends the request upstream twice");
    expect((await fetch(url)).status).toBe(500);
  });

  test("answers 500 when the filters cannot even be asked, and says why", async () => {
    const filter = await loadFilter(await compiled, { clock: new SystemClock() });
    vi.spyOn(filter, "open").mockImplementation(() => {
      throw new Error("no such filter");
    });
    const errors: Error[] = [];
    const exchanges: Exchange[] = [];
    const server = await serve(filter, {
      port: 0,
      onExchange: (one) => void exchanges.push(one),
      onError: (error) => void errors.push(error),
    });
    closers.push(() => server.close());
    for (const method of ["GET", "POST"]) {
      const response = await fetch(server.url, { method, ...(method === "POST" && { body: "body" }) });
      expect([response.status, await response.text()]).toEqual([500, ""]);
    }
    await expect.poll(() => exchanges).toMatchObject([{ status: 500 }, { status: 500 }]);
    expect(errors.map(({ message }) => message)).toEqual(["no such filter", "no such filter"]);
    expect(server.open).toBe(0);
  });

  test("answers 500 when the filter splits a header, and says so", async () => {
    const { bytes } = await compileSource(`
      import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
      import { proxy_add_header_map_value } from "proxy-wasm/assembly/env";
      class Filter extends HttpContext {
        override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
          const name = String.UTF8.encode("x-seen"), value = String.UTF8.encode("a\\r\\nb: c");
          proxy_add_header_map_value(2, changetype<usize>(name), 6, changetype<usize>(value), 7);
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    const { url, errors } = await start(bytes);
    const response = await fetch(url);
    expect(response.status).toBe(500);
    expect(response.headers.has("b")).toBe(false);
    expect(errors[0]!.message).toMatch(/x-seen/);
  });
});
