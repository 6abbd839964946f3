#!/usr/bin/env node
// The program: the process' own arguments, outputs and signals around `run`.

import { run } from "./run.ts";

/** Milliseconds in which a signal that comes twice counts once: npm passes on what the terminal sends to all. */
const TWICE_MS = 500;

const canAsk = process.stdin.isTTY && process.stdout.isTTY && !process.env["CI"];
const interrupt = new AbortController();
let interruptedAt = Number.POSITIVE_INFINITY;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (Date.now() - interruptedAt > TWICE_MS) process.exit(130);
    interruptedAt = Math.min(interruptedAt, Date.now());
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
process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  ...(canAsk && { terminal: { input: process.stdin, output: process.stdout } }),
  isTerminal: process.stdout.isTTY === true,
  color: { stdout: isColored(process.stdout), stderr: isColored(process.stderr) },
});
