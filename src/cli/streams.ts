// Where a command writes: stdout is for the answer, stderr for the story.

/** A place to write text to. */
export interface Output {
  write(text: string): unknown;
}

/** The two outputs of a command, and what tells it to stop. */
export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Ends commands that would run for ever. */
  readonly signal: AbortSignal;
}
