// What the host costs, as ratios: a stream against the filter alone, an exchange against the same over real HTTP, loading
// against WebAssembly's own instantiation, and the host's heap over many exchanges.
// Usage: node --expose-gc bench/host.mjs

import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";

import { loadFilter } from "../dist/src/index.js";
import { serve } from "../dist/src/serve/server.js";
import { load } from "./stub-host.mjs";

const ROUNDS = 101;
const EXCHANGES = 1_000_000;
const bytes = await readFile(new URL("build/add-header.wasm", import.meta.url));

const requestHeaders = [
  [":method", "GET"],
  [":path", "/products/42?color=red"],
  [":authority", "shop.example.com"],
  [":scheme", "http"],
  ["user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"],
  ["accept", "*/*"],
  ["accept-encoding", "gzip"],
  ["x-forwarded-proto", "http"],
  ["x-request-id", "b4d2b1a4-6b0c-4d53-9f38-0e5bd1b3a7c5"],
];
const responseHeaders = [
  [":status", "200"],
  ["content-type", "text/plain"],
  ["content-length", "13"],
  ["cache-control", "no-store"],
  ["etag", '"1"'],
  ["vary", "accept"],
  ["x-envoy-upstream-service-time", "1"],
];
const body = "Hello, world!";

/** The fastest of some rounds of two things, interleaved, in nanoseconds for each time: the least disturbed one. */
async function compare(times, ...acts) {
  const taken = acts.map(() => []);
  for (let round = 0; round < 2 * ROUNDS; round++) {
    for (const [i, act] of acts.entries()) {
      const start = process.hrtime.bigint();
      await act(times);
      if (round >= ROUNDS) taken[i].push(Number(process.hrtime.bigint() - start) / times);
    }
  }
  return taken.map((numbers) => Math.min(...numbers));
}

function report(what, unit, value, limit, detail) {
  const verdict = value <= limit ? "reached" : "missed";
  console.log(`${what.padEnd(44)} ${value.toFixed(2).padStart(6)} ${unit.padEnd(1)}  ${verdict} (${limit})  ${detail}`);
}
const nanoseconds = (number) => `${Math.round(number).toLocaleString("en")} ns`;

/** What no host can do without that shows a test headers and a trace: copies of the two lists, and a note of each call. */
function bare(stub) {
  const copy = (list) => list.map(([name, value]) => [name, value]);
  const calls = [
    "context_create",
    "request_headers",
    "add_header_map_value",
    "response_headers",
    "done",
    "log",
    "delete",
  ];
  const request = copy(requestHeaders);
  const response = copy(responseHeaders);
  const events = calls.map((name) => ({ kind: "callback", name, args: [1, 2, 3], result: 0 }));
  stub.stream();
  return { request, response, events };
}

async function stream() {
  const stub = await load(bytes);
  const filter = await loadFilter(bytes);
  let last;
  const [alone, least, hosted] = await compare(
    2000,
    (times) => {
      for (let i = 0; i < times; i++) stub.stream();
    },
    (times) => {
      for (let i = 0; i < times; i++) last = bare(stub);
    },
    (times) => {
      for (let i = 0; i < times; i++) {
        const stream = filter.stream();
        stream.requestHeaders(requestHeaders, { endStream: true });
        stream.responseHeaders(responseHeaders, { endStream: true });
        if (!stream.ended) throw new Error("the stream goes on");
      }
    },
  );
  if (last.events.length !== 7) throw new Error("other events");
  report(
    "filter.stream() to the module alone",
    "×",
    hosted / alone,
    10,
    `${nanoseconds(hosted)} / ${nanoseconds(alone)}`,
  );
  console.log(`only copying headers and noting calls: ${(least / alone).toFixed(1)} × (${nanoseconds(least)})`);
  console.log(`filter.stream(): ${Math.round(1e9 / hosted).toLocaleString("en")} a second`);
}

async function exchange() {
  const filter = await loadFilter(bytes);
  const server = await serve(await loadFilter(bytes), { port: 0 });
  const agent = new Agent({ keepAlive: true });
  const headers = Object.fromEntries(requestHeaders.filter(([name]) => /^(user-agent|accept)/.test(name)));
  const [inside, real] = await compare(
    100,
    async (times) => {
      for (let i = 0; i < times; i++) {
        const response = await filter.request({ path: "/products/42", headers }, { upstream: () => ({ body }) });
        if (response.text() !== body) throw new Error("another body");
      }
    },
    async (times) => {
      for (let i = 0; i < times; i++) {
        if ((await get(`${server.url}/products/42`, { agent, headers })) !== body) throw new Error("another body");
      }
    },
  );
  agent.destroy();
  await server.close();
  report(
    "filter.request() to the same over HTTP",
    "×",
    inside / real,
    0.1,
    `${nanoseconds(inside)} / ${nanoseconds(real)}`,
  );
  console.log(`filter.request(): ${Math.round(1e9 / inside).toLocaleString("en")} a second`);
}

function get(url, options) {
  return new Promise((done, failed) => {
    const outgoing = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk)).on("end", () => done(text));
    });
    outgoing.on("error", failed).end();
  });
}

/** A module that no cache knows: the same with a number in a section that means nothing. */
let copies = 0;
function copy() {
  const number = new Uint8Array(new Uint32Array([copies++]).buffer);
  return new Uint8Array([...bytes, 0, 5, 0, ...number]);
}

async function loading() {
  const module = await WebAssembly.compile(bytes);
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
  const [alone, hosted] = await compare(
    10,
    async (times) => {
      for (let i = 0; i < times; i++) await WebAssembly.instantiate(copy(), imports);
    },
    async (times) => {
      for (let i = 0; i < times; i++) await loadFilter(copy());
    },
  );
  const detail = `${nanoseconds(hosted)} / ${nanoseconds(alone)}, ${bytes.length} bytes`;
  report("loadFilter() to WebAssembly.instantiate()", "×", hosted / alone, 3, detail);
}

/** Bytes of the heap that each exchange leaves behind. */
async function heap() {
  const filter = await loadFilter(bytes);
  const run = async (count) => {
    for (let i = 0; i < count; i++) await filter.request("/", { upstream: () => ({ body }) });
    globalThis.gc();
    return process.memoryUsage().heapUsed;
  };
  const before = await run(EXCHANGES / 10);
  const after = await run(EXCHANGES);
  const kib = (number) => `${Math.round(number / 1024).toLocaleString("en")} KiB`;
  const grown = Math.max(0, after - before) / EXCHANGES;
  const what = `bytes kept of each of ${EXCHANGES.toLocaleString("en")} exchanges`;
  report(what, "", grown, 1, `${kib(before)} → ${kib(after)}`);
  if (grown > 1) process.exitCode = 1;
}

for (const measure of [stream, exchange, loading, heap]) await measure();
