// One direction of an HTTP stream on its way through the filters: who has been asked, who holds it back, what is held.
// A port of the rules, not of the code, of Envoy's filter manager (source/common/http/filter_manager.cc).

import { Action, DataAction, HeadersAction } from "../../assembly/abi.ts";
import { Body } from "../http/body.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";

/** Which of the two messages of an exchange. */
export type Which = "request" | "response";

/** What a filter says to the parts of the two messages. */
export interface MessageFilter {
  headers(which: Which, headers: HeaderMap, endOfStream: boolean): HeadersAction;
  data(which: Which, data: Body, endOfStream: boolean): DataAction;
  trailers(which: Which, trailers: HeaderMap): Action;
  /** A METADATA frame of HTTP/2 with so many names. Nothing can be read of it, and it always goes on. */
  metadata(which: Which, count: number): void;
}

/** Where the parts of a message go. `data` may keep the body it is given. */
export interface Sink {
  headers(headers: HeaderMap, endOfStream: boolean): void;
  data(data: Body, endOfStream: boolean): void;
  trailers(trailers: HeaderMap): void;
  /** Absent where nobody looks at METADATA frames. */
  metadata?(entries: Metadata): void;
}

/** The client's side or the upstream's: receives a message, or learns that none will be completed. */
export interface Peer extends Sink {
  /** The message ends here, incomplete. */
  reset(reason: string): void;
  /** The stream cannot take more of what this peer sends (`true`), or can again. */
  watermark?(above: boolean): void;
  /**
   * What has come of the request comes once more, headers first: Envoy's router tries again, and the note says why. The
   * try before is over, with a response or a `reset`; what is still said in answer to it must not reach the stream.
   */
  again?(note: string): void;
}

/** What a METADATA frame of HTTP/2 holds. */
export type Metadata = readonly HeaderEntry[];

/** What the two directions tell the stream they belong to. */
export interface DirectionEvents {
  /** A callback of a filter begins and has returned. */
  entered(which: Which): void;
  left(which: Which): void;
  /** More is held back than the limit allows, and the filter that holds it wants it all. */
  overLimit(which: Which): void;
  /** So much is held back that reading should stop, or so little again that it may go on. */
  watermark(which: Which, above: boolean): void;
  /** What a filter has stopped, or has not, is to go on from it. */
  continued(which: Which): void;
  /** A filter continued headers that its running callback then lets go on as well. */
  continuedTwice(which: Which): void;
  /** What ends a message has gone on before, and something follows it. */
  endedTwice(which: Which): void;
}

/** Whether a filter lets things pass: all, all but what it holds, or nothing. */
type Iteration = "continue" | "stop" | "stop all and buffer" | "stop all and watermark";

/** How far a filter has got with the message. */
class Entry {
  readonly filter: MessageFilter;
  iteration: Iteration = "continue";
  /** Whether the headers have gone on from here. */
  headersContinued = false;
  /** Whether the filter was told that nothing more comes. */
  endOfStream = false;
  /** The metadata that came while it held everything. */
  metadata: Metadata[] | undefined;

  constructor(filter: MessageFilter) {
    this.filter = filter;
  }
}

/** One direction: parts of a message come in at one end, pass the filters in order, and go to a sink. */
export class Direction {
  /** The headers, once they have come in. */
  message: HeaderMap | undefined;
  /** The trailers, once they have come in or a filter has made them. */
  trailing: HeaderMap | undefined;
  /** What some filter holds back of the body. */
  held: Body | undefined;
  /** Whether everything has come in. */
  complete = false;
  /** Whether the sink has the whole message. */
  sent = false;
  /** Whether nothing more may pass: the stream is answered, reset or over. */
  aborted = false;

  readonly #entries: Entry[];
  readonly #sink: Sink;
  readonly #events: DirectionEvents;
  readonly #limit: number;
  readonly #which: Which;
  #aboveLimit = false;
  #trailersSent = false;
  /** Whether crossing the limit stops reading, and does not fail the stream. Envoy begins so. */
  #streaming = true;

  /** The filters stand in the order in which the message passes them; `limit` bytes are held before it counts. */
  constructor(which: Which, filters: readonly MessageFilter[], sink: Sink, events: DirectionEvents, limit: number) {
    this.#which = which;
    this.#entries = filters.map((filter) => new Entry(filter));
    this.#sink = sink;
    this.#events = events;
    this.#limit = limit;
  }

