// HTTP/2 on the wire, by hand, so that anything can be sent: a client and an upstream for live.ts. What a stream says is
// read into a message, from frames here, or from what our host hands over.

import { connect, type Socket } from "node:net";

import type { HeaderEntry } from "../../src/http/header-map.ts";
import { HeaderReader } from "../support/hpack.ts";
import { type Frame, frameTypes, Http2Peer, preface } from "../support/http2-frames.ts";
import { GAP, type Message, PATIENCE, type Request, type Response } from "./scenario.ts";
import { brief, lines } from "./wire.ts";

/** Collects what comes over a stream. */
export class Http2Message {
  ended = false;
  reset: string | undefined;
  #head: readonly HeaderEntry[] | undefined;
  #body = "";
  #trailers: readonly HeaderEntry[] | undefined;

  headers(entries: readonly HeaderEntry[], end: boolean): void {
    const isInterim = this.#head?.some(([name, value]) => name === ":status" && value.startsWith("1"));
    if (this.#head && !isInterim) this.#trailers = entries;
    else this.#head = entries;
    this.ended ||= end;
  }

  data(bytes: string, end: boolean): void {
    this.#body += bytes;
    this.ended ||= end;
  }

  /** Nothing has come. */
  forget(): void {
    this.#head = undefined;
  }

  /** What has come; `closed` says that nothing more can. */
  message(closed: boolean): Message | undefined {
    if (!this.#head && !this.reset) return undefined;
    const head = this.#head ?? [];
    const pseudo = (name: string): string => head.find(([key]) => key === name)?.[1] ?? "";
    const status = pseudo(":status");
    const isRequest = head.length > 0 && !status;
    const first = isRequest ? [`${pseudo(":method")} ${pseudo(":path")} HTTP/2`] : status ? [status] : [];
    const rest = head.filter(([name]) => !/^:(method|path|status)$/.test(name));
    return {
      head: [...first, ...list(rest)],
      ...(this.#body && { body: brief(this.#body) }),
      ...(this.#trailers && { trailers: list(this.#trailers) }),
      end: this.ended ? "complete" : closed || this.reset ? "closed" : "open",
      ...(this.reset && { reset: this.reset }),
    };
  }
}

function list(entries: readonly HeaderEntry[]): string[] {
  return lines(entries).split("\r\n").filter(Boolean).sort();
}

/** Reads the streams of a connection. */
class Streams {
  readonly all = new Map<number, Http2Message>();
  readonly #reader = new HeaderReader();
  #block: Buffer[] = [];
  #ends = false;

  /** The stream that the frame belongs to. */
  read({ type, flags, stream, payload }: Frame): Http2Message | undefined {
    if (!stream) return undefined;
    const message = this.all.get(stream) ?? new Http2Message();
    this.all.set(stream, message);
    if (type === frameTypes.data) message.data(unpadded(flags, payload).toString("latin1"), (flags & END_STREAM) !== 0);
    if (type === frameTypes.reset) message.reset = codes[payload.readUInt32BE(0)];
    if (type === frameTypes.headers) {
      this.#block = [unpadded(flags, payload).subarray(flags & PRIORITY ? 5 : 0)];
      this.#ends = (flags & END_STREAM) !== 0;
    } else if (type === frameTypes.continuation) {
      this.#block.push(payload);
    } else {
      return message;
    }
    if (flags & END_HEADERS) message.headers(this.#reader.read(Buffer.concat(this.#block)), this.#ends);
    return message;
  }
}

const [END_STREAM, END_HEADERS, PADDED, PRIORITY] = [1, 4, 8, 0x20];
/** RFC 9113, section 7. */
const codes: Readonly<Record<number, string>> = Object.fromEntries(
  (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR " +
    "REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
  )
    .split(" ")
    .map((name, code) => [code, name]),
);
const CANCEL = 8;

function unpadded(flags: number, payload: Buffer): Buffer {
  return flags & PADDED ? payload.subarray(1, payload.length - payload[0]!) : payload;
}

/** The head of a request as HTTP/2 sends it. */
export function requestEntries({ method, path = "/", headers = [], body, pseudo, trailers }: Request): HeaderEntry[] {
  const usual: HeaderEntry[] = [
    [":method", method ?? (body === undefined ? "GET" : "POST")],
    [":scheme", "http"],
    [":authority", "h.test"],
    [":path", path],
  ];
  return [...(pseudo ?? usual), ...headers, ...lengthOf(headers, body, trailers)];
}

/** The head of a response, likewise. */
export function responseEntries({ status = 200, headers = [], body, pseudo, trailers }: Response): HeaderEntry[] {
  return [...(pseudo ?? [[":status", String(status)] as const]), ...headers, ...lengthOf(headers, body, trailers)];
}

/** A text says how long it is, as with HTTP/1. */
function lengthOf(
  headers: readonly HeaderEntry[],
  body: Request["body"],
  trailers: readonly HeaderEntry[] | undefined,
): HeaderEntry[] {
  const isSaid = headers.some(([name]) => /^content-length$/i.test(name));
  return typeof body === "string" && !trailers && !isSaid ? [["content-length", String(body.length)]] : [];
}

/** Sends the parts of a message that follow its head. */
export interface Rest {
  data(bytes: string, end: boolean): void;
  trailers(entries: readonly HeaderEntry[]): void;
}

/** A part of a message: after how many milliseconds it is sent, and what. */
type Part = readonly [after: number, send: () => void];

/** What follows the head, part by part; the last ends the stream, unless it is to fail. */
export function restOf({ body, trailers, fails }: Pick<Response, "body" | "trailers" | "fails">, rest: Rest): Part[] {
  const pieces = typeof body === "object" ? body : body === undefined ? [] : [body];
  const last = trailers || fails ? -1 : pieces.length - 1;
  const parts = pieces.map((piece, i): Part => {
    const after = typeof body === "object" ? GAP * (i + 1) : 0;
    return [after, () => rest.data(piece, i === last)];
  });
  if (trailers && !fails) parts.push([GAP * (pieces.length + 1), () => rest.trailers(trailers)]);
  return parts;
}

function restTo(peer: Http2Peer, stream: number): Rest {
  return {
    data: (bytes, end) => peer.data(stream, bytes, end),
    trailers: (entries) => peer.headers(stream, entries, true),
  };
}

/** Whether a message is its head alone. */
export function isHeadOnly({ body, trailers }: Pick<Response, "body" | "trailers">): boolean {
  return body === undefined && trailers === undefined;
}

/** Sends a request, and gives what comes back. */
export function http2Request(port: number, request: Request): Promise<Message | "closed" | "open"> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    const streams = new Streams();
    const timers: NodeJS.Timeout[] = [];
    const finish = (closed: boolean): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
      done(streams.all.get(1)?.message(closed) ?? (closed ? "closed" : "open"));
    };
    socket.write(preface);
    const peer = new Http2Peer(socket, 0, (frame) => {
      const stream = streams.read(frame);
      // What follows a complete answer is part of the picture.
      if (stream?.ended || stream?.reset) timers.push(setTimeout(() => finish(false), GAP * 2));
    });
    peer.headers(1, requestEntries(request), isHeadOnly(request));
    const parts = restOf(request, restTo(peer, 1));
    for (const [after, send] of parts) timers.push(setTimeout(send, after));
    if (request.resets !== undefined) timers.push(setTimeout(() => peer.reset(1, CANCEL), request.resets));
    const last = parts.at(-1)?.[0] ?? 0;
    timers.push(setTimeout(() => finish(false), request.leaves ?? PATIENCE + last));
    socket.on("close", () => finish(true));
  });
}

/** An upstream's connection: answers each request with the next response, and gives what has come. */
export function http2Upstream(socket: Socket, next: () => Response): () => Message[] {
  const streams = new Streams();
  const responses = new Map<number, Response>();
  const answered = new Set<number>();
  let closed = false;
  socket.setNoDelay(true).on("close", () => (closed = true));
  const onFrame = (frame: Frame, peer: Http2Peer): void => {
    const stream = streams.read(frame);
    if (!stream) return;
    const response = responses.get(frame.stream) ?? next();
    responses.set(frame.stream, response);
    if (answered.has(frame.stream) || !(stream.ended || response.early)) return;
    answered.add(frame.stream);
    answer(peer, frame.stream, response);
  };
  void new Http2Peer(socket, preface.length, onFrame);
  return () => [...streams.all.values()].flatMap((stream) => withoutReset(stream.message(closed)));
}

/** A request, whatever the upstream was told when it was over. */
export function withoutReset(message: Message | undefined): Message[] {
  if (!message) return [];
  const { reset: _reset, ...rest } = message;
  return [rest];
}

function answer(peer: Http2Peer, stream: number, response: Response): void {
  const { fails, after = 5, interim, code } = response;
  const parts: Part[] = [];
  if (interim !== undefined) parts.push([0, () => peer.headers(stream, [[":status", String(interim)]], false)]);
  if (fails !== "before the head") {
    parts.push([0, () => peer.headers(stream, responseEntries(response), isHeadOnly(response) && !fails)]);
    parts.push(...restOf(response, restTo(peer, stream)));
  }
  const last = parts.at(-1)?.[0] ?? -GAP;
  if (fails) parts.push([last + GAP, () => (code === undefined ? peer.destroy() : peer.reset(stream, code))]);
  for (const [at, send] of parts) setTimeout(send, after + at);
}
