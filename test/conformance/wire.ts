// HTTP/1.1 as bytes: what a client or an upstream writes, what an Envoy's codec writes, and how a message reads on the
// other side. Strings are ByteStrings. The same parser reads what our host and what Envoy sent.

import { isUnframed } from "../../src/http/http1-codec.ts";
import type { HeaderEntry } from "../../src/http/header-map.ts";
import type { Message, Pieces } from "./scenario.ts";

/** The pieces that a message is sent in: its head with a body of known length, or chunk by chunk. */
export function serialize(
  start: string,
  headers: readonly HeaderEntry[],
  body: Pieces | undefined,
  trailers: readonly HeaderEntry[] | undefined,
): string[] {
  const framed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const chunked = typeof body === "object" || trailers !== undefined;
  const framing: HeaderEntry[] = [];
  if (chunked && !framed) framing.push(["transfer-encoding", "chunked"]);
  else if (body !== undefined && !framed) framing.push(["content-length", String(body.length)]);
  const head = `${start}\r\n${lines([...headers, ...framing])}\r\n`;
  if (!chunked) return [head + ((body as string | undefined) ?? "")];
  const pieces = typeof body === "object" ? body : [body ?? ""];
  const sent = pieces.filter((piece) => piece.length).map(chunk);
  return [head, ...sent, `0\r\n${lines(trailers ?? [])}\r\n`];
}

/** A piece of a body with its size in front. */
function chunk(bytes: string): string {
  return `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
}

/** Headers, one a line. */
export function lines(headers: readonly HeaderEntry[]): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

/** What is known of a message that is read. */
export interface Reading {
  /** Whether it is the answer to a HEAD request. */
  readonly toHead?: boolean;
  /** Whether no more bytes come. */
  readonly closed: boolean;
}

/** Reads the message that these bytes begin with, and says how many it takes; undefined when not even the head is there. */
export function parse(bytes: string, reading: Reading): { message: Message; length: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [start = "", ...headers] = bytes.slice(0, end).split("\r\n");
  const status = /^HTTP\/1\.1 (\S+)/.exec(start)?.[1];
  const chunked = headers.some((line) => /^transfer-encoding:.*chunked/i.test(line));
  const size = headers.map((line) => /^content-length: *(\d+)/i.exec(line)?.[1]).find((found) => found);
  // How a message was framed is not the filter's doing, but a length is.
  const head = [status ?? start, ...headers.filter((line) => !/^transfer-encoding: chunked$/i.test(line)).sort()];
  const rest = bytes.slice(end + 4);
  const finish = (body: string, length: number, complete: boolean, trailers: string[] = []) => ({
    message: {
      head,
      ...(body && { body: brief(body) }),
      ...(trailers.length && { trailers }),
      end: complete ? ("complete" as const) : reading.closed ? ("closed" as const) : ("open" as const),
    },
    length: end + 4 + length,
  });
  const bodiless = status !== undefined && (reading.toHead || /^(1..|204|304)$/.test(status));
  if (bodiless) return finish("", 0, true);
  if (chunked) {
    const read = readChunks(rest);
    return finish(read.body, read.length, read.complete, read.trailers);
  }
  if (size !== undefined) {
    const body = rest.slice(0, Number(size));
    return finish(body, body.length, body.length === Number(size));
  }
  if (status === undefined) return finish("", 0, true);
  return finish(rest, rest.length, reading.closed);
}

function readChunks(bytes: string): { body: string; length: number; complete: boolean; trailers: string[] } {
  let body = "";
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/i.exec(bytes.slice(at, at + 20));
    if (!line) return { body, length: bytes.length, complete: false, trailers: [] };
    const size = Number.parseInt(line[1]!, 16);
    const start = at + line[0].length;
    if (size) {
      body += bytes.slice(start, start + size);
      at = start + size + 2;
      continue;
    }
    const end = /^\r\n|\r\n\r\n/.exec(bytes.slice(start));
    if (!end) return { body, length: bytes.length, complete: false, trailers: [] };
    const trailers = bytes
      .slice(start, start + end.index)
      .split("\r\n")
      .filter(Boolean);
    return { body, length: start + end.index + end[0].length, complete: true, trailers };
  }
}

/** A long body by its beginning, its length and its end. */
export function brief(body: string): string {
  return body.length <= 200 ? body : `${body.slice(0, 20)}…(${body.length})…${body.slice(-20)}`;
}

/** Writes a message as Envoy's HTTP/1 codec does. */
export class Encoder {
  bytes = "";
  ended = false;
  /** Whether it is the answer to HEAD. */
  toHead = false;
  #chunked = false;

  head(start: string, headers: readonly HeaderEntry[], endOfStream: boolean): void {
    const known = headers.some(([name]) => name === "content-length");
    const status = /^HTTP\/1\.1 (\d+) /.exec(start)?.[1];
    this.#chunked = !known && !endOfStream && !this.toHead && !(status !== undefined && isUnframed(Number(status)));
    const framing: HeaderEntry[] = this.#chunked ? [["transfer-encoding", "chunked"]] : [];
    this.bytes += `${start}\r\n${lines([...headers, ...framing])}\r\n`;
    this.ended = endOfStream;
  }

  data(bytes: string, endOfStream: boolean): void {
    if (this.#chunked) this.bytes += (bytes.length ? chunk(bytes) : "") + (endOfStream ? "0\r\n\r\n" : "");
    else this.bytes += bytes;
    this.ended = endOfStream;
  }

  trailers(trailers: readonly HeaderEntry[]): void {
    if (this.#chunked) this.bytes += `0\r\n${lines(trailers)}\r\n`;
    this.ended = true;
  }
}

const masks: readonly (readonly [RegExp, string | ((match: string) => string)])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<id>"],
  [/\b(127\.0\.0\.1|localhost):\d+/g, "$1:<port>"],
  [/\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, "<date>"],
  [/(x-envoy-upstream-service-time(?:: |=))\d+/g, "$1<ms>"],
  // What is left of 15000, and of 1100, when a request is sent again.
  [/(x-envoy-expected-rq-timeout-ms(?:: |=))(?:14\d\d|10[1-9])\d\b/g, "$1<ms>"],
  // Many of the same are as good as their number.
  [/(\w)\1{99,}/g, (run: string) => `<${run[0]} ${run.length} times>`],
];

/** Puts words in place of what differs from run to run. */
export function mask<T>(value: T): T {
  const text = masks.reduce((all, [pattern, word]) => all.replace(pattern, word as string), JSON.stringify(value));
  return JSON.parse(text) as T;
}
