// Stops a sender for as long as anyone downstream of it cannot take more: a socket that is full, a filter that holds a
// body. Each may open again while the other has not.

/** What can be stopped and started, such as a readable stream. */
export interface FlowControl {
  pause(): void;
  resume(): void;
}

/** Several reasons to stop one sender. */
export class Valve {
  readonly #sender: FlowControl;
  readonly #reasons: Set<string> = new Set();

  constructor(sender: FlowControl) {
    this.#sender = sender;
  }

  /** Adds or removes a reason to stop; the sender runs while there is none. */
  stop(reason: string, stopped: boolean): void {
    const before = this.#reasons.size;
    if (stopped) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    if (!before && this.#reasons.size) this.#sender.pause();
    if (before && !this.#reasons.size) this.#sender.resume();
  }
}
