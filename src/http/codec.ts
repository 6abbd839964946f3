// What a codec is: how a proxy reads and writes one version of HTTP. What a codec does not take no filter ever sees.

import type { ByteString } from "../encoding/bytes.ts";
import type { HeaderMap } from "./header-map.ts";
import { http1Codec } from "./http1-codec.ts";
import { http2Codec } from "./http2-codec.ts";
import type { UpstreamFailure } from "./response-flag.ts";
import type { Limits } from "../limits.ts";
import type { LocalReply } from "./local-reply.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** A version of HTTP, as `request.protocol` has it. */
export type HttpProtocol = "HTTP/1.1" | "HTTP/2";

/** The head of a request as a client sends it. */
export interface RequestHead {
  readonly protocol: HttpProtocol;
  readonly method: ByteString;
  readonly path: ByteString;
  /** Undefined when the `host` headers have it. */
  readonly authority: ByteString | undefined;
  /** The connection's: `https` with TLS. */
  readonly scheme: ByteString;
  /** Nothing joined. Over HTTP/2 with the pseudo headers, as they came. */
  readonly headers: HeaderMap;
}

/** What becomes of a request that a codec does not take: it is answered, or its stream is reset. */
export type Malformed = { readonly reply: LocalReply } | StreamReset;

/** The end of a stream that breaks the rules of HTTP/2. */
export interface StreamReset {
  /** As `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;
  /** A `ResponseFlag`. */
  readonly flag: number;
  /** What is wrong, for people. */
  readonly why: string;
}

/** Reads and writes a version of HTTP as Envoy does. */
export interface Codec {
  /** The headers of a request; `scheme` is that of a target without one, undefined when it is to have none. */
  readHead(head: RequestHead, scheme: ByteString | undefined, profile: Pick<HostProfile, "joinsHeaders">): HeaderMap;
  /** What becomes of a request whose head it does not take; undefined when it does. */
  refuseHead(head: RequestHead, endOfStream: boolean, limits: Limits): Malformed | undefined;
  /** What becomes of a request whose trailers it does not take; undefined when it does. */
  refuseTrailers(trailers: HeaderMap, limits: Limits): Malformed | undefined;
  /** Whether a head begins the response or goes before it and is not passed on, or how an upstream fails that sends it. */
  readResponse(
    headers: HeaderMap,
    endOfStream: boolean,
    limits: Limits,
    answersHead: boolean,
  ): "final" | "interim" | UpstreamFailure;
  /** How an upstream fails that sends these trailers; undefined when it takes them. */
  refuseResponseTrailers(trailers: HeaderMap, limits: Limits): UpstreamFailure | undefined;
  /** The bytes that a body with this head must have; undefined when any number will do. */
  bodyLength(headers: HeaderMap, answersHead: boolean): number | undefined;
  /** The head of a request as it goes out: where there could be a body and is none, HTTP/1 says so. */
  sendRequest(headers: HeaderMap, endOfStream: boolean): HeaderMap;
  /** The head of a response as it goes out, likewise. */
  sendResponse(headers: HeaderMap, endOfStream: boolean, answersHead: boolean): HeaderMap;
}

/** The codec of a version; a `TypeError` for what is none, which names the option that says it. */
export function codecOf(protocol: HttpProtocol, option: "protocol" | "upstreamProtocol" = "protocol"): Codec {
  if (protocol === "HTTP/1.1") return http1Codec;
  if (protocol === "HTTP/2") return http2Codec;
  throw new TypeError(`there is no ${option} ${JSON.stringify(protocol)}; there are "HTTP/1.1" and "HTTP/2"`);
}
