// Time as the host sees it: a virtual clock for tests, where nothing happens by itself, and the machine's own.

/** Where the host takes its time from. */
export interface Clock {
  /** Nanoseconds since the Unix epoch. */
  now(): bigint;
  /** Calls back once, after so many milliseconds; the answer calls it off. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Something that is to happen. When, in nanoseconds, is worked out when it is asked for: most are called off. */
class Timer {
  readonly callback: () => void;
  readonly #from: bigint;
  readonly #nanoseconds: number;

  constructor(from: bigint, milliseconds: number, callback: () => void) {
    this.#from = from;
    this.#nanoseconds = Math.round(milliseconds * 1e6);
    this.callback = callback;
  }

  get due(): bigint {
    return this.#from + BigInt(this.#nanoseconds);
  }
}

/** A clock that stands still until it is advanced. */
export class VirtualClock implements Clock {
  #now: bigint;
  /** In the order in which they were set. */
  readonly #timers = new Set<Timer>();

  /** Starts at this instant. */
  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#now = BigInt(start.getTime()) * 1_000_000n;
  }

  now(): bigint {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = new Timer(this.#now, milliseconds, callback);
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Milliseconds until something falls due; undefined when nothing will. */
  untilNext(): number | undefined {
    const next = this.#next();
    return next && Number(next.due - this.#now) / 1e6;
  }

  /** Lets so many milliseconds pass, and calls what falls due, in order. */
  advance(milliseconds: number): void {
    const end = this.#now + BigInt(Math.round(milliseconds * 1e6));
    for (;;) {
      const next = this.#next();
      if (!next || next.due > end) break;
      this.#timers.delete(next);
      this.#now = next.due;
      next.callback();
    }
    // Whoever was called may have let more pass.
    if (end > this.#now) this.#now = end;
  }

  /** What falls due first; of several, what was set first. */
  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (!first || timer.due < first.due) first = timer;
    return first;
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
