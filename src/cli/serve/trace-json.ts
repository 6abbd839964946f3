// A trace for programs: JSON Lines, one line for each thing that happens, as it happens.

import { LogLevel, Status } from "../../../assembly/abi.ts";
import { decodeText } from "../../encoding/bytes.ts";
import { headerChanges } from "../../serve/header-changes.ts";
import type { Passage } from "../../serve/observer.ts";
import type { ExchangeRecord, RecordListener } from "../../serve/record.ts";
import type { TraceEvent } from "../../trace.ts";
import { printableJson } from "../printable.ts";

/** Writes traces. */
export class TraceJson implements RecordListener {
  readonly #write: (text: string) => void;
  readonly #written = new WeakMap<ExchangeRecord, number>();
  readonly #scheduled = new Set<ExchangeRecord>();

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  changed(record: ExchangeRecord): void {
    if (this.#scheduled.has(record)) return;
    this.#scheduled.add(record);
    // By then every callback has returned, and its event says what it answered.
    setImmediate(() => {
      this.#scheduled.delete(record);
      this.#flush(record);
    });
  }

  ended(record: ExchangeRecord): void {
    this.#flush(record);
    const { secrets } = record;
    const { method, path, status, bytes, milliseconds, details } = record.result!;
    const changes = (which: "request" | "response"): object[] =>
      headerChanges(record.messages[`${which} received` as Passage], record.messages[`${which} sent` as Passage]).map(
        ({ kind, name, value }) => ({ kind, name: decodeText(name), value: secrets.shown(name, decodeText(value)) }),
      );
    this.#line({
      exchange: record.id,
      at: round(milliseconds),
      kind: "end",
      method,
      path: secrets.redact(decodeText(path)),
      status,
      bytes,
      details: decodeText(details),
      requestChanges: changes("request"),
      responseChanges: changes("response"),
      ...(record.dropped && { dropped: record.dropped }),
    });
  }

  /** Something happened outside of any exchange. */
  root(filter: string, event: TraceEvent): void {
    setImmediate(() => this.#line({ exchange: null, filter, ...eventJson(event, (text) => text) }));
  }

  #flush(record: ExchangeRecord): void {
    const from = this.#written.get(record) ?? 0;
    const { secrets } = record;
    for (const { at, event } of record.events.slice(from)) {
      this.#line({ exchange: record.id, at: round(at), ...eventJson(event, (text) => secrets.redact(text)) });
    }
    this.#written.set(record, record.events.length);
  }

  #line(value: object): void {
    this.#write(`${printableJson(value, 0)}\n`);
  }
}

/** An event as JSON, with names instead of numbers. */
export function eventJson(event: TraceEvent, redact: (text: string) => string): object {
  switch (event.kind) {
    case "callback":
      return { ...event };
    case "call":
      return {
        ...event,
        status: Status[event.status],
        ...(event.reason !== undefined && { reason: redact(event.reason) }),
      };
    case "log":
      return { ...event, level: LogLevel[event.level]!.toLowerCase(), message: redact(event.message) };
    case "note":
      return { ...event, text: redact(event.text) };
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
