// The pieces of a body over HTTP/2. The frame that brings the last one says so, as a filter sees; Node tells of it a moment
// later.

/** Hears of a body. */
export interface PieceListener {
  /** A piece; `last` when nothing follows. */
  data(chunk: Uint8Array, last: boolean): void;
  /** The end that came by itself. */
  end(): void;
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
