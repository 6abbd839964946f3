// Time per stream of several modules under the same stub host, interleaved in one process.
// Usage: node bench/guest-time.mjs [--live N] FILE.wasm …      as ratios to the first

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { load } from "./stub-host.mjs";

const ROUNDS = 601;
const STREAMS = 1000;
const WARM_UP = 200_000;

/**
 * Nanoseconds per stream of each file: median, lower and upper quartile of short rounds, which take turns, so that
 * whatever else the machine does comes over all of them alike; and the pages of memory at the end.
 */
export async function guestTimes(files, live) {
  const guests = [];
  for (const file of files) guests.push({ ...(await load(await readFile(file), { live })), times: [] });
  for (const { stream } of guests) for (let i = 0; i < Math.max(WARM_UP, 3 * live); i++) stream();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { stream, times } of guests) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < STREAMS; i++) stream();
      times.push(Number(process.hrtime.bigint() - start) / STREAMS);
    }
  }
  return guests.map(({ times, pages }) => {
    times.sort((a, b) => a - b);
    const [lower, median, upper] = [1, 2, 3].map((quarter) => times[(quarter * ROUNDS) >> 2]);
    return { lower, median, upper, pages: pages() };
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2);
  const live = files[0] === "--live" ? Number(files.splice(0, 2)[1]) : 16;
  const results = await guestTimes(files, live);
  for (const [i, { lower, median, upper, pages }] of results.entries()) {
    console.log(
      `${files[i].padEnd(48)} ${median.toFixed(1).padStart(8)} ns/stream  ${(median / results[0].median).toFixed(2).padStart(6)} ×  ` +
        `(${lower.toFixed(1)}–${upper.toFixed(1)})  ${pages} pages`,
    );
  }
}
