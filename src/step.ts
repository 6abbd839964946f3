// What came of one thing that a test did to a stream.

import { type LogEntry, Trace, type TraceEvent } from "./trace.ts";

/** What came of one part of a message, or of one event of a connection. */
export class Step {
  /** Whether the filter holds this direction back now. */
  readonly paused: boolean;
  /** What happened, as lines when printed. */
  readonly trace: Trace = new Trace();

  /** @internal */
  constructor(paused: boolean, events: readonly TraceEvent[]) {
    this.paused = paused;
    for (const event of events) this.trace.push(event);
  }

  /** What happened: callbacks, host calls, log lines. */
  get events(): readonly TraceEvent[] {
    return this.trace.events;
  }

  /** The lines that the filter logged. */
  get logs(): readonly LogEntry[] {
    return this.trace.logs;
  }
}
