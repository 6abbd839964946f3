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
  // Hardly any sender is ever stopped.
  #reasons: Set<string> | undefined;

  constructor(sender: FlowControl) {
    this.#sender = sender;
  }

  /** Adds or removes a reason to stop; the sender runs while there is none. */
  stop(reason: string, stopped: boolean): void {
    if (!stopped && !this.#reasons) return;
    const reasons = (this.#reasons ??= new Set());
    const before = reasons.size;
    if (stopped) reasons.add(reason);
    else reasons.delete(reason);
    if (!before && reasons.size) this.#sender.pause();
    if (before && !reasons.size) this.#sender.resume();
  }
}
