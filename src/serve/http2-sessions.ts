// Connections over HTTP/2 to servers, one for each, made when the first stream needs it and again when it has gone.

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

import { asTheyAre } from "./node-headers.ts";
import { watchEnd } from "./pieces.ts";

/** The connections that stand. */
export class Http2Sessions {
  readonly #sessions = new Map<string, ClientHttp2Session>();

  /** The connection to the server of this URL. A stream on it says why when it cannot be had. */
  to(url: URL): ClientHttp2Session {
    // The scheme h2c is no scheme of HTTP's own.
    const origin = `${url.protocol === "https:" ? "https" : "http"}://${url.host}`;
    const known = this.#sessions.get(origin);
    if (known && !known.closed && !known.destroyed) return known;
    const session = connect(origin, asTheyAre);
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

/**
 * Follows the answer on a stream; `broken` hears once why nothing of it came, or not all. Gives what `watchEnd` does.
 *
 * Node calls a reset no error when its code is CANCEL or NO_ERROR.
 */
export function followAnswer(stream: ClientHttp2Stream, broken: (error: NodeJS.ErrnoException) => void): () => boolean {
  const { session } = stream;
  const isWhole = watchEnd(stream);
  let isOver = false;
  const fail = (error: NodeJS.ErrnoException): void => {
    if (!isOver) broken(error);
    isOver = true;
  };
  stream.on("end", () => (isOver ||= isWhole()));
  stream.on("error", (error) => fail(reasonOf(error)));
  stream.on("close", () => fail(session?.destroyed === false ? wasReset() : new Error("it closed the connection")));
  return isWhole;
}

function wasReset(): NodeJS.ErrnoException {
  return Object.assign(new Error("it reset the stream"), { code: "ERR_HTTP2_STREAM_ERROR" });
}

/** Why a stream could not be had: the reason of its connection, where that is the one. */
export function reasonOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  return error.code === "ERR_HTTP2_STREAM_CANCEL" && error.cause instanceof Error ? error.cause : error;
}
