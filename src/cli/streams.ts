// Where a command writes: stdout is for the answer, stderr for the story; and when it is to stop.

import type { Readable, Writable } from "node:stream";

/** A place to write text to. */
export interface Output {
  write(text: string): unknown;
}

/** A terminal with a person in front of it. */
export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
}

/** The two outputs of a command, and what tells it to stop. */
export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Ends commands that would run for ever. */
  readonly signal: AbortSignal;
  /** Where questions can be asked; absent when nobody is there to answer. */
  readonly terminal?: Terminal;
  /** Whether a person reads stdout; false by default. */
  readonly isTerminal?: boolean;
  /** Where colours are wanted; nowhere by default. */
  readonly color?: { readonly stdout: boolean; readonly stderr: boolean };
}

/** Resolves when a command is told to stop. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
