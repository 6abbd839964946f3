#!/usr/bin/env node
// The program: the process' own arguments, outputs and signals around `run`.

import { run } from "./run.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());

const canAsk = process.stdin.isTTY && process.stdout.isTTY && !process.env["CI"];
process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
  ...(canAsk && { terminal: { input: process.stdin, output: process.stdout } }),
});
