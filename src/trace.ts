// What happened between the proxy and the filter, in order: for tests that fail, for `serve --trace`, for a reader.

import { LogLevel, Status } from "../assembly/abi.ts";
import type { Callout } from "./callouts/callouts.ts";
import type { GrpcCallout } from "./callouts/grpc.ts";
import { envoyLimits } from "./limits.ts";

/** One thing that happened. */
export type TraceEvent = (
  | {
      /** The proxy called the filter. */
      readonly kind: "callback";
      /** The export, such as `proxy_on_request_headers`. */
      readonly name: string;
      /** What it was given. */
      readonly args: readonly number[];
      /** What it answered; undefined while it runs, when it answers nothing, and when the filter stopped in it. */
      result?: number | undefined;
    }
  | {
      /** The filter called the proxy. */
      readonly kind: "call";
      /** The host call, such as `proxy_get_property`. */
      readonly name: string;
      /** What the proxy answered. */
      readonly status: Status;
      /** Why the status is not Ok, and what would have been right. */
      readonly reason: string | undefined;
    }
  | {
      /** The filter logged a line. */
      readonly kind: "log";
      /** The line's level. */
      readonly level: LogLevel;
      /** Its text. */
      readonly message: string;
    }
  | {
      /** Something happened that is no call, such as the end of a callout. */
      readonly kind: "note";
      /** What it was. */
      readonly text: string;
    }
) & {
  /** The name of the filter, where there are several in a chain. */
  filter?: string;
};

/** The most events that a trace keeps; beyond it the older half goes. A root context ticks for as long as it lives. */
const MOST_EVENTS = 10_000;
const MOST_CALLOUTS = 1000;

/** Events in order, the last ones when there are very many. */
export class Trace {
  /** The HTTP callouts that were sent, oldest first. */
  readonly callouts: Callout[] = [];

  /** The gRPC calls and streams that were begun, oldest first. */
  readonly grpcCalls: GrpcCallout[] = [];
  readonly #mostBytes: number;
  readonly #mostEvents: number;
  // Only added to: whoever has it keeps what stood in it.
  #events: TraceEvent[] = [];
  #forgotten = 0;
  #listener: ((event: TraceEvent) => void) | undefined;
  /** The characters of its events. */
  #size = 0;
  /** The bytes that its callouts hold. */
  #held = 0;

  /** Keeps so many characters of events and bytes of callouts, and so many events. */
  constructor(mostBytes: number = envoyLimits.traceBytes, mostEvents: number = MOST_EVENTS) {
    this.#mostBytes = mostBytes;
    this.#mostEvents = mostEvents;
  }

  /** What happened, the oldest first. */
  get events(): readonly TraceEvent[] {
    return this.#events;
  }

  /** How many events there were, those that are forgotten included. @internal */
  get count(): number {
    return this.#forgotten + this.#events.length;
  }

  /** Adds an event. */
  push(event: TraceEvent): void {
    this.#size += sizeOf(event);
    if (this.#events.push(event) > this.#mostEvents || this.#size > this.#mostBytes) this.#forget();
    this.#listener?.(event);
  }

  /** Leaves the newer half of the events, or what there is room for, and the last one in any case. */
  #forget(): void {
    do {
      const older = Math.ceil((this.#events.length - 1) / 2);
      this.#forgotten += older;
      this.#events = this.#events.slice(older);
      this.#size = this.#events.reduce((sum, event) => sum + sizeOf(event), 0);
    } while (this.#size > this.#mostBytes && this.#events.length > 1);
  }

  /** Says who hears of events to come. What a callback answers stands in its event when it has returned. @internal */
  listen(listener: (event: TraceEvent) => void): void {
    this.#listener = listener;
  }

  /** A trace of what one filter of a chain does, which this one has too, under the filter's name. */
  part(filter: string): Trace {
    const part = new Trace(this.#mostBytes, this.#mostEvents);
    const push = part.push.bind(part);
    const addCallout = part.addCallout.bind(part);
    const addGrpcCall = part.addGrpcCall.bind(part);
    const held = part.held.bind(part);
    part.push = (event) => {
      event.filter = filter;
      push(event);
      this.push(event);
    };
    part.addCallout = (callout) => {
      addCallout(callout);
      this.addCallout(callout);
    };
    part.addGrpcCall = (call) => {
      addGrpcCall(call);
      this.addGrpcCall(call);
    };
    part.held = (bytes) => {
      held(bytes);
      this.held(bytes);
    };
    return part;
  }

  /** Adds a callout. */
  addCallout(callout: Callout): void {
    if (this.callouts.push(callout) > MOST_CALLOUTS) this.callouts.splice(0, MOST_CALLOUTS / 2);
    this.held(callout.heldBytes);
  }

  /** Adds a gRPC call. */
  addGrpcCall(call: GrpcCallout): void {
    if (this.grpcCalls.push(call) > MOST_CALLOUTS) this.grpcCalls.splice(0, MOST_CALLOUTS / 2);
    this.held(call.heldBytes);
  }

  /** Its callouts hold so many bytes more: when they are too many, the older half goes. @internal */
  held(bytes: number): void {
    this.#held += bytes;
    while (this.#held > this.#mostBytes) {
      const lists: { readonly heldBytes: number }[][] = [this.callouts, this.grpcCalls];
      for (const list of lists) list.splice(0, Math.floor(list.length / 2));
      this.#held = lists.flat().reduce((sum, call) => sum + call.heldBytes, 0);
      if (lists.every((list) => list.length < 2)) return;
    }
  }

  /** The lines that the filter logged. */
  get logs(): LogEntry[] {
    const logs: LogEntry[] = [];
    for (const event of this.events) {
      if (event.kind === "log") logs.push({ level: event.level, message: event.message });
    }
    return logs;
  }

  /** The events as indented lines. */
  toString(): string {
    return this.events.map(formatEvent).join("\n");
  }
}

/** A line in the proxy's log. */
export interface LogEntry {
  /** As the filter gave it. */
  readonly level: LogLevel;
  /** The text; bytes that are no UTF-8 become U+FFFD. */
  readonly message: string;
}

/** Writes one event as a line. */
export function formatEvent(event: TraceEvent): string {
  return event.filter === undefined ? textOf(event) : `${event.filter}: ${textOf(event)}`;
}

/** The characters of an event that a filter gives. */
export function sizeOf(event: TraceEvent): number {
  if (event.kind === "call") return event.reason?.length ?? 0;
  if (event.kind === "log") return event.message.length;
  return event.kind === "note" ? event.text.length : 0;
}

function textOf(event: TraceEvent): string {
  switch (event.kind) {
    case "callback":
      return `${event.name}(${event.args.join(", ")})${event.result === undefined ? "" : ` → ${event.result}`}`;
    case "call":
      return `  ${event.name} → ${Status[event.status]}${event.reason === undefined ? "" : `: ${event.reason}`}`;
    case "log":
      return `  log ${LogLevel[event.level]!.toLowerCase()}: ${event.message}`;
    case "note":
      return `  ${event.text}`;
  }
}
