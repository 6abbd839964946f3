// A filter in front of real HTTP/1.1: every request passes the filter on its way to the upstream and back, as it comes.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { requestHeaders, requestId } from "./connection.ts";
import type { Filter } from "./filter.ts";
import { HeaderMap } from "./header-map.ts";
import type { HttpStream, Peer } from "./http-stream.ts";
import type { PropertyOptions } from "./property-options.ts";
import { type Feed, hello, pairs, sendHead, type UpstreamConnector } from "./upstreams.ts";
import { Valve } from "./valve.ts";

/** How to serve. */
export interface ServeOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** The address to listen on, `127.0.0.1` by default. */
  readonly host?: string;
  /** Where requests go that the filter lets through; a built-in hello by default. */
  readonly upstream?: UpstreamConnector;
  /** Hears of every exchange when it is over. */
  readonly onExchange?: (exchange: Exchange) => void;
  /** Hears of what went wrong in a way that is the filter's fault, or ours. */
  readonly onError?: (error: Error) => void;
}

/** What became of a request. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  /** 0 when the connection was closed without an answer. */
  readonly status: number;
  /** Bytes of the response's body. */
  readonly bytes: number;
  readonly milliseconds: number;
  /** Why, as `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
}

/** A server that listens. */
export interface RunningServer {
  /** Its address, such as `http://localhost:8080`. */
  readonly url: string;
  /** Stops listening, and ends when open exchanges have. */
  close(): Promise<void>;
}

/** Starts a server; rejects when it cannot listen. */
export async function serve(filter: Filter, options: ServeOptions): Promise<RunningServer> {
  const server = createServer((request, response) => new Connection(filter, options, request, response).start());
  await listen(server, options.port, options.host ?? "127.0.0.1");
  const { port, address } = server.address() as AddressInfo;
  const name =
    address === "127.0.0.1" || address === "::1" ? "localhost" : address.includes(":") ? `[${address}]` : address;
  return {
    url: `http://${name}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** What is known of a connection; of the one to the upstream nothing is. */
function connectionProperties(socket: Socket): PropertyOptions {
  let id = connectionIds.get(socket);
  if (id === undefined) connectionIds.set(socket, (id = connections++));
  return {
    "connection.id": id,
    "source.address": addressOf(socket.remoteAddress, socket.remotePort),
    "destination.address": addressOf(socket.localAddress, socket.localPort),
    "upstream.address": null,
    "upstream.local_address": null,
  };
}

const connectionIds = new WeakMap<Socket, number>();
let connections = 0;

function addressOf(host: string | undefined, port: number | undefined): string | null {
  if (host === undefined || port === undefined) return null;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One exchange between a client and the filter. */
class Connection {
  readonly #filter: Filter;
  readonly #options: ServeOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #started = performance.now();
  #stream: HttpStream | undefined;
  #status = 0;
  #bytes = 0;

  constructor(filter: Filter, options: ServeOptions, request: IncomingMessage, response: ServerResponse) {
    this.#filter = filter;
    this.#options = options;
    this.#request = request;
    this.#response = response;
  }

  start(): void {
    const request = this.#request;
    // The request stops while the upstream's socket is full, or the filter holds too much; the response likewise.
    const incoming = new Valve(request);
    const source = { pause: () => incoming.stop("socket", true), resume: () => incoming.stop("socket", false) };
    const upstream = (this.#options.upstream ?? hello)(this.#feed, source);
    const outgoing = new Valve({ pause: () => upstream.watermark?.(true), resume: () => upstream.watermark?.(false) });
    this.#stream = this.#filter.open({
      downstream: { ...this.#client(outgoing), watermark: (above) => incoming.stop("filter", above) },
      upstream: { ...upstream, watermark: (above) => outgoing.stop("filter", above) },
      properties: connectionProperties(request.socket),
    });
    this.#response.on("close", () => this.#ended());
    const head = {
      method: request.method ?? "GET",
      path: request.url ?? "/",
      authority: request.headers.host ?? "",
      scheme: "http",
      headers: pairs(request.rawHeaders),
    };
    const chunked = request.headers["transfer-encoding"] !== undefined;
    const empty = !chunked && Number(request.headers["content-length"] ?? 0) === 0;
    const { random, proxy } = this.#filter;
    const id = proxy.profile.addsEnvoyHeaders ? requestId(random) : undefined;
    this.#feed((stream) => stream.requestHeaders(requestHeaders(head, id), empty));
    request.on("data", (chunk: Buffer) => !empty && this.#feed((stream) => stream.requestData(chunk, false)));
    request.on("end", () => {
      if (empty) return;
      const trailers = pairs(request.rawTrailers);
      this.#feed((stream) => {
        if (trailers.length) stream.requestTrailers(new HeaderMap("trailers", trailers));
        else stream.requestData(new Uint8Array(), true);
      });
    });
  }

  /** The client's end: writes what it receives to the response. */
  #client(outgoing: Valve): Peer {
    const response = this.#response;
    response.on("drain", () => outgoing.stop("socket", false));
    const end = (): void => {
      response.end();
    };
    return {
      headers: (headers, endOfStream) => {
        this.#status = Number(headers.get(":status"));
        response.writeHead(this.#status, responseLines(headers));
        if (endOfStream) end();
        else sendHead(response);
      },
      data: (data, endOfStream) => {
        this.#bytes += data.length;
        if (data.length && !response.write(data.bytes())) outgoing.stop("socket", true);
        if (endOfStream) end();
      },
      trailers: (trailers) => {
        response.addTrailers(trailers.entries.map(([name, value]): [string, string] => [name, value]));
        end();
      },
      reset: () => response.destroy(),
    };
  }

  readonly #feed: Feed = (action) => {
    try {
      action(this.#stream!);
    } catch (error) {
      this.#options.onError?.(error as Error);
      if (this.#response.headersSent) this.#response.destroy();
      else this.#response.writeHead(500, { "content-length": "0" }).end();
    }
  };

  #ended(): void {
    const stream = this.#stream!;
    if (!stream.ended) this.#feed(() => stream.requestReset());
    this.#options.onExchange?.({
      method: this.#request.method ?? "",
      path: this.#request.url ?? "",
      status: this.#status,
      bytes: this.#bytes,
      milliseconds: performance.now() - this.#started,
      details: stream.details ?? "client_disconnected",
    });
  }
}

function responseLines(headers: HeaderMap): string[] {
  return headers.entries.flatMap(([name, value]) => (name.startsWith(":") ? [] : [name, value]));
}
