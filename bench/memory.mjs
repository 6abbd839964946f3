// Whether a filter's memory stays flat over millions of streams, and bounded within one callback. Pages are 64 KiB; a
// module's memory never shrinks, so what it has at the end is the most it ever had.
// Usage: node bench/memory.mjs [--quick]     (--quick: a hundredth of the streams)

import { readFile } from "node:fs/promises";

import { build } from "./build.mjs";
import { load } from "./stub-host.mjs";

const share = process.argv.includes("--quick") ? 100 : 1;
const STREAMS = 10_000_000 / share;
const ALLOCATING_STREAMS = 1_000_000 / share;
const CONCURRENT = 5000;
const CARELESS_CALLS = 1_000_000 / share;
const WASTEFUL_CALLS = 10_000 / share;
const CHARACTERS = 65_536;
/** What can be left uncollected until the callback returns without filling the memory. */
const FEWER_CHARACTERS = 4096;
/** The largest answer of a host that asks for room and delivers nothing. */
const MOST_BYTES = 100_000;
const PAGE = 65_536;

const rows = [];

/** Calls `warmUp` and `act` so many times, and notes the pages behind each; more than `most` of them is a failure. */
function measure(what, runtime, { pages, warmUp, times, act, most }) {
  warmUp();
  const before = pages();
  for (let i = 0; i < times; i++) act();
  const after = pages();
  const grown = after > before ? `grew by ${count(Math.ceil(((after - before) * PAGE) / times))} bytes each time` : "";
  const tooMany = after > most ? `more than ${most} pages` : "";
  rows.push({ what: what(count(times)), runtime, before, after, problem: grown || tooMany });
}

/** The same where the runtime cannot hold it: said, with what it takes, and no failure. */
function measureWithout(reason, what, runtime, options) {
  measure(what, runtime, { ...options, most: Infinity });
  const row = rows.at(-1);
  row.cannot = row.problem ? `${reason}; ${row.problem}` : reason;
}

function count(number) {
  return number.toLocaleString("en");
}

function repeat(times, act) {
  return () => {
    for (let i = 0; i < times; i++) act();
  };
}

async function bytes(name, runtime) {
  return readFile(await build(name, runtime));
}

/** A stream after the other through the smallest filter. */
async function manyStreams(runtime) {
  const { stream, pages } = await load(await bytes("add-header", runtime));
  const what = (times) => `${times} streams that add a header`;
  const options = { pages, warmUp: repeat(STREAMS / 100, stream), act: stream };
  if (runtime === "stub") return measureWithout("frees nothing", what, runtime, { ...options, times: STREAMS / 100 });
  measure(what, runtime, { ...options, times: STREAMS, most: 1 });
}

/** Streams that keep 1 kB each, many at a time, and end in no order. */
async function streamsThatAllocate(runtime) {
  const { exports, pages } = await load(await bytes("allocate", runtime));
  const random = randomNumbers();
  const live = [];
  let next = 2;
  const open = () => {
    exports.proxy_on_context_create(next, 1);
    exports.proxy_on_request_headers(next, 9, 1);
    return next++;
  };
  const replaceOne = () => {
    const at = random() % CONCURRENT;
    exports.proxy_on_delete(live[at]);
    live[at] = open();
  };
  while (live.length < CONCURRENT) live.push(open());
  const what = (times) => `${times} streams that keep 1 kB, ${count(CONCURRENT)} at a time`;
  // The collector's pace follows what is alive: it takes some rounds over all of it to settle.
  const options = { pages, warmUp: repeat(20 * CONCURRENT, replaceOne), act: replaceOne };
  if (runtime === "stub") {
    return measureWithout("frees nothing", what, runtime, { ...options, times: ALLOCATING_STREAMS / 100 });
  }
  // 5 MiB are alive. The collector lets that double, and memory grows by doubling.
  measure(what, runtime, { ...options, times: ALLOCATING_STREAMS, most: 256 });
}

/** A host that asks for room and delivers nothing, while the filter waits for nothing. */
async function mallocBetweenCallbacks(runtime) {
  const { exports, pages } = await load(await bytes("read-and-tag", runtime));
  const random = randomNumbers();
  const act = () => exports.malloc(random() % MOST_BYTES);
  const what = (times) => `${times} times malloc between callbacks, nothing delivered`;
  measure(what, runtime, { pages, warmUp: repeat(1000, act), act, times: CARELESS_CALLS, most: 8 });
}

