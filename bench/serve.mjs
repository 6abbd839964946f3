// Throughput of `serve` with add-header beside the same reverse proxy of Node without a filter, in one run: each in a
// thread of its own, before the same upstream, asked by the same client in turns.
// Usage: node bench/serve.mjs

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import { connect } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { quantile } from "./results.mjs";

const CONNECTIONS = 32;
const ROUNDS = 7;
const ROUND_MS = 1000;
const MOST_MS = 10_000;
const LEAST = 0.5;

/** What each thread listens as. */
const roles = {
  upstream: () => createServer((_request, response) => response.end("Hello, world!")),
  plain(upstream) {
    const agent = new Agent({ keepAlive: true });
    return createServer((incoming, response) => {
      const { method, url: path, headers } = incoming;
      const outgoing = request(upstream, { agent, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(outgoing);
    });
  },
};

async function listen({ role, upstream }) {
  if (role === "serve") {
    const [{ loadFilter, SystemClock }, { serve }, { connectTo }] = await Promise.all([
      import("../dist/src/index.js"),
      import("../dist/src/serve/server.js"),
      import("../dist/src/serve/connect.js"),
    ]);
    const module = await readFile(new URL("build/add-header.wasm", import.meta.url));
    const filter = await loadFilter(module, { clock: new SystemClock() });
    const { url } = await serve(filter, { port: 0, upstream: connectTo(new URL(upstream)) });
    return Number(new URL(url).port);
  }
  const server = roles[role](upstream);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

async function start(role, upstream) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { role, upstream } });
  const [port] = await once(worker, "message");
  return { worker, port };
}

/** Requests that are answered in a round, by so many connections that each wait for their answer. */
async function ask(port) {
  const text = "GET /products/42 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
  let answered = 0;
  const end = performance.now() + ROUND_MS;
  const one = async () => {
    const socket = connect(port, "127.0.0.1");
    let rest = "";
    socket.setTimeout(MOST_MS, () => socket.destroy(new Error(`no whole answer in ${MOST_MS} ms: ${rest}`)));
    socket.on("data", (chunk) => {
      rest += chunk.toString("latin1");
      if (!/^HTTP\/1\.1 200 |^.{0,12}$/.test(rest)) return socket.destroy(new Error(`another answer: ${rest}`));
      // With a length or in chunks, the body ends the answer.
      if (!/\r\n\r\n[\s\S]*Hello, world!(\r\n0\r\n\r\n)?$/.test(rest)) return;
      if (/^transfer-encoding: chunked/im.test(rest) && !rest.endsWith("\r\n0\r\n\r\n")) return;
      rest = "";
      answered++;
      if (performance.now() < end) socket.write(text);
      else socket.destroy();
    });
    await once(socket, "connect");
    socket.write(text);
    await once(socket, "close");
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  return (answered / (performance.now() - started)) * 1000;
}

if (isMainThread) {
  const upstream = await start("upstream");
  const url = `http://127.0.0.1:${upstream.port}`;
  const [plain, served] = [await start("plain", url), await start("serve", url)];
  const pairs = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [await ask(plain.port), await ask(served.port)];
    // The first round is for the compilers.
    if (round) pairs.push(pair);
  }
  // What disturbs a round disturbs both of its pair.
  const ratio = quantile(pairs.map(([plainRate, servedRate]) => servedRate / plainRate));
  const [plainRate, servedRate] = [0, 1].map((i) => quantile(pairs.map((pair) => pair[i])));
  const show = (rate) => Math.round(rate).toLocaleString("en");
  console.log(
    `serve with add-header / plain reverse proxy  ${ratio.toFixed(2)}  ${ratio >= LEAST ? "reached" : "missed"} (${LEAST})  ` +
      `${show(servedRate)} / ${show(plainRate)} requests a second, medians of ${ROUNDS} pairs`,
  );
  for (const { worker } of [upstream, plain, served]) await worker.terminate();
} else {
  parentPort.postMessage(await listen(workerData));
}
