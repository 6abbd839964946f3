// Time per stream of several modules under the same stub host, interleaved in one process, as ratios to the first.
// Usage: node bench/guest-time.mjs [--live N] FILE.wasm|FILE.wat …

import { readFile } from "node:fs/promises";
import binaryen from "binaryen";
import { load } from "./stub-host.mjs";

const files = process.argv.slice(2);
const live = files[0] === "--live" ? Number(files.splice(0, 2)[1]) : 16;
const ROUNDS = 21;
const STREAMS = 100_000;

async function read(file) {
  const bytes = await readFile(file);
  return file.endsWith(".wat") ? binaryen.parseText(bytes.toString()).emitBinary() : bytes;
}

const filters = [];
for (const file of files) filters.push({ file, ...(await load(await read(file), { live })), times: [] });
for (const { stream } of filters) for (let i = 0; i < 3 * STREAMS; i++) stream();
for (let round = 0; round < ROUNDS; round++) {
  for (const { stream, times } of filters) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < STREAMS; i++) stream();
    times.push(Number(process.hrtime.bigint() - start) / STREAMS);
  }
}
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const base = median(filters[0].times);
console.log(`${live} live streams, ${ROUNDS} rounds of ${STREAMS} streams, node ${process.version}`);
for (const { file, times, pages } of filters) {
  const middle = median(times);
  console.log(
    `${file.padEnd(40)} ${middle.toFixed(1).padStart(8)} ns/stream  ${(middle / base).toFixed(2).padStart(6)} ×  ` +
      `(${Math.min(...times).toFixed(1)}–${Math.max(...times).toFixed(1)})  ${pages()} pages`,
  );
}
