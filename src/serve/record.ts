// What is kept of an exchange for whoever looks at it: the heads and bodies at every passage, and what the filters did.

import { decodeText } from "../encoding/bytes.ts";
import type { Callout } from "../callouts/callouts.ts";
import type { GrpcCallout } from "../callouts/grpc.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";
import { headerEntries } from "../http/http-headers.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import { sizeOf, Trace, type TraceEvent } from "../trace.ts";
import { Secrets } from "./mask.ts";
import type { Exchange, ExchangeObserver, Passage } from "./observer.ts";
import { RecordedCallout, RecordedGrpcCall, Room } from "./recorded-calls.ts";
import { RecordedMessage } from "./recorded-message.ts";

/** Events of an exchange that are kept, and calls of its filters; what is beyond is only counted. */
const MOST_EVENTS = 2000;
const MOST_CALLS = 1000;

/** The latest events, and how long the text of one of those may be. */
const MOST_LATEST = 16;
const LONGEST_LATEST = 16 * 1024;

/** Bytes that are kept of the texts of its events, and of its callouts. */
const MOST_BYTES = 256 * 1024;

/** An event, and milliseconds from the beginning of the exchange to it. */
export interface TimedEvent {
  readonly at: number;
  readonly event: TraceEvent;
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
  /** The calls that the filters made, the oldest first. */
  readonly callouts: RecordedCallout[] = [];
  readonly grpcCalls: RecordedGrpcCall[] = [];
  /** How many calls there were beyond those that are kept. */
  droppedCalls = 0;
  /** It has the latest events only, which stand in the report when a filter stops. */
  readonly trace: Trace = new Trace(MOST_BYTES, MOST_LATEST);
  /** The credentials in its headers and in those of callouts. */
  readonly secrets: Secrets = new Secrets();
  /** How the upstream failed, or undefined. */
  upstreamFailure: UpstreamFailure | undefined;
  /** What became of it, once it is over. */
  result: Exchange | undefined;
  readonly #listener: RecordListener;
  readonly #started = performance.now();
  readonly #roomForTexts = new Room(MOST_BYTES);
  readonly #roomForCalls = new Room(MOST_BYTES);

  constructor(id: number, listener: RecordListener) {
    this.id = id;
    this.#listener = listener;
    const keep = this.trace.push.bind(this.trace);
    this.trace.push = (event) => {
      if (sizeOf(event) <= LONGEST_LATEST) keep(event);
      this.#add(event);
    };
    this.trace.addCallout = (callout) => this.#addCallout(callout);
    this.trace.addGrpcCall = (call) => this.#addGrpcCall(call);
  }

  headers(passage: Passage, { entries }: HeaderMap): void {
    if (passage === "request sent") this.#forgetTry();
    this.messages[passage] = new RecordedMessage(entries);
    this.#learn(entries);
    this.#listener.changed(this);
  }

  data(passage: Passage, bytes: Uint8Array): void {
    this.messages[passage]?.add(bytes);
  }

  trailers(passage: Passage, { entries }: HeaderMap): void {
    const message = this.messages[passage];
    if (message) message.trailers = [...entries];
    this.#learn(entries);
  }

  upstreamFailed(reason: UpstreamFailure): void {
    this.upstreamFailure ??= reason;
  }

  ended(exchange: Exchange): void {
    this.result = exchange;
    this.#listener.ended(this);
  }

  /** Whether all of its callouts were kept. */
  get hasAllCallouts(): boolean {
    return !this.droppedCalls && this.callouts.every(({ whole }) => whole);
  }

  /** `:method`, `:path` or another header of the request as it came in. */
  requested(name: string): string {
    return this.messages["request received"]?.get(name) ?? "";
  }

  /** What came of the request when it was sent before goes nowhere. */
  #forgetTry(): void {
    delete this.messages["response received"];
    this.upstreamFailure = undefined;
  }

  #learn(entries: Iterable<HeaderEntry>): void {
    for (const [name, value] of entries) this.secrets.add(decodeText(name), decodeText(value));
  }

  #add(event: TraceEvent): void {
    const isKept = this.events.length < MOST_EVENTS && this.#roomForTexts.take(sizeOf(event));
    if (isKept) this.events.push({ at: performance.now() - this.#started, event });
    else this.dropped++;
    this.#listener.changed(this);
  }

  #addCallout(callout: Callout): void {
    const { headers, signal } = callout.request;
    this.#learn(headerEntries(headers));
    const isKept = this.callouts.length < MOST_CALLS;
    const recorded = isKept ? new RecordedCallout(callout, this.#roomForCalls) : undefined;
    if (recorded) this.callouts.push(recorded);
    else this.droppedCalls++;
    whenOver(signal, () => {
      const { response } = callout;
      if (response) this.#learn([...headerEntries(response.headers), ...headerEntries(response.trailers)]);
      recorded?.end(callout, this.#roomForCalls);
    });
  }

  #addGrpcCall(call: GrpcCallout): void {
    this.#learn(headerEntries(call.metadata));
    const recorded = this.grpcCalls.length < MOST_CALLS ? new RecordedGrpcCall(call) : undefined;
    if (recorded) this.grpcCalls.push(recorded);
    else this.droppedCalls++;
    whenOver(call.signal, () => recorded?.end(call));
  }
}

/** A call may be over from the first. */
function whenOver(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action();
  else signal.addEventListener("abort", action);
}
