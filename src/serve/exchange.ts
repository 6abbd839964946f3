// One exchange between a client and the filters: what arrives is fed to them as it comes, and what they let through is
// sent on.

import { requestHeaders } from "../http/connection.ts";
import type { FilterChain } from "../filter-chain.ts";
import { HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../streams/http-stream.ts";
import type { Peer } from "../streams/direction.ts";
import type { PropertyOptions } from "../properties/property-options.ts";
import type { Route } from "../streams/router.ts";
import type { Downstream } from "./downstream.ts";
import type { Exchange, ExchangeObserver, Passage } from "./observer.ts";
import type { Feed, ResponseSink, UpstreamConnector } from "./upstreams.ts";
import { Valve } from "./valve.ts";

/** What an exchange needs to know. */
export interface ExchangeOptions {
  /** Where it goes when the filters let it through. */
  readonly upstream: UpstreamConnector;
  readonly observer: ExchangeObserver | undefined;
  /** What is known of the connection. */
  readonly properties: PropertyOptions;
  /** Hears what went wrong in a way that is the filter's fault, or ours. */
  onError(error: Error): void;
  /** The exchange is over. */
  onEnd(exchange: Exchange): void;
}

/** WebSocket passes, and an event stream goes on for as long as it likes. */
const route: Route = { timeoutMs: 0n, upgrades: new Set(["websocket"]) };

/** An exchange under way. */
export class ServedExchange {
  readonly #options: ExchangeOptions;
  readonly #client: Downstream;
  readonly #started = performance.now();
  /** Undefined when the filters could not be asked at all. */
  #stream: HttpStream | undefined;
  /** How often the upstream was asked. */
  #tries = 1;
  #status = 0;
  #bytes = 0;
  #ended = false;

  constructor(client: Downstream, options: ExchangeOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Passes what the client sends through the filters. */
  start(filters: FilterChain): void {
    const client = this.#client;
    const { upstream: connect, observer, properties } = this.#options;
    // The request stops while the upstream's socket is full, or the filters hold too much; the response likewise.
    const incoming = new Valve(client.flow);
    const source = { pause: () => incoming.stop("socket", true), resume: () => incoming.stop("socket", false) };
    let upstream = connect(this.#feed, source);
    const outgoing = new Valve({ pause: () => upstream.watermark?.(true), resume: () => upstream.watermark?.(false) });
    const downstream = this.#downstream(outgoing, (above) => incoming.stop("filter", above));
    const onward: Peer = {
      headers: (headers, endOfStream) => upstream.headers(headers, endOfStream),
      data: (data, endOfStream) => upstream.data(data, endOfStream),
      trailers: (trailers) => upstream.trailers(trailers),
      reset: (reason) => upstream.reset(reason),
      watermark: (above) => outgoing.stop("filter", above),
      again: () => {
        const number = ++this.#tries;
        upstream = connect((action) => this.#feedResponse(number, action), source);
        source.resume();
      },
    };
    client.listen({
      data: (chunk, last) => {
        observer?.data("request received", chunk);
        this.#feedRequest((stream) => stream.requestData(chunk, last));
      },
      end: (trailers) => {
        if (!trailers.length) return this.#feedRequest((stream) => stream.requestData(new Uint8Array(), true));
        const map = new HeaderMap("request trailers", trailers);
        observer?.trailers("request received", map);
        this.#feedRequest((stream) => stream.requestTrailers(map));
      },
      drain: () => outgoing.stop("socket", false),
      close: (connection) => this.#close(connection),
    });
    const { random, proxy } = filters;
    this.#try(() => {
      this.#stream = filters.open({
        downstream: observer ? watched(downstream, "response sent", observer) : downstream,
        upstream: observer ? watched(onward, "request sent", observer) : onward,
        properties,
        route,
        protocol: client.head.protocol,
        upstreamProtocol: connect.protocol ?? "HTTP/1.1",
        ...(observer && { trace: observer.trace }),
      });
      const { profile } = proxy;
      const head = requestHeaders(client.head, random, profile);
      observer?.headers("request received", head);
      this.#stream.requestHeaders(head, client.empty, client.head);
    });
  }

  /** The client's end: sends on what it receives. */
  #downstream(outgoing: Valve, watermark: (above: boolean) => void): Peer {
    const client = this.#client;
    return {
      watermark,
      headers: (headers, endOfStream) => {
        this.#status = Number(headers.get(":status"));
        client.headers(headers, endOfStream);
      },
      data: (data, endOfStream) => {
        this.#bytes += data.length;
        if (!client.data(data.bytes(), endOfStream)) outgoing.stop("socket", true);
      },
      trailers: (trailers) => client.trailers(trailers),
      reset: () => client.destroy(),
    };
  }

  #feedRequest(action: (stream: HttpStream) => void): void {
    const stream = this.#stream;
    if (stream) this.#try(() => action(stream));
  }

  readonly #feed: Feed = (action) => this.#feedResponse(1, action);

  /** What is said in a try when another one has begun reaches nobody. */
  #feedResponse(number: number, action: (stream: ResponseSink) => void): void {
    if (number !== this.#tries) return;
    this.#try(() => {
      const { observer } = this.#options;
      action(observer ? watchedResponse(this.#stream!, observer) : this.#stream!);
    });
  }

  /** What goes wrong ends the exchange, and not the server. */
  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onError(error as Error);
      this.#fail();
    }
  }

  #fail(): void {
    const client = this.#client;
    if (client.answered) return client.destroy();
    this.#status = 500;
    client.headers(
      new HeaderMap("response", [
        [":status", "500"],
        ["content-length", "0"],
      ]),
      true,
    );
  }

  #close(connection: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    const stream = this.#stream;
    if (stream && !stream.ended) this.#try(() => stream.requestReset(connection));
    const { head } = this.#client;
    const exchange: Exchange = {
      method: head.method,
      path: head.path,
      status: this.#status,
      bytes: this.#bytes,
      milliseconds: performance.now() - this.#started,
      details: stream?.details ?? "client_disconnected",
    };
    this.#options.observer?.ended(exchange);
    this.#options.onEnd(exchange);
  }
}

function watched(peer: Peer, passage: Passage, observer: ExchangeObserver): Peer {
  return {
    headers(headers, endOfStream) {
      observer.headers(passage, headers);
      peer.headers(headers, endOfStream);
    },
    data(data, endOfStream) {
      observer.data(passage, data.bytes());
      peer.data(data, endOfStream);
    },
    trailers(trailers) {
      observer.trailers(passage, trailers);
      peer.trailers(trailers);
    },
    reset: (reason) => peer.reset(reason),
    watermark: (above) => peer.watermark?.(above),
    again(note) {
      observer.trace.push({ kind: "note", text: note });
      peer.again?.(note);
    },
  };
}

function watchedResponse(stream: HttpStream, observer: ExchangeObserver): ResponseSink {
  return {
    request: stream.request,
    profile: stream.profile,
    upstreamProtocol: stream.upstreamProtocol,
    responseHeaders(headers, endOfStream) {
      observer.headers("response received", headers);
      stream.responseHeaders(headers, endOfStream);
    },
    responseData(bytes, endOfStream) {
      observer.data("response received", bytes);
      stream.responseData(bytes, endOfStream);
    },
    responseTrailers(trailers) {
      observer.trailers("response received", trailers);
      stream.responseTrailers(trailers);
    },
    upstreamReset(reason) {
      observer.upstreamFailed(reason);
      stream.upstreamReset(reason);
    },
  };
}
