// A trace for people: what the filters did in each exchange, when it is over, as indented lines.

import { Action, LogLevel, Status } from "../../../assembly/abi.ts";
import { decodeText } from "../../encoding/bytes.ts";
import { headerChanges } from "../../serve/header-changes.ts";
import { Secrets } from "../../serve/mask.ts";
import type { Passage } from "../../serve/observer.ts";
import type { ExchangeRecord, RecordListener } from "../../serve/record.ts";
import type { TraceEvent } from "../../trace.ts";
import type { Colors } from "../colors.ts";
import { printable } from "../printable.ts";
import { exchangeLine } from "./exchange-line.ts";

/** Milliseconds after which the trace of an exchange that goes on is written as far as it is. */
const PATIENCE_MS = 1000;

/** Writes traces. */
export class TraceLines implements RecordListener {
  readonly #write: (text: string) => void;
  readonly #colors: Colors;
  readonly #timers = new Map<ExchangeRecord, NodeJS.Timeout>();
  /** How many events of an exchange have been written. */
  readonly #written = new WeakMap<ExchangeRecord, number>();

  constructor(write: (text: string) => void, colors: Colors) {
    this.#write = write;
    this.#colors = colors;
  }

  changed(record: ExchangeRecord): void {
    if (this.#timers.has(record) || record.result) return;
    const timer = setTimeout(() => {
      this.#timers.delete(record);
      this.#flush(record, `${decodeText(record.requested(":method"))} ${decodeText(record.requested(":path"))} …`);
    }, PATIENCE_MS);
    this.#timers.set(record, timer.unref());
  }

  ended(record: ExchangeRecord): void {
    clearTimeout(this.#timers.get(record));
    this.#timers.delete(record);
    this.#flush(record, exchangeLine(record.result!));
  }

  /** Something happened outside of any exchange. */
  root(filter: string, event: TraceEvent): void {
    const c = this.#colors;
    setImmediate(() => this.#write(`${c.bold(filter)} ${this.#event(event, new Secrets()).trimStart()}\n`));
  }

  #flush(record: ExchangeRecord, title: string): void {
    const c = this.#colors;
    const { secrets } = record;
    const from = this.#written.get(record) ?? 0;
    const lines = [`${c.bold(`#${record.id}`)} ${c.bold(printable(secrets.redact(title)))}`];
    for (const { at, event } of record.events.slice(from)) {
      lines.push(`${c.dim(`${at.toFixed(1).padStart(8)}`)}  ${this.#event(event, secrets)}`);
    }
    this.#written.set(record, record.events.length);
    if (record.dropped) lines.push(`          ${c.dim(`and ${record.dropped} more`)}`);
    if (record.result) lines.push(...this.#changes(record, secrets));
    this.#write(`${lines.join("\n")}\n`);
  }

  /** What the filters made of the heads. */
  #changes(record: ExchangeRecord, secrets: Secrets): string[] {
    const c = this.#colors;
    const lines: string[] = [];
    for (const which of ["request", "response"] as const) {
      const pair = ([`${which} received`, `${which} sent`] as Passage[]).map((passage) => record.messages[passage]);
      for (const { kind, name, value } of headerChanges(pair[0], pair[1])) {
        const text = printable(
          `${kind === "added" ? "+" : "-"} ${decodeText(name)}: ${secrets.shown(name, decodeText(value))}`,
        );
        lines.push(`${which.padStart(8)}  ${kind === "added" ? c.green(text) : c.red(text)}`);
      }
    }
    return lines;
  }

  #event(event: TraceEvent, secrets: Secrets): string {
    const c = this.#colors;
    const shown = (text: string): string => printable(secrets.redact(text));
    const prefix = event.filter === undefined ? "" : `${c.dim(`${event.filter}:`)} `;
    switch (event.kind) {
      case "callback": {
        const result = event.result === undefined ? "" : ` → ${answerOf(event.name, event.result)}`;
        return `${prefix}${c.cyan(event.name)}(${event.args.join(", ")})${result}`;
      }
      case "call": {
        const text = `${event.name} → ${Status[event.status]}`;
        if (event.status === Status.Ok) return `${prefix}  ${c.dim(text)}`;
        return `${prefix}  ${c.yellow(`${text}: ${shown(event.reason ?? "")}`)}`;
      }
      case "log": {
        const text = `log ${LogLevel[event.level]!.toLowerCase()}: ${shown(event.message)}`;
        return `${prefix}  ${event.level >= LogLevel.Error ? c.red(text) : event.level === LogLevel.Warn ? c.yellow(text) : text}`;
      }
      case "note":
        return `${prefix}  ${c.magenta(shown(event.text))}`;
    }
  }
}

/** What a callback answered, in words where it has some. */
export function answerOf(callback: string, result: number): string {
  const name = /^proxy_on_(request|response)_|^proxy_on_(new_connection|downstream_data|upstream_data)/.test(callback)
    ? Action[result]
    : undefined;
  return name === undefined ? String(result) : `${result} ${name}`;
}
