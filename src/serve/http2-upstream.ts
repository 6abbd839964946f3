// A server that speaks HTTP/2 without TLS.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";

import type { Body } from "../http/body.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { Peer } from "../streams/direction.ts";
import { pathPrefix } from "./address.ts";
import { followAnswer, Http2Sessions } from "./http2-sessions.ts";
import { outgoing, pairs, pairsOfFields } from "./node-headers.ts";
import { failureOf, type Feed, type OnFailure, receive, type UpstreamConnector } from "./upstreams.ts";
import type { FlowControl } from "./valve.ts";

/** The server at this URL. Its path is put in front of the request's. */
export function http2Upstream(url: URL, onFailure: OnFailure): UpstreamConnector {
  const sessions = new Http2Sessions();
  const connect = (feed: Feed, source: FlowControl): Peer => new Http2Request(url, sessions, onFailure, feed, source);
  return Object.assign(connect, { protocol: "HTTP/2" } as const);
}

/** A request on its way to the server. */
class Http2Request implements Peer {
  readonly #url: URL;
  readonly #sessions: Http2Sessions;
  readonly #onFailure: OnFailure;
  readonly #feed: Feed;
  readonly #source: FlowControl;
  #stream: ClientHttp2Stream | undefined;
  #trailers: HeaderMap | undefined;
  #over = false;

  constructor(url: URL, sessions: Http2Sessions, onFailure: OnFailure, feed: Feed, source: FlowControl) {
    this.#url = url;
    this.#sessions = sessions;
    this.#onFailure = onFailure;
    this.#feed = feed;
    this.#source = source;
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    const started = performance.now();
    const path = pathPrefix(this.#url) + (headers.get(":path") ?? "/");
    const stream = this.#sessions
      .to(this.#url)
      .request({ ...outgoing(headers), ":path": path }, { endStream: endOfStream, waitForTrailers: !endOfStream });
    this.#stream = stream;
    stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers ? outgoing(this.#trailers) : {}));
    stream.on("drain", () => this.#source.resume());
    const isWhole = followAnswer(stream, (error) => this.#fail(error));
    let trailers: string[] = [];
    stream.on("trailers", (...args: unknown[]) => (trailers = args[2] as string[]));
    stream.on("response", (head: IncomingHttpHeaders & { ":status"?: number }, flags: number, ...rest: unknown[]) => {
      receive(
        this.#feed,
        {
          status: Number(head[":status"]),
          headers: pairsOfFields(rest[0] as string[]),
          empty: (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0,
          body: stream,
          endsWithPiece: true,
          trailers: () => (isWhole() ? pairs(trailers) : undefined),
        },
        started,
      );
    });
  }

  data(data: Body, endOfStream: boolean): void {
    if (data.length && !this.#stream?.write(data.bytes())) this.#source.pause();
    if (endOfStream) this.#stream?.end();
  }

  trailers(trailers: HeaderMap): void {
    this.#trailers = trailers;
    this.#stream?.end();
  }

  reset(): void {
    this.#over = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  watermark(above: boolean): void {
    if (above) this.#stream?.pause();
    else this.#stream?.resume();
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#over) return;
    this.#over = true;
    this.#onFailure(error);
    this.#feed((stream) => stream.upstreamReset(failureOf(error)));
  }
}
