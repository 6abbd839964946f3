// A thread that looks whether the main thread is stuck in a callback, and stops it. It costs a callback next to nothing,
// but what is stopped so can be caught by nobody: everything that was under way in the main thread is lost.

import { nodeThreads } from "../node-modules.ts";

/** What the thread runs; as text, since it is one file with the host wherever a bundler or vitest has put it. */
const program = `
const { parentPort, workerData: { beat, milliseconds } } = require("node:worker_threads");
const { Session } = require("node:inspector");
let seen = 0;
let since = Date.now();
setInterval(() => {
  const now = Atomics.load(beat, 0);
  const isRunning = now % 2 === 1;
  if (now !== seen || !isRunning) {
    seen = now;
    since = Date.now();
  } else if (Date.now() - since > milliseconds) {
    since = Infinity;
    const session = new Session();
    session.connectToMainThread();
    session.post("Runtime.terminateExecution", () => {
      session.disconnect();
      parentPort.postMessage("stopped");
    });
  }
}, 100);`;

/** Watches the main thread from a thread of its own. */
export class WatchingThread {
  /** Odd while something runs. */
  readonly #beat: Int32Array;
  #running: string | undefined;

  private constructor(beat: Int32Array) {
    this.#beat = beat;
  }

  /**
   * One that stops what runs longer than so many milliseconds, and says so when the main thread is free again; undefined
   * where this is not a main thread of Node's.
   */
  static start(milliseconds: number, onStopped: () => void): WatchingThread | undefined {
    const threads = nodeThreads();
    if (!threads?.isMainThread) return undefined;
    const beat = new Int32Array(new SharedArrayBuffer(4));
    const worker = new threads.Worker(program, { eval: true, workerData: { beat, milliseconds } });
    worker.on("message", onStopped).unref();
    return new WatchingThread(beat);
  }

  /** Runs something of this name. */
  watch<T>(run: () => T, name: string): T {
    this.#running = name;
    Atomics.add(this.#beat, 0, 1);
    try {
      return run();
    } finally {
      Atomics.add(this.#beat, 0, 1);
      this.#running = undefined;
    }
  }

  /** What was stopped since it was asked last. Nothing of the main thread's is running when it is asked. */
  stopped(): string | undefined {
    const name = this.#running;
    if (name !== undefined) Atomics.add(this.#beat, 0, 1);
    this.#running = undefined;
    return name;
  }
}
