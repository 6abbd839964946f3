// Host calls that fail because a test wants them to.

import type { Status } from "../assembly/abi.ts";
import { Refusal } from "./error.ts";

/**
 * What a host call answers instead of being done: always the same status, or what a function says of the calls one
 * after the other, the first of which is 1; `undefined` lets a call be done.
 */
export type Fault = Status | ((count: number) => Status | undefined);

/** The host calls that are to fail, by their names, such as `proxy_http_call`. They can be changed at any time. */
export class Faults {
  readonly #calls: ReadonlySet<string>;
  readonly #faults = new Map<string, Fault>();
  readonly #counts = new Map<string, number>();

  /** @internal */
  constructor(calls: ReadonlySet<string>, faults: Readonly<Record<string, Fault>> = {}) {
    this.#calls = calls;
    for (const [call, fault] of Object.entries(faults)) this.set(call, fault);
  }

  /** Makes a host call fail from now on. Throws a `TypeError` when there is no such call. */
  set(call: string, fault: Fault): void {
    if (!this.#calls.has(call)) throw new TypeError(`there is no host call ${JSON.stringify(call)} to fail`);
    this.#counts.delete(call);
    this.#faults.set(call, fault);
  }

  /** Lets a host call be done again. */
  delete(call: string): void {
    this.#faults.delete(call);
  }

  /** How this call fails, or undefined. */
  of(call: string): Refusal | undefined {
    const fault = this.#faults.size ? this.#faults.get(call) : undefined;
    if (fault === undefined) return undefined;
    const count = (this.#counts.get(call) ?? 0) + 1;
    this.#counts.set(call, count);
    const status = typeof fault === "function" ? fault(count) : fault;
    return status === undefined ? undefined : new Refusal(status, "the test wants it so (faults)");
  }
}