  /** The headers come in. */
  receiveHeaders(headers: HeaderMap, endOfStream: boolean): void {
    this.message = headers;
    this.complete = endOfStream;
    this.#headersFrom(0, endOfStream);
  }

  /** A piece of the body comes in. */
  receiveData(bytes: Uint8Array, endOfStream: boolean): void {
    this.complete ||= endOfStream;
    if (this.aborted) return;
    this.#dataFrom(0, new Body(bytes), endOfStream);
  }

  /** The trailers come in. */
  receiveTrailers(trailers: HeaderMap): void {
    this.complete = true;
    if (this.aborted) return;
    this.trailing = trailers;
    this.#trailersFrom(0);
  }

  /** A METADATA frame comes in. */
  receiveMetadata(entries: Metadata): void {
    if (this.aborted || !this.message) return;
    // Of a name that comes twice, Envoy keeps the first value.
    const first = new Map(entries.toReversed());
    this.#metadataFrom(0, [...first].toReversed());
  }

  /** Whether this filter holds the message back. */
  isHeldBy(filter: MessageFilter): boolean {
    return this.#entries.some((entry) => entry.filter === filter && entry.iteration !== "continue");
  }

  /** Whether any filter holds the message back. */
  get isHeld(): boolean {
    for (const entry of this.#entries) if (entry.iteration !== "continue") return true;
    return false;
  }

  /** Adds bytes to what is held. `streaming`, unless it stays as it was, says what happens at the limit. */
  hold(data: Body, streaming: boolean = this.#streaming): void {
    this.#streaming = streaming;
    if (data !== this.held) (this.held ??= new Body()).moveFrom(data);
    // Envoy decides once, when the limit is crossed; whoever adds more later adds to a stream that has stopped reading.
    if (this.held.length <= this.#limit || this.#aboveLimit) return;
    if (streaming) this.#setAboveLimit(true);
    else this.#events.overLimit(this.#which);
  }

  /** Lets the message go on from this filter. */
  continueFrom(filter: MessageFilter): void {
    if (this.aborted || !this.message) return;
    this.#events.continued(this.#which);
    const index = this.#entries.findIndex((entry) => entry.filter === filter);
    const entry = this.#entries[index]!;
    // A filter that held everything has not seen the body yet; one that held a part of it has.
    const next = isAll(entry.iteration) ? index : index + 1;
    entry.iteration = "continue";
    if (!entry.headersContinued) {
      entry.headersContinued = true;
      this.#headersFrom(index + 1, this.complete && !this.held && !this.trailing);
    }
    const metadata = entry.metadata ?? [];
    entry.metadata = undefined;
    for (const entries of metadata) this.#metadataFrom(next, entries);
    const trailing = this.trailing;
    if (this.held) this.#dataFrom(next, this.held, this.complete && !trailing);
    if (trailing) this.#trailersFrom(next);
  }

  #headersFrom(index: number, endOfStream: boolean): void {
    const headers = this.message!;
    for (let i = index; i < this.#entries.length; i++) {
      if (this.aborted) return;
      const entry = this.#entries[i]!;
      entry.endOfStream = endOfStream;
      this.#events.entered(this.#which);
      const action = entry.filter.headers(this.#which, headers, endOfStream);
      this.#events.left(this.#which);
      if (this.aborted && this.sent && action === HeadersAction.Continue) this.#events.continuedTwice(this.#which);
      if (this.aborted || !this.#afterHeaders(entry, action)) return;
    }
    if (this.aborted) return;
    this.sent = endOfStream;
    this.#sink.headers(headers, endOfStream);
  }

  #afterHeaders(entry: Entry, action: HeadersAction): boolean {
    switch (action) {
      case HeadersAction.Continue:
      case HeadersAction.ContinueAndEndStream:
        if (entry.headersContinued) this.#events.continuedTwice(this.#which);
        entry.headersContinued = true;
        return true;
      case HeadersAction.StopIteration:
        entry.iteration = "stop";
        return false;
      case HeadersAction.StopAllIterationAndBuffer:
        entry.iteration = "stop all and buffer";
        return false;
      case HeadersAction.StopAllIterationAndWatermark:
        entry.iteration = "stop all and watermark";
        return false;
    }
  }

  #dataFrom(index: number, data: Body, endOfStream: boolean): void {
    const hadTrailers = this.trailing !== undefined;
    let trailersMadeAt = -1;
    let i = index;
    for (; i < this.#entries.length; i++) {
      if (this.aborted) return;
      const entry = this.#entries[i]!;
      if (isAll(entry.iteration)) {
        this.hold(data, entry.iteration === "stop all and watermark");
        return;
      }
      if (entry.endOfStream) return;
      entry.endOfStream = endOfStream && !this.trailing;
      this.#events.entered(this.#which);
      const action = entry.filter.data(this.#which, data, entry.endOfStream);
      this.#events.left(this.#which);
      if (this.#isOver(action)) return;
      if (!hadTrailers && this.trailing && trailersMadeAt < 0) trailersMadeAt = i;
      if (this.#afterData(entry, action, data)) continue;
      // The trailers that a filter has made of a request overtake the body that it holds, as in Envoy.
      if (this.#which === "response") return;
      break;
    }
    if (i === this.#entries.length && !this.aborted) this.#release(data, endOfStream && !this.trailing);
    if (trailersMadeAt >= 0) this.#trailersFrom(trailersMadeAt + 1);
  }

  #afterData(entry: Entry, action: DataAction, data: Body): boolean {
    if (action === DataAction.Continue) {
      if (entry.iteration !== "stop") return true;
      this.hold(data);
      if (!this.aborted) this.continueFrom(entry.filter);
      return false;
    }
    entry.iteration = "stop";
    if (action !== DataAction.StopIterationNoBuffer) {
      this.hold(data, action === DataAction.StopIterationAndWatermark);
    } else if (entry.endOfStream && !this.held) {
      // So that there is something to end the message with when it goes on.
      this.held = new Body();
    }
    return false;
  }

  #trailersFrom(index: number): void {
    for (let i = index; i < this.#entries.length; i++) {
      if (this.aborted) return;
      const entry = this.#entries[i]!;
      if (isAll(entry.iteration)) return;
      entry.endOfStream = true;
      this.#events.entered(this.#which);
      const action = entry.filter.trailers(this.#which, this.trailing!);
      this.#events.left(this.#which);
      if (this.#isOver(action)) return;
      if (action !== Action.Continue) {
        entry.iteration = "stop";
        return;
      }
      if (entry.iteration === "stop") {
        this.continueFrom(entry.filter);
        return;
      }
    }
    if (this.aborted) return;
    if (this.#trailersSent) this.#events.endedTwice(this.#which);
    this.#trailersSent = true;
    this.sent = true;
    this.#sink.trailers(this.trailing!);
  }

  #metadataFrom(index: number, entries: Metadata): void {
    for (const entry of this.#entries.slice(index)) {
      if (this.aborted) return;
      if (isAll(entry.iteration)) {
        (entry.metadata ??= []).push(entries);
        return;
      }
      this.#events.entered(this.#which);
      entry.filter.metadata(this.#which, entries.length);
      this.#events.left(this.#which);
    }
    if (!this.aborted) this.#sink.metadata?.(entries);
  }

  /** Whether a callback leaves nothing to pass on. One that ended the message itself must not let it go on as well. */
  #isOver(action: DataAction | Action): boolean {
    if (this.aborted && this.sent && action === DataAction.Continue) this.#events.endedTwice(this.#which);
    return this.aborted;
  }

  /** Hands a piece of the body to the sink. */
  #release(data: Body, endOfStream: boolean): void {
    const out = new Body();
    out.moveFrom(data);
    // What was held stays behind as an empty body, as in Envoy: whoever continues once more sends its end once more.
    if (data === this.held) this.#setAboveLimit(false);
    if (!out.length && (!endOfStream || this.sent)) return;
    if (this.sent) this.#events.endedTwice(this.#which);
    this.sent = endOfStream;
    this.#sink.data(out, endOfStream);
  }

  #setAboveLimit(above: boolean): void {
    if (this.#aboveLimit === above) return;
    this.#aboveLimit = above;
    this.#events.watermark(this.#which, above);
  }
}

function isAll(iteration: Iteration): boolean {
  return iteration === "stop all and buffer" || iteration === "stop all and watermark";
}
