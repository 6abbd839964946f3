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
  /**
   * `GET`, unless there is a body: `POST`. Over `HTTP/1.1` one that Envoy's parser knows; others are answered 400, and so
   * is `QUERY` without a `content-type`.
   */
  readonly method?: string;
  /**
   * Path and query, `/` by default. Over `HTTP/1.1` it may be a whole URL, `http://a.test/b?c`, as a client asks a proxy:
   * its scheme and host count, whatever `scheme`, `authority` and `host` say. For `OPTIONS` it may be `*`, for `CONNECT` it
   * is the host and port, `a.test:443`; `authority` says that as well.
   */
  readonly path?: string;
  /** The host, with a port or without; `localhost` by default. For `CONNECT` host and port, which `path` says as well. */
  readonly authority?: string;
  /** The scheme of the client's connection: `http` by default, `https` for TLS. */
  readonly scheme?: string;
  /** Headers beside those that the words above stand for. */
  readonly headers?: HeadersInit;
  /** The body; none by default. */
  readonly body?: BodyInit;
  /** The trailers; none by default. */
  readonly trailers?: HeadersInit;
}
