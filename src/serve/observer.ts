// Who watches exchanges go by: the trace on the terminal, the inspector.

import type { HeaderMap } from "../http/header-map.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import type { Trace } from "../trace.ts";

/** Where a part of a message passes: in front of the filters or behind them, on its way there or back. */
export type Passage = "request received" | "request sent" | "response received" | "response sent";

/** Watches one exchange. What it is given is not its own: it copies what it keeps. */
export interface ExchangeObserver {
  /** Where the filters' callbacks and host calls are written down. */
  readonly trace: Trace;
  headers(passage: Passage, headers: HeaderMap): void;
  data(passage: Passage, bytes: Uint8Array): void;
  trailers(passage: Passage, trailers: HeaderMap): void;
  /** The upstream has failed, before its answer or within it. */
  upstreamFailed(reason: UpstreamFailure): void;
  /** The exchange is over. */
  ended(exchange: Exchange): void;
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
