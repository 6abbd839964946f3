// What an upstream is to whoever tests a filter: a function from a request to a response.

import { decodeText, toText } from "../encoding/bytes.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { type HeadersInit, HttpHeaders } from "../http/http-headers.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";

/** Text (as UTF-8), bytes, or several pieces of either, each of which arrives by itself. */
export type BodyInit = string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** A request as the upstream sees it, complete. */
export interface UpstreamRequest {
  /** `:method`. */
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** `:authority`: the host that the client asked for. */
  readonly authority: string;
  /** All headers, pseudo headers included. */
  readonly headers: HttpHeaders;
  /** The body, all of it; no bytes when there is none. */
  readonly body: Uint8Array;
  /** The trailers; empty when there are none. */
  readonly trailers: HttpHeaders;
  /** The body as text. */
  text(): string;
}

/** What an upstream answers. */
export interface UpstreamResponse {
  /** 200 by default. */
  readonly status?: number;
  /** Its headers, without `:status`. */
  readonly headers?: HeadersInit;
  /** Its body; none by default. */
  readonly body?: BodyInit;
  /** Its trailers; none by default. */
  readonly trailers?: HeadersInit;
}

/** Answers requests that the filter lets through; a thrown `UpstreamError` is a broken connection. */
export type Upstream = (request: UpstreamRequest) => UpstreamResponse | Promise<UpstreamResponse>;

/** Thrown by an upstream to fail in one of Envoy's ways. */
export class UpstreamError extends Error {
  /** Always `UpstreamError`. */
  override name = "UpstreamError";
  /** What Envoy says of it. */
  readonly reason: UpstreamFailure;

  /** Fails for this reason. */
  constructor(reason: UpstreamFailure = "remote connection failure") {
    super(reason);
    this.reason = reason;
  }
}

/** A request for an upstream's eyes. */
export function describeRequest(
  head: HeaderMap | undefined,
  body: Uint8Array,
  trailers: HeaderMap | undefined,
): UpstreamRequest {
  return {
    method: textOf(head, ":method"),
    path: textOf(head, ":path"),
    authority: textOf(head, ":authority"),
    headers: new HttpHeaders(head),
    body,
    trailers: new HttpHeaders(trailers),
    text: () => toText(body),
  };
}

function textOf(headers: HeaderMap | undefined, key: string): string {
  const value = headers?.get(key) ?? "";
  return headers?.isPlain ? value : decodeText(value);
}
