// One port for HTTP/1.1 and for HTTP/2 without TLS: the first bytes of a connection say which it is.

import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { constants, createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

import type { Downstream } from "./downstream.ts";
import { Http1Client, UpgradeClient } from "./http1.ts";
import { Http2Client } from "./http2.ts";
import { asTheyAre } from "./node-headers.ts";

/** What a client of HTTP/2 sends first. RFC 9113, section 3.4. */
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Milliseconds that a client has to say what it speaks; Node's own limit for a head. */
const PATIENCE_MS = 60_000;

/** Envoy's limit for the head of a request. */
const HEAD_BYTES = 60 * 1024;

/** A server of both versions, that listens to nothing yet. */
export interface BothServers {
  readonly server: Server;
  /** Tells clients of HTTP/2 that no more requests are taken, and closes HTTP/1 connections that are idle. */
  goAway(): void;
  /** Closes every connection now. */
  destroy(): void;
}

/** Makes a server that hands over every request. */
export function bothServers(accept: (client: Downstream) => void): BothServers {
  const options: ServerOptions = { maxHeaderSize: HEAD_BYTES, noDelay: true };
  const take = (request: IncomingMessage, response: ServerResponse): void => accept(new Http1Client(request, response));
  const http1 = createServer(options, take);
  // What a client expects, other than 100-continue, is a header like others.
  http1.on("checkExpectation", take);
  http1.on("connect", (request, socket, early) => accept(new UpgradeClient(request, socket as Socket, early)));
  http1.on("upgrade", (request, socket, early) => upgrade(http1, request, socket as Socket, early, accept));
  const sessions = new Set<ServerHttp2Session>();
  const http2 = http2Server(sessions, accept);
  const sockets = new Set<Socket>();
  // Those that have not said yet what they speak.
  const silent = new Set<Socket>();
  // Node's own listener takes those that turn out to speak HTTP/1.
  const listeners = http1.listeners("connection") as ((this: Server, socket: Socket) => void)[];
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    silent.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
    tell(socket, (isHttp2) => {
      silent.delete(socket);
      if (isHttp2) {
        // A client of HTTP/1 may close its half and wait; one of HTTP/2 has gone then.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
        return;
      }
      for (const listener of listeners) listener.call(http1, socket);
    });
  });
  return {
    server: http1,
    goAway() {
      http1.closeIdleConnections();
      for (const session of sessions) session.close();
      for (const socket of silent) socket.destroy();
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function http2Server(sessions: Set<ServerHttp2Session>, accept: (client: Downstream) => void): Http2Server {
  const server = createHttp2Server({ ...asTheyAre, maxHeaderListPairs: 1000 });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    // A client that breaks the protocol loses its connection, and nobody else anything.
    session.on("error", () => {});
  });
  server.on("stream", (stream, _headers, flags, ...rest: unknown[]) => {
    // Its end is heard of as `close`, which comes after an error, too.
    stream.on("error", () => {});
    // Node tells of a stream a moment later: the client may have reset it, or broken its connection, by then.
    if (stream.destroyed || !stream.session || stream.session.destroyed) return;
    const raw = rest[0] as string[];
    accept(new Http2Client(stream, raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0));
  });
  server.on("sessionError", () => {});
  return server;
}

/** Reads until it is clear what a client speaks, and leaves what it has read to whoever takes it. */
function tell(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onError = (): void => {};
  const onTimeout = (): void => void socket.destroy();
  socket.on("error", onError);
  socket.setTimeout(PATIENCE_MS, onTimeout);
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk) seen = seen.length ? Buffer.concat([seen, chunk]) : chunk;
    const text = seen.toString("latin1", 0, PREFACE.length);
    const ended = socket.readableEnded || socket.destroyed;
    if (!ended && text.length < PREFACE.length && PREFACE.startsWith(text)) return;
    socket.off("readable", look).off("end", look).off("close", look).off("error", onError);
    socket.setTimeout(0).off("timeout", onTimeout);
    if (socket.destroyed) return;
    if (!seen.length) return void socket.end();
    socket.unshift(seen);
    decide(text === PREFACE);
  };
  socket.on("readable", look).on("end", look).on("close", look);
}

/**
 * Takes a client that asks for another protocol. HTTP/2 by HTTP/1's upgrade, which curl asks for, counts as if nobody had
 * asked, as in Envoy.
 */
function upgrade(
  server: Server,
  request: IncomingMessage,
  socket: Socket,
  early: Buffer,
  accept: (client: Downstream) => void,
): void {
  if (!/^h2c$/i.test(request.headers.upgrade ?? "")) return accept(new UpgradeClient(request, socket, early));
  const { method, url, httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!/^(upgrade|http2-settings)$/i.test(name)) head += `${name}: ${withoutUpgrade(name, rawHeaders[i + 1]!)}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), early]));
  server.emit("connection", socket);
}

function withoutUpgrade(name: string, value: string): string {
  if (!/^connection$/i.test(name)) return value;
  const options = value.split(",").filter((option) => !/^\s*(upgrade|http2-settings)\s*$/i.test(option));
  return options.join(",") || "keep-alive";
}
