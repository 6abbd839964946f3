// Runs a command line as the program does.

import { run } from "../../src/cli/run.ts";

/** What came of it. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line; `until` ends it once stdout matches. */
export async function command(args: readonly string[], until?: RegExp): Promise<CommandResult> {
  const abort = new AbortController();
  const outputs = { stdout: "", stderr: "" };
  const stdout = {
    write(text: string) {
      outputs.stdout += text;
      if (until?.test(outputs.stdout)) abort.abort();
    },
  };
  const stderr = { write: (text: string) => (outputs.stderr += text) };
  const code = await run(args, { stdout, stderr, signal: abort.signal });
  return { code, ...outputs };
}
