// A request as a test writes it down.

import type { HttpProtocol } from "./http/codec.ts";
import type { HeadersInit } from "./http/http-headers.ts";
import type { BodyInit } from "./callouts/upstream.ts";

/** A request as a client sends it. */
export interface RequestInit {
  /**
   * What the client speaks; `HTTP/1.1` by default. Over `HTTP/2` nobody says how a body is framed, a body of one piece
   * comes to the filter with its end, and what breaks the protocol's rules ends the stream, which rejects.
   */
  readonly protocol?: HttpProtocol;
  /** `GET`, unless there is a body: `POST`. */
  readonly method?: string;
  /** Path and query, `/` by default. */
  readonly path?: string;
  /** `localhost` by default. */
  readonly authority?: string;
  /** `http` by default. */
  readonly scheme?: string;
  /** Headers beside those that the words above stand for. */
  readonly headers?: HeadersInit;
  /** The body; none by default. */
  readonly body?: BodyInit;
  /** The trailers; none by default. */
  readonly trailers?: HeadersInit;
}
