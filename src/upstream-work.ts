// Upstreams that take their time. A function that answers may wait for virtual time (`wait`), which somebody has to let
// pass, or for anything else, during which virtual time stands still. Here is known who waits for what.

import type { Clock } from "./clock.ts";

/** One function at work. */
export interface Task {
  /** Lets so many milliseconds pass on the clock of the filter. */
  wait(milliseconds: number): Promise<void>;
}

/** The functions at work for a filter. */
export class UpstreamWork {
  readonly #clock: Clock;
  readonly #tasks = new Set<{ waits: number }>();
  #scheduled = 0;
  #listeners: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a function works on something that no clock of ours can hasten. */
  get busy(): boolean {
    for (const task of this.#tasks) if (!task.waits) return true;
    return false;
  }

  /** Whether no function is at work, nor will be by itself. */
  get idle(): boolean {
    return !this.#tasks.size && !this.#scheduled;
  }

  /**
   * Runs a function, not before whoever asked has returned. What it throws reaches those who wait for `changed`, or
   * nobody, which fails a test.
   */
  start(run: (task: Task) => Promise<void>): void {
    const state = { waits: 0 };
    const wait = (milliseconds: number): Promise<void> =>
      new Promise((resolve) => {
        state.waits++;
        this.#clock.after(milliseconds, () => {
          state.waits--;
          resolve();
        });
        this.#change();
      });
    this.#scheduled++;
    this.#clock.after(0, () => {
      this.#scheduled--;
      this.#tasks.add(state);
      void this.#finish(state, run({ wait }));
    });
  }

  /** Resolves when a function has ended or has begun to wait for the clock; rejects with what a function throws. */
  changed(): Promise<void> {
    return new Promise((resolve, reject) => this.#listeners.push({ resolve, reject }));
  }

  async #finish(state: { waits: number }, running: Promise<void>): Promise<void> {
    try {
      await running;
    } catch (error) {
      const listeners = this.#listeners.splice(0);
      if (!listeners.length) throw error;
      for (const listener of listeners) listener.reject(error);
    } finally {
      this.#tasks.delete(state);
      this.#change();
    }
  }

  #change(): void {
    for (const listener of this.#listeners.splice(0)) listener.resolve();
  }
}
