// What came of one thing that a test did to a stream.

import { type LogEntry, Trace, type TraceEvent } from "./trace.ts";

/** What came of one part of a message, or of one event of a connection. */
export class Step {
  /** Whether the filter holds this direction back now. */
  readonly paused: boolean;
  readonly #all: readonly TraceEvent[];
  readonly #from: number;
  readonly #to: number;

  /** What has happened since there were so many events. @internal */
  constructor(paused: boolean, { events, count }: Trace, since: number) {
    this.paused = paused;
    this.#all = events;
    this.#to = events.length;
    this.#from = Math.max(0, this.#to - (count - since));
  }

  /** What happened: callbacks, host calls, log lines. */
  get events(): readonly TraceEvent[] {
    return this.#all.slice(this.#from, this.#to);
  }

  /** The same, as lines when printed. */
  get trace(): Trace {
    const trace = new Trace();
    for (const event of this.events) trace.push(event);
    return trace;
  }

  /** The lines that the filter logged. */
  get logs(): readonly LogEntry[] {
    return this.trace.logs;
  }
}
