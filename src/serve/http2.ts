// A client that speaks HTTP/2: one exchange is one of its streams.

import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

import type { RequestHead } from "../http/codec.ts";
import { type HeaderMap, unjoined } from "../http/header-map.ts";
import { isContinue } from "../http/http1-codec.ts";
import type { Downstream, RequestListener } from "./downstream.ts";
import { outgoing, pairs } from "./node-headers.ts";
import { readPieces, watchEnd } from "./pieces.ts";

/** A stream of a client's connection. */
export class Http2Client implements Downstream {
  readonly socket: Socket;
  readonly protocol = "HTTP/2";
  readonly head: RequestHead;
  readonly empty: boolean;
  readonly flow: ServerHttp2Stream;
  readonly #stream: ServerHttp2Stream;
  #trailers: OutgoingHttpHeaders | undefined;

  /** `rawHeaders` are names and values in turn; `empty` says that the head is all. */
  constructor(stream: ServerHttp2Stream, rawHeaders: readonly string[], empty: boolean) {
    // What Node hands out in its place forbids much, but nothing that is done here.
    this.socket = stream.session!.socket as Socket;
    this.head = headOf(rawHeaders);
    this.empty = empty;
    this.flow = stream;
    this.#stream = stream;
  }

  get answered(): boolean {
    return this.#stream.headersSent;
  }

  listen(listener: RequestListener): void {
    const stream = this.#stream;
    const session = stream.session!;
    // Envoy's codec takes the wish away: the proxy itself tells the client to go on.
    if (this.head.headers.getAll("expect").some(isContinue)) stream.additionalHeaders({ ":status": 100 });
    let trailers: string[] = [];
    stream.on("trailers", (...args: unknown[]) => (trailers = args[2] as string[]));
    stream.on("drain", () => listener.drain());
    stream.on("close", () => listener.close(session.destroyed));
    if (this.empty) return void stream.resume();
    const isWhole = watchEnd(stream);
    const follows = (): boolean => !isWhole() || trailers.length > 0;
    const end = (): void => {
      if (isWhole()) listener.end(pairs(trailers));
    };
    readPieces(stream, follows, { data: (chunk, last) => listener.data(chunk, last), end });
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    if (this.#gone) return;
    const stream = this.#stream;
    stream.respond(outgoing(headers), { endStream: endOfStream, waitForTrailers: !endOfStream });
    stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers ?? {}));
    if (endOfStream) this.#finish();
  }

  /** Nobody waits for the rest of the request. */
  #finish(): void {
    const stream = this.#stream;
    if (!this.empty && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  }

  data(bytes: Uint8Array, endOfStream: boolean): boolean {
    if (this.#gone) return true;
    const more = !bytes.length || this.#stream.write(bytes);
    if (endOfStream) this.#end();
    return more;
  }

  trailers(trailers: HeaderMap): void {
    this.#trailers = outgoing(trailers);
    if (!this.#gone) this.#end();
  }

  #end(): void {
    this.#stream.end();
    this.#finish();
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

function headOf(rawHeaders: readonly string[]): RequestHead {
  const all = pairs(rawHeaders);
  const pseudo = (name: string): string => all.find(([key]) => key === name)?.[1] ?? "";
  return {
    protocol: "HTTP/2",
    method: pseudo(":method"),
    path: pseudo(":path"),
    authority: pseudo(":authority") || pseudo("host"),
    scheme: "http",
    headers: unjoined("request", all),
  };
}
