// A client that speaks HTTP/1.1, and one that asks for another protocol on its connection, such as WebSocket, or a tunnel.

import { type IncomingMessage, type OutgoingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { RequestHead } from "../http/codec.ts";
import { type HeaderMap, unjoined } from "../http/header-map.ts";
import type { Downstream, RequestListener } from "./downstream.ts";
import { headerLines, pairs } from "./node-headers.ts";

/** A client with an ordinary request. */
export class Http1Client implements Downstream {
  readonly socket: Socket;
  readonly protocol: Downstream["protocol"];
  readonly head: RequestHead;
  readonly empty: boolean;
  readonly flow: IncomingMessage;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #hasBody = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.socket = request.socket;
    this.protocol = request.httpVersionMinor ? "HTTP/1.1" : "HTTP/1.0";
    this.head = headOf(request);
    const chunked = request.headers["transfer-encoding"] !== undefined;
    this.empty = !chunked && Number(request.headers["content-length"] ?? 0) === 0;
    this.flow = request;
    this.#request = request;
    this.#response = response;
  }

  get answered(): boolean {
    return this.#response.headersSent;
  }

  listen(listener: RequestListener): void {
    this.#response.on("drain", () => listener.drain());
    this.#response.on("close", () => listener.close(true));
    const request = this.#request;
    // Node tells that nothing more comes only to those who read.
    if (this.empty) return void request.resume();
    request.on("data", (chunk: Buffer) => listener.data(chunk, false));
    request.on("end", () => listener.end(pairs(request.rawTrailers)));
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    // As in Envoy, HTTP/1.1 stays open without a word, which Node would say by itself.
    if (this.protocol === "HTTP/1.1" && this.#response.shouldKeepAlive) this.#response.removeHeader("connection");
    this.#response.writeHead(Number(headers.get(":status")), headerLines(headers));
    if (endOfStream) this.#response.end();
    else this.#sendHeadSoon();
  }

  /** Sends the head together with what comes of the body at once: one write costs as much as all else. */
  #sendHeadSoon(): void {
    const response = this.#response;
    response.cork();
    setImmediate(() => {
      if (!this.#hasBody && !response.writableEnded) sendHead(response);
      response.uncork();
    });
  }

  data(bytes: Uint8Array, endOfStream: boolean): boolean {
    this.#hasBody = true;
    const more = !bytes.length || this.#response.write(bytes);
    if (endOfStream) this.#response.end();
    return more;
  }

  trailers(trailers: HeaderMap): void {
    this.#response.addTrailers(trailers.entries.map(([name, value]): [string, string] => [name, value]));
    this.#response.end();
  }

  destroy(): void {
    const response = this.#response;
    const { socket } = response;
    if (!response.headersSent || !socket || socket.writableNeedDrain) return void response.destroy();
    // What came before still arrives.
    response.uncork();
    socket.destroySoon();
  }
}

/** A client that asks for another protocol, or with CONNECT. Unless it gets it, it gets an ordinary response. */
export class UpgradeClient implements Downstream {
  readonly socket: Socket;
  readonly protocol = "HTTP/1.1";
  readonly head: RequestHead;
  readonly empty = false;
  readonly flow: Socket;
  readonly #request: IncomingMessage;
  readonly #early: Buffer;
  #upgraded = false;
  #response: ServerResponse | undefined;

  /** `early` is what the client has sent behind its request. */
  constructor(request: IncomingMessage, socket: Socket, early: Buffer) {
    this.socket = socket;
    this.flow = socket;
    this.head = headOf(request);
    this.#request = request;
    this.#early = early;
  }

  get answered(): boolean {
    return this.#upgraded || (this.#response?.headersSent ?? false);
  }

  listen(listener: RequestListener): void {
    const { socket } = this;
    // Before anybody listens, so that it comes when the head has been dealt with.
    if (this.#early.length) socket.unshift(this.#early);
    socket.on("data", (chunk: Buffer) => listener.data(chunk, false));
    socket.on("end", () => listener.end([]));
    socket.on("drain", () => listener.drain());
    socket.on("close", () => listener.close(true));
    // A broken connection closes, too.
    socket.on("error", () => {});
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    const status = Number(headers.get(":status"));
    if (status === 101) {
      this.#upgraded = true;
      const lines = headers.entries.flatMap(([name, value]) => (name.startsWith(":") ? [] : [`${name}: ${value}\r\n`]));
      this.socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`, "latin1");
      return;
    }
    const response = new ServerResponse(this.#request);
    this.#response = response;
    response.shouldKeepAlive = false;
    response.assignSocket(this.socket);
    response.on("finish", () => this.socket.destroySoon());
    response.writeHead(status, headerLines(headers));
    if (endOfStream) response.end();
    else sendHead(response);
  }

  data(bytes: Uint8Array, endOfStream: boolean): boolean {
    const out = this.#response ?? this.socket;
    const more = !bytes.length || out.write(bytes);
    if (endOfStream) out.end();
    return more;
  }

  trailers(): void {
    (this.#response ?? this.socket).end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends the head now. Unlike `flushHeaders`, which writes it as UTF-8, this keeps its bytes. */
export function sendHead(message: OutgoingMessage): void {
  message.write(new Uint8Array());
}

function headOf(request: IncomingMessage): RequestHead {
  return {
    protocol: "HTTP/1.1",
    method: request.method ?? "GET",
    path: request.url ?? "/",
    authority: undefined,
    scheme: "http",
    headers: unjoined("request", pairs(request.rawHeaders)),
  };
}