/** The same from inside the host calls of a callback, which fail then. */
async function mallocInHostCalls(runtime) {
  const random = randomNumbers();
  const { exports, pages } = await instantiate(await bytes("read-and-tag", runtime), (exports) => {
    // Twice, as if the first had been forgotten.
    for (let i = 0; i < 2; i++) exports.malloc(random() % MOST_BYTES);
    return 10; // InternalFailure
  });
  exports.proxy_on_context_create(1, 0);
  exports.proxy_on_context_create(2, 1);
  const act = () => exports.proxy_on_request_headers(2, 9, 1);
  const what = (times) => `${times} callbacks whose host calls malloc and fail`;
  measure(what, runtime, { pages, warmUp: repeat(20_000, act), act, times: CARELESS_CALLS, most: 16 });
}

/** Callbacks that each leave a megabyte behind. */
async function muchGarbage(runtime) {
  const { exports, pages } = await load(await bytes("concat", runtime));
  exports.proxy_on_context_create(2, 1);
  const act = () => exports.proxy_on_request_headers(2, 1024, 1);
  const what = (times) => `${times} callbacks that leave 1 MiB of garbage each`;
  const options = { pages, warmUp: repeat(10, act), act };
  if (runtime === "stub") return measureWithout("frees nothing", what, runtime, { ...options, times: 100 });
  measure(what, runtime, { ...options, times: WASTEFUL_CALLS, most: 256 });
}

/** Garbage without end from one callback: every character makes a copy of all before. */
async function oneCallback(runtime) {
  const { exports, pages } = await load(await bytes("concat", runtime));
  exports.proxy_on_context_create(2, 1);
  const concat = (characters) => () => {
    if (exports.proxy_on_request_headers(2, characters, 1) !== 0)
      throw new Error(`no text of ${characters} characters`);
  };
  const most = 64;
  if (runtime === "proxy-wasm" || runtime === "incremental") {
    const what = () => `one callback that appends ${count(CHARACTERS)} characters one by one`;
    return measure(what, runtime, { pages, warmUp: concat(CHARACTERS), act: concat(CHARACTERS), times: 1, most });
  }
  // The whole number of characters would fill 4 GiB, and then the module traps.
  const reason = runtime === "stub" ? "frees nothing" : "collects between callbacks only";
  const what = (times) => `${times} callbacks that append ${count(FEWER_CHARACTERS)} characters one by one`;
  const act = concat(FEWER_CHARACTERS);
  measureWithout(reason, what, runtime, { pages, warmUp: act, act, times: 10 });
}

/** A module whose every host call does `answer`. */
async function instantiate(bytes, answer) {
  const module = await WebAssembly.compile(bytes);
  const calls = {};
  for (const { name } of WebAssembly.Module.imports(module)) calls[name] = () => answer(exports);
  const { exports } = await WebAssembly.instantiate(module, { env: calls });
  exports._initialize();
  return { exports, pages: () => exports.memory.buffer.byteLength / PAGE };
}

/** The same whole numbers in every run: Marsaglia's xorshift. */
function randomNumbers() {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

for (const runtime of ["proxy-wasm", "incremental", "minimal", "stub"]) {
  await manyStreams(runtime);
  await streamsThatAllocate(runtime);
  await mallocBetweenCallbacks(runtime);
  await mallocInHostCalls(runtime);
  await muchGarbage(runtime);
  await oneCallback(runtime);
}

const width = Math.max(...rows.map(({ what }) => what.length));
console.log(`${"".padEnd(width)}  ${"runtime".padEnd(11)}  pages before  after`);
for (const { what, runtime, before, after, problem, cannot } of rows) {
  const verdict = cannot ? `cannot: ${cannot}` : problem ? `FAIL: ${problem}` : "PASS";
  const pages = `${String(before).padStart(12)}  ${String(after).padStart(5)}`;
  console.log(`${what.padEnd(width)}  ${runtime.padEnd(11)}  ${pages}  ${verdict}`);
}
if (rows.some(({ problem, cannot }) => problem && !cannot)) process.exitCode = 1;
