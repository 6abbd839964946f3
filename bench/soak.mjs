// Memory over many streams, and how long single callbacks take, those included in which the filter collects.

import { readFile } from "node:fs/promises";

import { build, compile } from "./build.mjs";
import { quantile, table, writeSection } from "./results.mjs";
import { load } from "./stub-host.mjs";

const STREAMS = 10_000_000;
const LIVE = 1000;
/** Callbacks are counted by how many of these, in ms, they took. */
const STEP = 0.00001;
const STEPS = 1_000_000;

/** Measures and writes the section. */
export async function soak(command) {
  const rows = [];
  for (const [what, file] of [
    ["add-header", await build("add-header")],
    ["local-reply", await build("local-reply")],
    ["allocate: keeps 1 kB", await build("allocate")],
    ["nothing: a host without a filter", undefined],
  ]) {
    rows.push([what, ...(await callbacks(file))]);
  }
  const collections = [];
  for (const live of [0, LIVE, 10 * LIVE]) collections.push([live.toLocaleString("en"), ...(await collection(live))]);
  const body = [
    `${STREAMS.toLocaleString("en")} streams, ${LIVE.toLocaleString("en")} alive at a time. Pages of 64 KiB before and after; ` +
      "then µs of a callback, the clock included. The last line is what clock and machine bring along.",
    table(["", "pages", "p50", "p99", "p99.99", "longest"], rows),
    "One collection of `allocate`, which keeps an object and 1 kB for each stream, in µs.",
    table(["streams alive", "median", "longest of 200"], collections),
  ];
  await writeSection("Memory and pauses", command, body.join("\n\n"));
}

async function callbacks(file) {
  const { exports, pages } = file
    ? await load(await readFile(file), { live: LIVE })
    : { exports: { proxy_on_request_headers: () => 0 }, pages: () => 0 };
  const counts = new Uint32Array(STEPS);
  let total = 0;
  let longest = 0;
  const call = (callback, a, b, c) => {
    if (!callback) return;
    const start = performance.now();
    callback(a, b, c);
    const took = performance.now() - start;
    counts[Math.min(STEPS - 1, Math.floor(took / STEP))]++;
    total++;
    if (took > longest) longest = took;
  };
  const stream = (id) => {
    call(exports.proxy_on_context_create, id, 1);
    call(exports.proxy_on_request_headers, id, 9, 1);
    call(exports.proxy_on_response_headers, id, 7, 0);
    const old = id - LIVE;
    if (old < 2) return;
    call(exports.proxy_on_log, old);
    call(exports.proxy_on_done, old);
    call(exports.proxy_on_delete, old);
  };
  let id = 2;
  // Until compilers and the collector's pace have settled.
  while (id < STREAMS / 20) stream(id++);
  const before = pages();
  counts.fill(0);
  total = 0;
  longest = 0;
  for (const end = id + STREAMS; id < end;) stream(id++);
  const at = (share) => {
    let sum = 0;
    const step = counts.findIndex((count) => (sum += count) >= total * share);
    return (step * STEP * 1000).toFixed(2);
  };
  return [`${before} → ${pages()}`, at(0.5), at(0.99), at(0.9999), (longest * 1000).toFixed(1)];
}

async function collection(live) {
  const file = "bench/build/allocate-collected.wasm";
  await compile("bench/filters/allocate.ts", file, "proxy-wasm", ["--exportRuntime"]);
  const { exports } = await load(await readFile(new URL(`../${file}`, import.meta.url)));
  for (let id = 2; id < live + 2; id++) {
    exports.proxy_on_context_create(id, 1);
    exports.proxy_on_request_headers(id, 9, 1);
  }
  const times = [];
  for (let i = 0; i < 400; i++) {
    const start = performance.now();
    exports.__collect();
    if (i >= 200) times.push((performance.now() - start) * 1000);
  }
  return [quantile(times).toFixed(1), Math.max(...times).toFixed(1)];
}
