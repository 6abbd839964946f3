// Compiles in a thread of its own, so that requests are answered meanwhile. It is kept: the second time is faster.

import { Worker } from "node:worker_threads";

import type { Compilation, CompileOptions } from "../../compile.ts";

/** The thread, while it is needed. */
export class Compiler {
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** Compiles, one after the other. Rejects when the compiler itself cannot be run. */
  compile(options: CompileOptions): Promise<Compilation> {
    const compiling = this.#last.then(() => this.#compile(options));
    this.#last = compiling.catch(() => {});
    return compiling;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #compile(options: CompileOptions): Promise<Compilation> {
    return new Promise((resolve, reject) => {
      const worker = (this.#worker ??= this.#start());
      const done = (): void => void worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      const onMessage = (answer: Compilation | { failure: string }): void => {
        done();
        if ("failure" in answer) reject(new Error(answer.failure));
        else resolve(answer);
      };
      const onError = (error: Error): void => {
        done();
        this.#worker = undefined;
        reject(error);
      };
      const onExit = (): void => onError(new Error("the compiler was stopped"));
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      worker.postMessage(options);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./compiler-thread.js", import.meta.url));
    worker.unref();
    return worker;
  }
}
