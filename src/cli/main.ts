#!/usr/bin/env node
// The program: the process' own arguments, outputs and signals around `run`.

import { getEventListeners } from "node:events";
import { constants } from "node:os";

import { run } from "./run.ts";

/** Milliseconds in which a signal that comes twice counts once: npm passes on what the terminal sends to all. */
const TWICE_MS = 500;

const canAsk = process.stdin.isTTY && process.stdout.isTTY && !process.env["CI"];
const interrupt = new AbortController();
let interrupted: { readonly at: number; readonly code: number } | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // The exit code that shells have for it.
    const code = 128 + constants.signals[signal];
    const isAwaited = getEventListeners(interrupt.signal, "abort").length > 0;
    if (interrupted ? Date.now() - interrupted.at > TWICE_MS : !isAwaited) process.exit(code);
    interrupted ??= { at: Date.now(), code };
    interrupt.abort();
  });
}
// Whoever reads has gone, such as `head`: there is nobody to tell anything.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    interrupt.abort();
  });
}

const isPlain = Boolean(process.env["NO_COLOR"]) || process.env["TERM"] === "dumb";
const isColored = ({ isTTY }: { isTTY?: boolean }): boolean => isTTY === true && !isPlain;
const code = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  ...(canAsk && { terminal: { input: process.stdin, output: process.stdout } }),
  isTerminal: process.stdout.isTTY === true,
  color: { stdout: isColored(process.stdout), stderr: isColored(process.stderr) },
});
// What runs until it is interrupted has done its work then.
process.exitCode = code && interrupted ? interrupted.code : code;
