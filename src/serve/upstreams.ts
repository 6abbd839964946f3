// Where requests go that the filters let through: what an upstream is to an exchange, and how its failures are told.

import { responseHeaders } from "../connection.ts";
import { type HeaderEntry, HeaderMap } from "../header-map.ts";
import type { HttpStream, Peer, UpstreamFailure } from "../http-stream.ts";
import type { FlowControl } from "./valve.ts";

/** What an upstream tells a stream. */
export type ResponseSink = Pick<
  HttpStream,
  "profile" | "responseHeaders" | "responseData" | "responseTrailers" | "upstreamReset"
> & {
  /** The request so far. */
  readonly request: { readonly sent: boolean };
};

/** Does something with a stream; what goes wrong in it ends the stream and not the server. */
export type Feed = (action: (stream: ResponseSink) => void) => void;

/** Makes the peer that receives the request of a stream, and feeds the response back. */
export type UpstreamConnector = (feed: Feed, source: FlowControl) => Peer;

/** Hears why a server could not be reached, or broke off. */
export type OnFailure = (error: NodeJS.ErrnoException) => void;

/** How Envoy would call a failure of Node's. */
export function failureOf(error: NodeJS.ErrnoException): UpstreamFailure {
  const code = error.code ?? "";
  if (/^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|EADDRNOTAVAIL|ETIMEDOUT)$/.test(code)) {
    return "remote connection failure";
  }
  if (code === "ERR_HTTP2_STREAM_ERROR") {
    return error.message.includes("REFUSED_STREAM") ? "remote refused stream reset" : "remote reset";
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
  /** Asked for when the body has ended; undefined when that is not its own end, which its server tells of elsewhere. */
  trailers(): readonly HeaderEntry[] | undefined;
}

/** Feeds a response into its stream as it arrives; `started` is when the request began. */
export function receive(feed: Feed, { status, headers, empty, body, trailers }: Incoming, started: number): void {
  const time = Math.round(performance.now() - started);
  feed((stream) => {
    const saysTime = stream.profile.addsEnvoyHeaders && stream.request.sent;
    stream.responseHeaders(responseHeaders(status, headers, saysTime ? time : undefined, stream.profile), empty);
  });
  // Even an empty one has to be read to its end before its connection can be used again.
  body.on("data", (chunk: Buffer) => !empty && feed((stream) => stream.responseData(chunk, false)));
  body.on("end", () => {
    if (empty) return;
    const last = trailers();
    if (!last) return;
    feed((stream) => {
      if (last.length) stream.responseTrailers(new HeaderMap("response trailers", last));
      else stream.responseData(new Uint8Array(), true);
    });
  });
}
