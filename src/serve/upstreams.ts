// Where requests go that the filters let through: what an upstream is to an exchange, and how its failures are told.

import type { HttpProtocol } from "../http/codec.ts";
import { responseHeaders } from "../http/connection.ts";
import { type HeaderEntry, HeaderMap } from "../http/header-map.ts";
import type { HttpStream } from "../streams/http-stream.ts";
import type { Peer } from "../streams/direction.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import { readPieces } from "./pieces.ts";
import type { FlowControl } from "./valve.ts";

/** What an upstream tells a stream. */
export type ResponseSink = Pick<
  HttpStream,
  "profile" | "upstreamProtocol" | "responseHeaders" | "responseData" | "responseTrailers" | "upstreamReset"
> & {
  /** The request so far. */
  readonly request: { readonly sent: boolean };
};

/** Does something with a stream; what goes wrong in it ends the stream and not the server. */
export type Feed = (action: (stream: ResponseSink) => void) => void;

/** Makes the peer that receives the request of a stream, and feeds the response back. */
export interface UpstreamConnector {
  (feed: Feed, source: FlowControl): Peer;
  /** What it speaks; HTTP/1.1 unless it says otherwise. */
  readonly protocol?: HttpProtocol;
}

/** Hears why a server could not be reached, or broke off. */
export type OnFailure = (error: NodeJS.ErrnoException) => void;

/** How Envoy would call a failure of Node's. */
export function failureOf(error: NodeJS.ErrnoException): UpstreamFailure {
  const code = error.code ?? "";
  if (/^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|EADDRNOTAVAIL|ETIMEDOUT)$/.test(code)) {
    return "remote connection failure";
  }
  if (code === "ERR_HTTP2_STREAM_ERROR") {
    if (error.message.endsWith("NGHTTP2_REFUSED_STREAM")) return "remote refused stream reset";
    return error.message.endsWith("NGHTTP2_PROTOCOL_ERROR") ? "protocol error" : "remote reset";
  }
  return /^(HPE_|ERR_HTTP2_|ERR_SSL_)/.test(code) ? "protocol error" : "connection termination";
}

/** A response on its way in. */
export interface Incoming {
  readonly status: number;
  readonly headers: readonly HeaderEntry[];
  /** Whether nothing follows. */
  readonly empty: boolean;
  readonly body: NodeJS.ReadableStream;
  /** Whether the last piece of the body says that it is the last, as in HTTP/2. */
  readonly endsWithPiece?: boolean;
  /** Asked for when the body has ended; undefined when that is not its own end, which its server tells of elsewhere. */
  trailers(): readonly HeaderEntry[] | undefined;
}

/** Feeds a response into its stream as it arrives; `started` is when the request began. */
export function receive(feed: Feed, incoming: Incoming, started: number): void {
  const { status, headers, empty, body, endsWithPiece = false, trailers } = incoming;
  const time = Math.round(performance.now() - started);
  feed((stream) => {
    const saysTime = stream.profile.addsEnvoyHeaders && stream.request.sent;
    const { upstreamProtocol, profile } = stream;
    const head = responseHeaders(status, headers, saysTime ? time : undefined, upstreamProtocol, profile);
    stream.responseHeaders(head, empty);
  });
  // Even an empty one has to be read to its end before its connection can be used again.
  if (empty) return void body.resume();
  const data = (chunk: Uint8Array, isLast: boolean): void => feed((stream) => stream.responseData(chunk, isLast));
  const end = (): void => {
    const last = trailers();
    if (!last) return;
    if (last.length) feed((stream) => stream.responseTrailers(new HeaderMap("response trailers", last)));
    else data(new Uint8Array(), true);
  };
  if (endsWithPiece) return readPieces(body, () => trailers()?.length !== 0, { data, end });
  body.on("data", (chunk: Buffer) => data(chunk, false));
  body.on("end", end);
}
