// Upstreams that take their time. A function that answers may wait for virtual time (`wait`), which somebody has to let
// pass, or for anything else, during which virtual time stands still. Here is known who waits for what.

import type { Clock } from "./clock.ts";

/** One function at work. */
export interface Task {
  /** Lets so many milliseconds pass on the clock of the filter. */
  wait(milliseconds: number): Promise<void>;
}

const nothing = (): void => {};

/** The functions at work for a filter. */
export class UpstreamWork {
  readonly #clock: Clock;
  readonly #tasks = new Set<{ waits: number }>();
  /** The functions that answer requests, and the bodies that are being sent. */
  readonly #answers = new Set<{ waits: number }>();
  /** The one of them that is being called. */
  #calling: { waits: number } | undefined;
  #scheduled = 0;
  #listeners: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a function works on something that no clock of ours can hasten. */
  get busy(): boolean {
    return [...this.#tasks, ...this.#answers].some((task) => !task.waits);
  }

  /** Whether no function is at work that was started, nor will be by itself. */
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

  /**
   * Calls a function for its answer and hands that over to `use`. Until it has been handed over, or `state` is at its end,
   * virtual time stands still for everybody.
   */
  answer<T, R>(state: { waits: number }, run: () => T | Promise<T>, use: (answer: T) => R): R | Promise<Awaited<R>> {
    const around = this.#calling;
    this.#calling = state;
    let answer: T | Promise<T>;
    try {
      answer = run();
    } finally {
      this.#calling = around;
    }
    return answer instanceof Promise ? this.#await(state, answer, use) : use(answer);
  }

  async #await<T, R>(state: { waits: number }, answer: Promise<T>, use: (answer: T) => R): Promise<Awaited<R>> {
    this.#answers.add(state);
    let used: R;
    try {
      used = use(await answer);
    } finally {
      this.end(state);
    }
    return await used;
  }

  /** Something begins for which virtual time stands still, but while it `waits`. */
  begin(): { waits: number } {
    const state = { waits: 0 };
    this.#answers.add(state);
    return state;
  }

  /** It is over. */
  end(state: { waits: number }): void {
    this.#answers.delete(state);
    this.#change();
  }

  /** Says that the function being called, if there is one, waits for virtual time too; gives what says that it is over. */
  waitWithin(): () => void {
    const state = this.#calling;
    if (!state) return nothing;
    state.waits++;
    return () => void state.waits--;
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
