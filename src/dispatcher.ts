// Puts off what is to happen when the present event is over, as an event loop does: what arrives on a stream, or a
// callback from outside of one. Envoy's name for it is the dispatcher.

import { EnvoyFault } from "./error.ts";

/** The most that one event may lead to: so much, and this many times what it posts itself. */
const MOST_ACTIONS = 1000;
const MOST_GROWTH = 10;

/** Runs what is posted to it after the event in which it was posted. */
export class Dispatcher {
  readonly #posted: (() => void)[] = [];
  /** How many events are under way, each inside of another. */
  depth = 0;

  /** How many actions wait. */
  get waiting(): number {
    return this.#posted.length;
  }

  /** An event begins; one inside of another is part of it. */
  begin(): void {
    this.depth++;
  }

  /** The event is over. */
  end(): void {
    try {
      if (this.depth === 1 && this.#posted.length) this.#drain();
    } finally {
      this.depth--;
    }
  }

  /** What was under way has been stopped from outside: nothing is, and nothing waits. */
  abandon(): void {
    this.depth = 0;
    this.#posted.length = 0;
  }

  /** Does something when the event is over; at once when there is none. */
  post(action: () => void): void {
    this.#posted.push(action);
    if (this.depth) return;
    this.begin();
    this.end();
  }

  #drain(): void {
    const most = MOST_ACTIONS + MOST_GROWTH * this.#posted.length;
    let done = 0;
    try {
      // What is done is taken out in the end: there may be very many.
      while (done < this.#posted.length) {
        if (done === most) {
          done = this.#posted.length;
          throw new EnvoyFault(
            `one event led to ${most} notices of items in queues, each to another: a worker of Envoy would be busy ` +
              "with it for ever. Whoever takes an item out of a queue must not put one in each time.",
          );
        }
        this.#posted[done++]!();
      }
    } finally {
      this.#posted.splice(0, done);
    }
  }
}
