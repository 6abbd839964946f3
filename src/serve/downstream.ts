// The client's end of an exchange over real HTTP, and what it has in common in every version of it.

import type { Socket } from "node:net";

import type { RequestHead } from "../http/codec.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";
import type { FlowControl } from "./valve.ts";

/** Hears of what follows the head of a request. */
export interface RequestListener {
  /** A piece of the body; `last` when nothing follows, and `end` does not come. */
  data(chunk: Uint8Array, last: boolean): void;
  /** The end by itself, with the trailers if there are any. */
  end(trailers: readonly HeaderEntry[]): void;
  /** The client can take more. */
  drain(): void;
  /** The exchange is over on the wire, complete or not; `connection` when it is because the connection has ended. */
  close(connection: boolean): void;
}

/** A client that has sent the head of a request. */
export interface Downstream {
  readonly socket: Socket;
  /** As `request.protocol` has it. */
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2";
  readonly head: RequestHead;
  /** Whether nothing follows the head. */
  readonly empty: boolean;
  /** Stops and starts what the client sends. */
  readonly flow: FlowControl;
  /** Whether the head of a response has been sent. */
  readonly answered: boolean;
  /** Says who hears of the rest. */
  listen(listener: RequestListener): void;
  /** Sends the head of the response. */
  headers(headers: HeaderMap, endOfStream: boolean): void;
  /** Sends a piece of the body; false when it is to be the last until `drain`. */
  data(bytes: Uint8Array, endOfStream: boolean): boolean;
  /** Ends the response with trailers. */
  trailers(trailers: HeaderMap): void;
  /** Breaks the response off. */
  destroy(): void;
}
