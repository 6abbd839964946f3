// Stops what runs too long. Of all that Node has, only `vm` can interrupt WebAssembly; arming it costs 0.1 ms a call.

import { EnvoyFault } from "../error.ts";
import { nodeVm } from "../node-modules.ts";
import { WatchingThread } from "./watching-thread.ts";

/** Runs an export of this name, and throws when it takes longer than its limit, or abandons it. */
export type TimeLimit = <T>(run: () => T, name: string, abandon: Abandon) => T;

/** What ran was stopped in a way that nobody could catch: nothing that was to follow it has been done. */
export type Abandon = (error: Error, name: string) => void;

/** How a watchdog tells what it has stopped. */
export interface WatchdogOptions {
  /** What is thrown, or what the filter fails with; by default something that ends a test. */
  tooLong?(name: string, milliseconds: number): Error;
  /** A filter was stopped from outside, and has failed; what else was under way is lost. Without it `stopped` tells. */
  onStopped?(): void;
}

/** A limit of so many milliseconds. Needs Node. */
export function timeLimit(milliseconds: number): TimeLimit {
  if (!Number.isInteger(milliseconds) || milliseconds < 1) {
    throw new RangeError(`limits.callbackMs is ${milliseconds}; it must be a whole number of milliseconds above 0`);
  }
  const interrupt = interrupter(milliseconds);
  if (!interrupt) throw new Error("limits.callbackMs needs Node: nothing else can interrupt WebAssembly");
  return (run) => interrupt(run, () => new Error(`it ran longer than ${milliseconds} ms (limits.callbackMs)`));
}

/** Watches the callbacks of filters that have no limit of their own. */
export class Watchdog {
  /** What watches the filters that are loaded from now on; undefined outside of tests and `serve`, and of Node. */
  static current: Watchdog | undefined;
  readonly #milliseconds: number;
  readonly #most: number;
  readonly #interrupt: Interrupt;
  readonly #options: WatchdogOptions;
  #left: number;
  /** Null where there can be none. */
  #thread: WatchingThread | null | undefined;
  /** Of what runs, or ran last. */
  #abandon: Abandon | undefined;

  private constructor(milliseconds: number, most: number, interrupt: Interrupt, options: WatchdogOptions) {
    this.#options = options;
    this.#milliseconds = milliseconds;
    this.#most = most;
    this.#left = most;
    this.#interrupt = interrupt;
  }

  /**
   * One that interrupts what runs longer than so many milliseconds. So many callbacks until it is renewed end with an
   * error then; those after them are stopped by a thread where there can be one, which only `stopped` or `onStopped`
   * tells. Undefined outside of Node.
   */
  static of(milliseconds: number, most: number, options: WatchdogOptions = {}): Watchdog | undefined {
    const interrupt = interrupter(milliseconds);
    return interrupt && new Watchdog(milliseconds, most, interrupt, options);
  }

  /** Interrupts as many callbacks again. */
  renew(): void {
    this.#left = this.#most;
  }

  /** What was stopped and could not say so, or undefined. */
  stopped(): Error | undefined {
    const name = this.#thread?.stopped();
    return name === undefined ? undefined : this.#tooLong(name);
  }

  /** See `TimeLimit`. */
  readonly limit: TimeLimit = (run, name, abandon) => {
    if (this.#left > 0) {
      this.#left--;
    } else {
      if (this.#thread === undefined) {
        this.#thread = WatchingThread.start(this.#milliseconds, () => this.#onStopped()) ?? null;
      }
      if (this.#thread) {
        this.#abandon = abandon;
        return this.#thread.watch(run, name);
      }
    }
    return this.#interrupt(run, () => this.#tooLong(name));
  };

  #onStopped(): void {
    const { onStopped } = this.#options;
    const name = onStopped && this.#thread!.stopped();
    if (name === undefined) return;
    this.#abandon!(this.#tooLong(name), name);
    onStopped!();
  }

  #tooLong(name: string): Error {
    const { tooLong } = this.#options;
    if (tooLong) return tooLong(name, this.#milliseconds);
    const what = `${name} ran for more than ${this.#milliseconds} ms, as if it never ended`;
    const remedy = `If it does need that long, load the filter with limits: { callbackMs: … }`;
    return new EnvoyFault(`${what}: a worker of Envoy would do nothing else meanwhile. ${remedy}`);
  }
}

/** Runs something; throws the error when it takes too long. */
type Interrupt = <T>(run: () => T, tooLong: () => Error) => T;

function interrupter(milliseconds: number): Interrupt | undefined {
  const vm = nodeVm();
  if (!vm) return undefined;
  const { createContext, Script } = vm;
  const holder: { run?: () => void } = {};
  const context = createContext(holder);
  const script = new Script("run()");
  return <T>(run: () => T, tooLong: () => Error): T => {
    let result: T;
    holder.run = () => void (result = run());
    try {
      script.runInContext(context, { timeout: milliseconds });
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      throw tooLong();
    }
    return result!;
  };
}
