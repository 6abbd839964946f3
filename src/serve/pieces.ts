// The pieces of a body over HTTP/2. The frame that brings the last one says so, as a filter sees; Node tells of it a moment
// later.

import type { ClientHttp2Stream, ServerHttp2Stream } from "node:http2";

/** Hears of a body. */
export interface PieceListener {
  /** A piece; `last` when nothing follows. */
  data(chunk: Uint8Array, last: boolean): void;
  /** The end that came by itself. */
  end(): void;
}

/** A stream of HTTP/2, of either side. */
type Http2Stream = ClientHttp2Stream | ServerHttp2Stream;

/**
 * Gives a function that says at the end of a body whether it is the one that the other side has sent: Node ends the body of
 * a stream that was broken off as if all of it had come.
 */
export function watchEnd(stream: Http2Stream): () => boolean {
  // A stream is heard of a moment after its first frames have come.
  let isWhole = !stream.closed && stream.state.remoteClose === 1;
  const push = stream.push.bind(stream);
  // The end that was sent comes before the stream is closed; the one that Node makes up comes after.
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed && !stream.aborted) isWhole = true;
    return push(chunk, encoding);
  };
  return () => isWhole;
}

/** Hands on what is read, each piece when it is clear whether it is the last. `follows` says whether something follows it. */
export function readPieces(stream: NodeJS.ReadableStream, follows: () => boolean, listener: PieceListener): void {
  let held: Uint8Array | undefined;
  let soon: NodeJS.Immediate | undefined;
  const release = (last: boolean): boolean => {
    clearImmediate(soon);
    soon = undefined;
    const piece = held;
    held = undefined;
    if (piece) listener.data(piece, last);
    return piece !== undefined;
  };
  stream.on("data", (chunk: Buffer) => {
    release(false);
    held = chunk;
    soon = setImmediate(() => release(false));
  });
  stream.on("end", () => {
    const isLast = !follows();
    if (!release(isLast) || !isLast) listener.end();
  });
  // Whoever hears that it was broken off has heard of what came before.
  for (const event of ["error", "close"]) stream.prependListener(event, () => release(false));
}
