// What is kept of an exchange for whoever looks at it: the heads and bodies at every passage, and what the filters did.

import { bytesOf } from "../bytes.ts";
import type { HeaderEntry, HeaderMap } from "../header-map.ts";
import { Trace, type TraceEvent } from "../trace.ts";
import { Secrets } from "./mask.ts";
import type { Exchange, ExchangeObserver, Passage } from "./observer.ts";

/** Bytes of a body that are kept at each passage, and events of an exchange; what is beyond is only counted. */
const MOST_BYTES = 64 * 1024;
const MOST_EVENTS = 2000;

/** An event, and milliseconds from the beginning of the exchange to it. */
export interface TimedEvent {
  readonly at: number;
  readonly event: TraceEvent;
}

/** A message as it was at a passage. */
export class RecordedMessage {
  /** Names and values; ByteStrings. */
  readonly headers: readonly HeaderEntry[];
  trailers: readonly HeaderEntry[] = [];
  /** The bytes of the body, kept or not. */
  size = 0;
  readonly #chunks: Uint8Array[] = [];
  #kept = 0;

  constructor(headers: HeaderMap) {
    this.headers = [...headers.entries];
  }

  /** Adds a piece of the body. */
  add(bytes: Uint8Array): void {
    this.size += bytes.length;
    const room = MOST_BYTES - this.#kept;
    if (!bytes.length || room <= 0) return;
    const part = Uint8Array.from(bytes.subarray(0, room));
    this.#kept += part.length;
    this.#chunks.push(part);
  }

  /** What was kept of the body. */
  get body(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }

  /** Whether all of the body was kept. */
  get whole(): boolean {
    return this.#kept === this.size;
  }

  /** The first value of a header, or undefined. */
  get(name: string): string | undefined {
    return this.headers.find(([key]) => key === name)?.[1];
  }
}

/** Hears what becomes of a record. */
export interface RecordListener {
  /** Something happened; what a callback answered is known a moment later. */
  changed(record: ExchangeRecord): void;
  ended(record: ExchangeRecord): void;
}

/** An exchange, under way or over. */
export class ExchangeRecord implements ExchangeObserver {
  /** Its number, from 1. */
  readonly id: number;
  readonly startedAt: Date = new Date();
  readonly events: TimedEvent[] = [];
  /** How many events there were beyond those that are kept. */
  dropped = 0;
  readonly messages: Partial<Record<Passage, RecordedMessage>> = {};
  readonly trace: Trace = new Trace();
  /** What became of it, once it is over. */
  result: Exchange | undefined;
  readonly #listener: RecordListener;
  readonly #started = performance.now();

  constructor(id: number, listener: RecordListener) {
    this.id = id;
    this.#listener = listener;
    this.trace.listen((event) => this.#add(event));
  }

  headers(passage: Passage, headers: HeaderMap): void {
    this.messages[passage] = new RecordedMessage(headers);
    this.#listener.changed(this);
  }

  data(passage: Passage, bytes: Uint8Array): void {
    this.messages[passage]?.add(bytes);
  }

  trailers(passage: Passage, trailers: HeaderMap): void {
    const message = this.messages[passage];
    if (message) message.trailers = [...trailers.entries];
  }

  ended(exchange: Exchange): void {
    this.result = exchange;
    this.#listener.ended(this);
  }

  /** The credentials in its headers and in those of callouts. */
  get secrets(): Secrets {
    const secrets = new Secrets();
    const add = (headers: Iterable<readonly [string, string]>): void => {
      for (const [name, value] of headers) secrets.add(name, value);
    };
    for (const { headers, trailers } of Object.values(this.messages)) {
      add([...headers, ...trailers].map(([name, value]) => [readable(name), readable(value)]));
    }
    for (const { request, response } of this.trace.callouts) {
      add(request.headers);
      if (response) add([...response.headers, ...response.trailers]);
    }
    for (const { metadata } of this.trace.grpcCalls) add(metadata);
    return secrets;
  }

  /** `:method`, `:path` or another header of the request as it came in. */
  requested(name: string): string {
    return this.messages["request received"]?.get(name) ?? "";
  }

  #add(event: TraceEvent): void {
    if (this.events.length < MOST_EVENTS) this.events.push({ at: performance.now() - this.#started, event });
    else this.dropped++;
    this.#listener.changed(this);
  }
}

/** How a head changed between two passages: what is gone and what is new. A value that is another one is both. */
export interface HeaderChange {
  readonly kind: "removed" | "added";
  readonly name: string;
  readonly value: string;
}

/** What became of the headers of a message; nothing when it never came to one of the passages. */
export function headerChanges(before: RecordedMessage | undefined, after: RecordedMessage | undefined): HeaderChange[] {
  if (!before || !after) return [];
  const left = [...after.headers];
  const changes: HeaderChange[] = [];
  for (const [name, value] of before.headers) {
    const at = left.findIndex(([key, other]) => key === name && other === value);
    if (at < 0) changes.push({ kind: "removed", name, value });
    else left.splice(at, 1);
  }
  for (const [name, value] of left) changes.push({ kind: "added", name, value });
  return changes.filter(({ name }) => !proxyHeaders.has(name));
}

/** What the proxy writes into every message, whatever the filters do. */
const proxyHeaders: ReadonlySet<string> = new Set([
  "connection",
  "date",
  "server",
  "transfer-encoding",
  "x-envoy-expected-rq-timeout-ms",
]);

/** Text for people, of a ByteString: as UTF-8 where it is some. */
export function readable(text: string): string {
  return new TextDecoder().decode(bytesOf(text));
}
