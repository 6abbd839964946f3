// A command of the built package, started as a user starts it.

import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

import { endProcess } from "./programs.ts";

/** The program. */
export const program: string = resolve(import.meta.dirname, "../../dist/src/cli/main.js");

/** A command that runs. */
export interface RunningCommand {
  readonly child: ChildProcess;
  /** All that it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the match when its output matches; rejects with the output after some seconds. */
  says(pattern: RegExp, seconds?: number): Promise<RegExpExecArray>;
  /** Resolves with its exit code when it ends. */
  readonly ended: Promise<number | null>;
  /** Interrupts it as Ctrl-C does, and waits for its end; kills it when it does not come. */
  stop(): Promise<number | null>;
}

/** Starts a command; `how` is for another program than ours, such as npm. */
export function startCommand(
  args: readonly string[],
  how: { cwd?: string; env?: NodeJS.ProcessEnv; program?: string } = {},
): RunningCommand {
  const [file, ...first] = how.program === undefined ? [process.execPath, program] : [how.program];
  const child = spawn(file!, [...first, ...args], {
    cwd: how.cwd,
    env: { ...process.env, NO_COLOR: "1", ...how.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.on("close", done));
  return {
    child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    async says(pattern, seconds = 20) {
      for (let i = 0; i < seconds * 40; i++) {
        const match = pattern.exec(text.stdout) ?? pattern.exec(text.stderr);
        if (match) return match;
        if (child.exitCode !== null) break;
        await new Promise((done) => setTimeout(done, 25));
      }
      throw new Error(`the command did not say ${pattern}:\n${text.stdout}\n${text.stderr}`);
    },
    async stop() {
      await endProcess(child, "SIGINT", 10);
      return ended;
    },
  };
}
