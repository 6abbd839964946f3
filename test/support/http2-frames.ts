// HTTP/2 by hand, frame by frame, for what node:http2 does not send: METADATA frames, and headers that are none.
// Source: RFC 9113, RFC 7541; Envoy source/common/http/http2/codec_impl.cc and metadata_encoder.cc.

import { connect, createServer, type Server, type Socket } from "node:net";

import { headerBlock } from "./hpack.ts";

/** The types of frames. */
export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
  metadata: 0x4d,
} as const;

const END_STREAM = 1;
/** The same bit for the last frame of a METADATA block. */
const END_HEADERS = 4;
const ACK = 1;
/** What a client sends first. */
export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Bytes that the other side may send before it waits, of a stream and of the connection. */
const WINDOW = 0x1000000;
/** SETTINGS_ENABLE_METADATA, 1; SETTINGS_INITIAL_WINDOW_SIZE. */
const settings = Buffer.from(`4d4400000001${"0004"}${WINDOW.toString(16).padStart(8, "0")}`, "hex");
/** The most that a frame may hold. */
const FRAME_BYTES = 16384;

/** A frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One end of a connection. */
export class Http2Peer {
  readonly #socket: Socket;
  readonly #onFrame: (frame: Frame, peer: Http2Peer) => unknown;
  #bytes: Buffer;

  /** `skipped` bytes come before the first frame. */
  constructor(socket: Socket, skipped: number, onFrame: (frame: Frame, peer: Http2Peer) => unknown) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    this.#bytes = Buffer.alloc(0);
    let left = skipped;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const from = Math.min(left, chunk.length);
      left -= from;
      this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(from)]);
      this.#read();
    });
    this.#send(frameTypes.settings, 0, 0, settings);
    this.#send(frameTypes.windowUpdate, 0, 0, Buffer.from(WINDOW.toString(16).padStart(8, "0"), "hex"));
  }

  /** Sends headers, or trailers. */
  headers(stream: number, entries: readonly (readonly [string, string])[], end: boolean): void {
    const [first, ...more] = pieces(headerBlock(entries));
    const last = more.pop();
    this.#send(frameTypes.headers, (last ? 0 : END_HEADERS) | (end ? END_STREAM : 0), stream, first!);
    for (const piece of more) this.#send(frameTypes.continuation, 0, stream, piece);
    if (last) this.#send(frameTypes.continuation, END_HEADERS, stream, last);
  }

  /** Sends a piece of a body, a ByteString. */
  data(stream: number, text: string, end: boolean): void {
    const all = pieces(Buffer.from(text, "latin1"));
    const last = all.pop()!;
    for (const piece of all) this.#send(frameTypes.data, 0, stream, piece);
    this.#send(frameTypes.data, end ? END_STREAM : 0, stream, last);
  }

  reset(stream: number, code: number): void {
    this.#send(frameTypes.reset, 0, stream, Buffer.of(0, 0, 0, code));
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.end();
  }

  /** Breaks the connection. */
  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  metadata(stream: number, entries: readonly (readonly [string, string])[]): void {
    this.#send(frameTypes.metadata, END_HEADERS, stream, headerBlock(entries));
  }

  #read(): void {
    while (this.#bytes.length >= 9) {
      const size = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + size) return;
      const [type, flags] = [this.#bytes[3]!, this.#bytes[4]!];
      const frame = { type, flags, stream: this.#bytes.readUInt32BE(5), payload: this.#bytes.subarray(9, 9 + size) };
      this.#bytes = this.#bytes.subarray(9 + size);
      if (type === frameTypes.settings && !(flags & ACK)) this.#send(type, ACK, 0, Buffer.alloc(0));
      this.#onFrame(frame, this);
    }
  }

  #send(type: number, flags: number, stream: number, payload: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(frameBytes({ type, flags, stream, payload }));
  }
}

/** Bytes in pieces that fit in frames; one piece when there are none. */
function pieces(bytes: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / FRAME_BYTES));
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES));
}

/** A frame as it is sent. */
export function frameBytes({ type, flags, stream, payload }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The head of a GET on stream 1, with which it ends. */
export function getFrame(path: string): Buffer {
  const pseudo = { ":method": "GET", ":path": path, ":scheme": "http", ":authority": "a" };
  const payload = headerBlock(Object.entries(pseudo));
  return frameBytes({ type: frameTypes.headers, flags: END_HEADERS | END_STREAM, stream: 1, payload });
}

/** Whether a frame ends its stream. */
export function ends({ type, flags }: Frame): boolean {
  return type === frameTypes.reset || (type <= frameTypes.headers && (flags & END_STREAM) !== 0);
}

/** Opens a connection, lets `use` send over it, and gives the frames of stream 1 up to the last one, or after a time. */
export function http2Exchange(
  port: number,
  use: (peer: Http2Peer) => unknown,
  isLast: (frame: Frame) => boolean = ends,
): Promise<Frame[]> {
  const frames: Frame[] = [];
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(preface);
      const peer = new Http2Peer(socket, 0, (frame) => {
        if (frame.stream !== 1) return;
        frames.push(frame);
        if (isLast(frame)) finish();
      });
      use(peer);
    });
    const patience = setTimeout(finish, 10_000);
    function finish(): void {
      clearTimeout(patience);
      socket.destroy();
      resolve(frames);
    }
    socket.on("error", finish);
    socket.on("close", finish);
  });
}

/** What a server may do with a request instead of answering all of it; `answers` says whether a head goes before. */
export const http2Faults: readonly (readonly [
  what: string,
  answers: boolean,
  fault: (peer: Http2Peer, stream: number) => void,
])[] = [
  ["resets it with NO_ERROR", false, (peer, stream) => peer.reset(stream, 0)],
  ["resets it with INTERNAL_ERROR", false, (peer, stream) => peer.reset(stream, 2)],
  ["resets it with REFUSED_STREAM", false, (peer, stream) => peer.reset(stream, 7)],
  ["resets it with CANCEL", false, (peer, stream) => peer.reset(stream, 8)],
  ["closes the connection", false, (peer) => peer.close()],
  ["breaks the connection", false, (peer) => peer.destroy()],
  ["resets its answer with NO_ERROR", true, (peer, stream) => half(peer, stream).reset(stream, 0)],
  ["resets its answer with INTERNAL_ERROR", true, (peer, stream) => half(peer, stream).reset(stream, 2)],
  ["resets its answer with CANCEL", true, (peer, stream) => half(peer, stream).reset(stream, 8)],
  ["closes the connection in its answer", true, (peer, stream) => half(peer, stream).close()],
];

function half(peer: Http2Peer, stream: number): Http2Peer {
  peer.headers(stream, [[":status", "200"]], false);
  peer.data(stream, "half", false);
  return peer;
}

/** A server that hands every frame to a function. */
export function http2Server(onFrame: (frame: Frame, peer: Http2Peer) => unknown): Promise<Server> {
  const server = createServer((socket) => void new Http2Peer(socket, preface.length, onFrame));
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
