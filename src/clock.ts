// Time as the host sees it: a virtual clock for tests, where nothing happens by itself, and the machine's own.

/** Where the host takes its time from. */
export interface Clock {
  /** Nanoseconds since the Unix epoch. */
  now(): bigint;
  /** Calls back once, after so many milliseconds; the answer calls it off. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** A clock that stands still until it is advanced. */
export class VirtualClock implements Clock {
  #now: bigint;
  #timers: { due: bigint; callback: () => void }[] = [];

  /** Starts at this instant. */
  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#now = BigInt(start.getTime()) * 1_000_000n;
  }

  now(): bigint {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { due: this.#now + BigInt(Math.round(milliseconds * 1e6)), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Milliseconds until something falls due; undefined when nothing will. */
  untilNext(): number | undefined {
    if (!this.#timers.length) return undefined;
    const due = this.#timers.reduce((first, timer) => (timer.due < first ? timer.due : first), this.#timers[0]!.due);
    return Number(due - this.#now) / 1e6;
  }

  /** Lets so many milliseconds pass, and calls what falls due, in order. */
  advance(milliseconds: number): void {
    const end = this.#now + BigInt(Math.round(milliseconds * 1e6));
    for (;;) {
      const next = this.#timers.reduce<{ due: bigint; callback: () => void } | undefined>(
        (first, timer) => (timer.due <= end && (!first || timer.due < first.due) ? timer : first),
        undefined,
      );
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = next.due;
      next.callback();
    }
    this.#now = end;
  }
}

/** The most that a timer of the machine's can wait: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's clock. */
export class SystemClock implements Clock {
  now(): bigint {
    return BigInt(Date.now()) * 1_000_000n;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = setTimeout(callback, Math.min(milliseconds, LONGEST_MS));
    return () => clearTimeout(timer);
  }
}
