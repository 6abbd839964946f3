// What packaging and pushing take, beside the least that they could: `node -e 0`, and curl with the same bytes.
// Usage: node bench/oci.mjs

import { execFile, fork } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { openPackaged } from "../dist/src/oci/packaged.js";
import { push } from "../dist/src/oci/push.js";
import { parseReference } from "../dist/src/oci/reference.js";
import { Repository } from "../dist/src/oci/registry.js";
import { quantile } from "./results.mjs";

const RUNS = 11;
const PACKAGE_MS = 300;
const PUSH_FACTOR = 2;
const LAYER_BYTES = 20_000_000;

const run = promisify(execFile);
const main = resolve(import.meta.dirname, "../dist/src/cli/main.js");
const filter = resolve(import.meta.dirname, "build/add-header.wasm");

/** The medians of some actions in milliseconds, taken in turns, forth and back, so that what disturbs one disturbs all. */
async function medians(actions) {
  const times = actions.map(() => []);
  for (let i = 0; i < RUNS; i++) {
    const turns = [...actions.entries()];
    for (const [n, action] of i % 2 ? turns.reverse() : turns) {
      const start = performance.now();
      await action();
      times[n].push(performance.now() - start);
    }
  }
  return times.map((list) => quantile(list));
}

/** A registry that reads what it gets, computes digests as registries do, and keeps nothing: no blob is ever there. */
function sink() {
  const server = createServer((request, response) => {
    const hash = createHash("sha256");
    request.on("data", (chunk) => hash.update(chunk));
    request.on("end", () => {
      hash.digest();
      response.writeHead({ HEAD: 404, POST: 202, PUT: 201 }[request.method] ?? 404, { location: "/upload" }).end();
    });
  });
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
}

/** Starts it in a process of its own, as registries have one. */
async function startSink() {
  const child = fork(fileURLToPath(import.meta.url), ["--sink"]);
  const port = await new Promise((done) => child.once("message", done));
  return { port, stop: () => child.kill() };
}

/** Pushes a layout with what the command uses. */
async function pushTo(port, layout) {
  const http = {
    fetch,
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    secrets: new Set(),
    onRetry: console.error,
  };
  const options = { http, plainHttp: true, actions: "pull,push", findCredential: async () => undefined };
  const repository = new Repository(parseReference(`127.0.0.1:${port}/acme/f:1`), options);
  const packaged = await openPackaged(layout);
  return () => push(repository, { ...packaged, statements: [], tags: ["1"], onProgress: () => {} });
}

/** A module of ours with 20 MB that cannot be compressed in a custom section. */
async function bigModule(folder) {
  const content = randomFillSync(Buffer.alloc(LAYER_BYTES));
  content[0] = 0;
  const size = [];
  for (let rest = content.length; ; rest >>>= 7) {
    size.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  const file = join(folder, "big.wasm");
  await writeFile(file, Buffer.concat([await readFile(filter), Buffer.from([0, ...size]), content]));
  return file;
}

async function compare() {
  const folder = await mkdtemp(join(tmpdir(), "proxy-wasm-bench-"));
  const node = (...args) => run(process.execPath, args, { cwd: folder });
  const server = await startSink();
  try {
    const [start, packaging] = await medians([
      () => node("-e", "0"),
      () => node(main, "package", filter, "--out", join(folder, "image")),
    ]);
    report(`package, with ${start.toFixed(0)} ms for node -e 0`, packaging, PACKAGE_MS, "ms");

    const module = await bigModule(folder);
    const layout = join(folder, "big");
    await node(main, "package", module, "--out", layout);
    const url = `http://127.0.0.1:${server.port}/upload`;
    const [curl, pushing, command] = await medians([
      () => run("curl", ["--silent", "--show-error", "--fail", "--upload-file", module, url]),
      await pushTo(server.port, layout),
      () => node(main, "push", `127.0.0.1:${server.port}/acme/f:1`, "--image", layout, "--no-statements", "--quiet"),
    ]);
    const beside = `${curl.toFixed(0)} ms of curl -T`;
    report(`push of 20 MB, ${pushing.toFixed(0)} ms beside ${beside}`, pushing / curl, PUSH_FACTOR, "times");
    const whole = `the command for it, ${command.toFixed(0)} ms, ${start.toFixed(0)} of them node's start, beside ${beside}`;
    report(whole, command / curl, PUSH_FACTOR, "times");
  } finally {
    server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function report(what, value, limit, unit) {
  const verdict = value <= limit ? "reached" : "missed";
  console.log(`${value.toFixed(unit === "ms" ? 0 : 1)} ${unit}  ${verdict} (${limit})  ${what}`);
}

if (process.argv.includes("--sink")) sink();
else await compare();
