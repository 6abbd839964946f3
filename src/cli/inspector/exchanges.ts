// The exchanges that the inspector knows: the last ones, and who hears of them.

import { decodeText } from "../../encoding/bytes.ts";
import type { ExchangeRecord, RecordListener } from "../../serve/record.ts";

/** How many are kept; older ones go. */
const MOST = 200;

/** Milliseconds in which changes of one exchange are told once. */
const TOGETHER_MS = 100;

/** An exchange in a list. */
export interface Summary {
  readonly id: number;
  readonly startedAt: string;
  readonly method: string;
  readonly path: string;
  /** 0 when there was no answer; null while there is none yet. */
  readonly status: number | null;
  readonly milliseconds: number | null;
  readonly details: string;
  readonly trapped: boolean;
}

/** The list of exchanges. */
export class Exchanges implements RecordListener {
  readonly #records = new Map<number, ExchangeRecord>();
  readonly #traps = new WeakMap<ExchangeRecord, string>();
  readonly #listeners = new Set<(summary: Summary) => void>();
  readonly #scheduled = new Set<ExchangeRecord>();
  #newest = 0;
  readonly #trapsNow: () => readonly string[];

  /** `traps` says why filters have failed. */
  constructor(traps: () => readonly string[]) {
    this.#trapsNow = traps;
  }

  changed(record: ExchangeRecord): void {
    if (!this.#records.has(record.id)) this.#keep(record);
    if (this.#scheduled.has(record) || !this.#listeners.size) return;
    this.#scheduled.add(record);
    setTimeout(() => {
      this.#scheduled.delete(record);
      this.#tell(record);
    }, TOGETHER_MS).unref();
  }

  ended(record: ExchangeRecord): void {
    const [trap] = record.result?.details === "wasm_fail_stream" ? this.#trapsNow() : [];
    if (trap !== undefined) this.#traps.set(record, trap);
    if (!this.#records.has(record.id)) this.#keep(record);
    this.#tell(record);
  }

  /** The number of the newest one that was ever there; 0 before any. */
  get newest(): number {
    return this.#newest;
  }

  /** The exchange of this number, if it is still known. */
  get(id: number): ExchangeRecord | undefined {
    return this.#records.get(id);
  }

  /** Why a filter failed in an exchange, or undefined. */
  trapOf(record: ExchangeRecord): string | undefined {
    return this.#traps.get(record);
  }

  /** All of them, the oldest first. */
  get summaries(): Summary[] {
    return [...this.#records.values()].map((record) => this.#summary(record));
  }

  /** Forgets all of them. */
  clear(): void {
    this.#records.clear();
  }

  /** Says who hears of each change; the answer ends that. */
  listen(listener: (summary: Summary) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #keep(record: ExchangeRecord): void {
    this.#records.set(record.id, record);
    this.#newest = Math.max(this.#newest, record.id);
    if (this.#records.size > MOST) this.#records.delete(this.#records.keys().next().value!);
  }

  #tell(record: ExchangeRecord): void {
    if (!this.#records.has(record.id)) return;
    for (const listener of this.#listeners) listener(this.#summary(record));
  }

  #summary(record: ExchangeRecord): Summary {
    const { id, startedAt, result } = record;
    return {
      id,
      startedAt: startedAt.toISOString(),
      method: decodeText(record.requested(":method")),
      path: record.secrets.redact(decodeText(record.requested(":path"))),
      status: result?.status ?? null,
      milliseconds: result?.milliseconds ?? null,
      details: decodeText(result?.details ?? ""),
      trapped: this.#traps.has(record),
    };
  }
}
