// What an upstream is to whoever tests a filter: a function from a request to a response.

import { toText } from "./bytes.ts";
import type { HeaderMap } from "./header-map.ts";
import { type HeadersInit, HttpHeaders } from "./http-headers.ts";
import type { UpstreamFailure } from "./http-stream.ts";

/** Text (as UTF-8), bytes, or several pieces of either, each of which arrives by itself. */
export type BodyInit = string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** A request as the upstream sees it, complete. */
export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HttpHeaders;
  readonly body: Uint8Array;
  readonly trailers: HttpHeaders;
  /** The body as text. */
  text(): string;
}

/** What an upstream answers. */
export interface UpstreamResponse {
  /** 200 by default. */
  readonly status?: number;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit;
  readonly trailers?: HeadersInit;
}

/** Answers requests that the filter lets through; a thrown `UpstreamError` is a broken connection. */
export type Upstream = (request: UpstreamRequest) => UpstreamResponse | Promise<UpstreamResponse>;

/** Thrown by an upstream to fail in one of Envoy's ways. */
export class UpstreamError extends Error {
  override name = "UpstreamError";
  readonly reason: UpstreamFailure;

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
  const headers = new HttpHeaders(head);
  return {
    method: headers.get(":method") ?? "",
    path: headers.get(":path") ?? "",
    authority: headers.get(":authority") ?? "",
    headers,
    body,
    trailers: new HttpHeaders(trailers),
    text: () => toText(body),
  };
}
