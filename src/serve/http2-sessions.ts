// Connections over HTTP/2 to servers, one for each, made when the first stream needs it and again when it has gone.

import { type ClientHttp2Session, connect } from "node:http2";

/** The connections that stand. */
export class Http2Sessions {
  readonly #sessions = new Map<string, ClientHttp2Session>();

  /** The connection to the server of this URL. A stream on it says why when it cannot be had. */
  to(url: URL): ClientHttp2Session {
    // The scheme h2c is no scheme of HTTP's own.
    const origin = `${url.protocol === "https:" ? "https" : "http"}://${url.host}`;
    const known = this.#sessions.get(origin);
    if (known && !known.closed && !known.destroyed) return known;
    const session = connect(origin);
    this.#sessions.set(origin, session);
    const forget = (): void => {
      if (this.#sessions.get(origin) === session) this.#sessions.delete(origin);
    };
    session.on("error", forget).on("close", forget).on("goaway", forget);
    // A connection that waits for work keeps no process alive.
    session.unref();
    return session;
  }

  /** Closes them. */
  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
  }
}

/** Why a stream could not be had: the reason of its connection, where that is the one. */
export function reasonOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  return error.code === "ERR_HTTP2_STREAM_CANCEL" && error.cause instanceof Error ? error.cause : error;
}
