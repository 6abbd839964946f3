// What a filter costs in a real Envoy: CPU of its worker thread for each request, beside no filter at all.

import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { createServer } from "node:net";

import { findEnvoy } from "../dist/src/cli/envoy/find.js";
import { filters } from "./peers.mjs";
import { quantile, table, writeSection } from "./results.mjs";
import { buildAll } from "./side-by-side.mjs";

const ROUNDS = 9;
const REQUESTS = 1500;
const CONNECTIONS = 8;

/** Measures and writes the section. */
export async function envoyCost(command) {
  const envoy = await findEnvoy();
  const { built, missing } = await buildAll();
  const targets = [{ file: undefined }, ...built.flatMap(({ files }) => files.map((file) => ({ file })))];
  for (const target of targets) target.port = await freePort();
  const child = await start(envoy, targets);
  try {
    for (const { port } of targets) await send(port, REQUESTS);
    for (const target of targets) target.costs = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const { port, costs } of targets) {
        const before = workerTime(child.pid);
        await send(port, REQUESTS);
        costs.push((workerTime(child.pid) - before) / REQUESTS / 1000);
      }
    }
  } finally {
    child.kill();
  }
  const [none, ...others] = targets.map(({ costs }) => costs);
  const cell = (costs) => {
    const ratios = costs.map((cost, round) => cost / none[round]);
    return `${quantile(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)}–${quantile(ratios, 0.75).toFixed(2)})`;
  };
  const rows = built.map(({ name }, i) => {
    const own = others.slice(i * filters.length, (i + 1) * filters.length);
    return [name].concat(own.map(cell));
  });
  const version = /\d+\.\d+\.\d+/.exec(execFileSync(envoy, ["--version"], { encoding: "utf8" }))[0];
  const text =
    `Envoy ${version}, one worker. CPU of the worker thread per request, as ratios to no filter (median ` +
    `${quantile(none).toFixed(0)} µs): the median of ${ROUNDS} rounds of ${REQUESTS} requests that take turns, and the two ` +
    `quartiles.${missing.length ? ` Left out: ${missing.join("; ")}.` : ""}`;
  await writeSection("In Envoy", command, `${text}\n\n${table(["", ...filters], rows)}`);
}

async function start(envoy, targets) {
  const listeners = targets.map(({ file, port }, i) => listener(`l${i}`, port, file));
  const config = JSON.stringify({ static_resources: { listeners } });
  const flags = [
    "--config-yaml",
    config,
    "--use-dynamic-base-id",
    "--concurrency",
    "1",
    "--log-level",
    "info",
    "--component-log-level",
    "wasm:warning",
  ];
  const child = spawn(envoy, flags, { stdio: ["ignore", "ignore", "pipe"] });
  process.once("exit", () => child.kill());
  await new Promise((done, failed) => {
    let log = "";
    child.stderr.on("data", (chunk) => {
      log += chunk;
      if (log.includes("starting main dispatch loop")) done();
    });
    child.once("exit", (code) => failed(new Error(`Envoy ended with ${code}:\n${log.slice(-2000)}`)));
  });
  child.stderr.resume();
  return child;
}

const type = (path) => ({ "@type": `type.googleapis.com/${path}` });

function listener(name, port, file) {
  const wasm = {
    name: "envoy.filters.http.wasm",
    typed_config: {
      ...type("envoy.extensions.filters.http.wasm.v3.Wasm"),
      config: {
        name,
        vm_config: { vm_id: name, runtime: "envoy.wasm.runtime.v8", code: { local: { filename: file } } },
      },
    },
  };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: type("envoy.extensions.filters.http.router.v3.Router"),
  };
  const answer = { status: 200, body: { inline_string: "Hello, world!" } };
  const manager = {
    ...type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: name,
    route_config: {
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: answer }] }],
    },
    http_filters: file ? [wasm, router] : [router],
  };
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return { name, address, filter_chains: [{ filters: [filter] }] };
}

/** Nanoseconds of CPU that Envoy's worker has had. */
function workerTime(pid) {
  const tasks = `/proc/${pid}/task`;
  const worker = readdirSync(tasks).find((task) => readFileSync(`${tasks}/${task}/comm`, "utf8").startsWith("wrk:"));
  return Number(readFileSync(`${tasks}/${worker}/schedstat`, "utf8").split(" ")[0]);
}

/** Sends so many requests over a few connections. */
async function send(port, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const headers = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0" };
  let left = count;
  const one = () =>
    new Promise((done, failed) => {
      get({ port, path: "/products/42?color=red", agent, headers }, (response) => {
        if (response.statusCode !== 200) failed(new Error(`port ${port} answered ${response.statusCode}`));
        response.resume().on("end", done);
      }).on("error", failed);
    });
  const loop = async () => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
  agent.destroy();
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
