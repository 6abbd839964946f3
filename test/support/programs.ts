// Programs of this machine that tests need: where they are, what is said without them, and how they are ended.

import { type ChildProcess, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is in `PATH`; undefined when it is not there. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** Go's version, the number behind the point: 26 for Go 1.26; 0 without Go. */
export function goVersion(): number {
  if (!findProgram("go")) return 0;
  return Number(/go1\.(\d+)/.exec(execFileSync("go", ["version"], { encoding: "utf8" }))?.[1] ?? 0);
}

/** Says which tests are left out and how to have them; fails in CI, where none is. */
export function leaveOut(text: string): void {
  if (process.env["CI"] === "true") throw new Error(text);
  console.warn(text);
}

/** Asks a process to end and waits until it has; kills it when it does not for so many seconds. */
export async function endProcess(child: ChildProcess, signal: "SIGTERM" | "SIGINT", seconds: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  const force = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
  child.kill(signal);
  await ended;
  clearTimeout(force);
}
