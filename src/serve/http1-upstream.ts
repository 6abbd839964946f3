// A server that speaks HTTP/1.1, and the connections to it that another protocol takes over.

import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";

import type { Body } from "../http/body.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { Peer } from "../streams/direction.ts";
import { pathPrefix } from "./address.ts";
import { sendHead } from "./http1.ts";
import { pairs } from "./node-headers.ts";
import { failureOf, type Feed, type OnFailure, receive, type UpstreamConnector } from "./upstreams.ts";
import type { FlowControl } from "./valve.ts";

/** The server at this URL. Its path is put in front of the request's. */
export function http1Upstream(url: URL, onFailure: OnFailure): UpstreamConnector {
  // Worked out once: a URL takes itself to pieces each time that it is asked.
  const isTls = url.protocol === "https:";
  const server: Http1Server = {
    agent: isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true }),
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    prefix: pathPrefix(url),
  };
  return (feed, source) => new Http1Request(server, onFailure, feed, source);
}

/** Where requests go. */
interface Http1Server {
  /** Keeps connections for requests to come. */
  readonly agent: HttpAgent;
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
  readonly prefix: string;
}

/** A request on its way to the server. */
class Http1Request implements Peer {
  readonly #server: Http1Server;
  readonly #onFailure: OnFailure;
  readonly #feed: Feed;
  readonly #source: FlowControl;
  #started = 0;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  /** The connection, when another protocol has it. */
  #socket: Socket | undefined;
  /** What the client has sent in that protocol before it had it; undefined for a request without one. */
  #early: Uint8Array[] | undefined;
  #over = false;

  constructor(server: Http1Server, onFailure: OnFailure, feed: Feed, source: FlowControl) {
    this.#server = server;
    this.#onFailure = onFailure;
    this.#feed = feed;
    this.#source = source;
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    this.#started = performance.now();
    this.#send(headers, endOfStream, endOfStream);
  }

  data(data: Body, endOfStream: boolean): void {
    if (this.#early && !this.#socket) {
      this.#early.push(data.bytes());
      return this.#source.pause();
    }
    const out = this.#socket ?? this.#request;
    if (data.length && !out?.write(data.bytes())) this.#source.pause();
    if (endOfStream) out?.end();
  }

  trailers(trailers: HeaderMap): void {
    this.#request?.addTrailers(trailers.entries.map(([name, value]): [string, string] => [name, value]));
    this.#request?.end();
  }

  reset(): void {
    this.#over = true;
    this.#request?.destroy();
    this.#socket?.destroy();
  }

  watermark(above: boolean): void {
    const from = this.#socket ?? this.#response;
    if (above) from?.pause();
    else from?.resume();
  }

  /** `mayRepeat` says that the request is whole, so that it can be sent once more. */
  #send(headers: HeaderMap, endOfStream: boolean, mayRepeat: boolean): void {
    const { agent, protocol, hostname, port, prefix } = this.#server;
    const send = protocol === "https:" ? httpsRequest : httpRequest;
    const upgrade = headers.get("upgrade") !== undefined;
    const request = send({
      agent,
      protocol,
      hostname,
      port,
      method: headers.get(":method") ?? "GET",
      path: prefix + (headers.get(":path") ?? "/"),
      headers: requestLines(headers, endOfStream || upgrade),
      setHost: false,
    } as RequestOptions);
    this.#request = request;
    request.on("error", (error: NodeJS.ErrnoException) => {
      // The server closed a connection that it was to keep, just when it was used again.
      if (mayRepeat && request.reusedSocket && error.code === "ECONNRESET" && !this.#response && !this.#over) {
        return this.#send(headers, endOfStream, false);
      }
      this.#fail(error);
    });
    // Node closes without a word what changes to a protocol that was not asked for.
    request.on("close", () => {
      if (request === this.#request && !this.#response && !this.#socket) this.#fail(noAnswer());
    });
    request.on("drain", () => this.#source.resume());
    request.on("response", (incoming) => this.#receive(incoming, headers.get(":method") === "HEAD"));
    if (upgrade) this.#early = [];
    if (upgrade) request.on("upgrade", (incoming, socket, early) => this.#upgrade(incoming, socket as Socket, early));
    if (endOfStream || upgrade) request.end();
    else sendHead(request);
  }

  #receive(response: IncomingMessage, isHead: boolean): void {
    this.#response = response;
    const status = response.statusCode ?? 502;
    const empty = isHead || status === 204 || status === 304 || response.headers["content-length"] === "0";
    response.on("error", (error) => this.#fail(error));
    const headers = pairs(response.rawHeaders);
    const trailers = (): ReturnType<typeof pairs> => pairs(response.rawTrailers);
    receive(this.#feed, { status, headers, empty, body: response, trailers }, this.#started);
  }

  #upgrade(response: IncomingMessage, socket: Socket, early: Buffer): void {
    this.#socket = socket;
    if (early.length) socket.unshift(early);
    socket.on("drain", () => this.#source.resume());
    socket.on("error", (error) => this.#fail(error));
    for (const bytes of this.#early ?? []) socket.write(bytes);
    this.#early = [];
    this.#source.resume();
    const incoming = { status: 101, headers: pairs(response.rawHeaders), empty: false, body: socket };
    receive(this.#feed, { ...incoming, trailers: () => [] }, this.#started);
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#over) return;
    this.#over = true;
    this.#onFailure(error);
    this.#feed((stream) => stream.upstreamReset(failureOf(error)));
  }
}

function noAnswer(): NodeJS.ErrnoException {
  return Object.assign(new Error("it changed to a protocol that was not asked for"), {
    code: "HPE_UNEXPECTED_UPGRADE",
  });
}

function requestLines(headers: HeaderMap, isWhole: boolean): string[] {
  const lines = ["host", headers.get(":authority") ?? ""];
  for (const [name, value] of headers.entries) if (!name.startsWith(":")) lines.push(name, value);
  // Node does so by itself, but not for methods that seldom have a body, which would then go out without an end.
  if (!isWhole && headers.get("content-length") === undefined) lines.push("transfer-encoding", "chunked");
  return lines;
}
