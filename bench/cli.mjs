// How long a person waits for the command line: for its help, beside Node alone, and for an answer of the new module
// after a save.
// Usage: node bench/cli.mjs

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";

import { quantile } from "./results.mjs";

const root = resolve(import.meta.dirname, "..");
const program = join(root, "dist/src/cli/main.js");
const RUNS = 15;
const SAVES = 10;
const MOST_MS = 30_000;
const PAUSE_MS = 5;

const report = (what, milliseconds, most) =>
  console.log(`${what.padEnd(58)} ${milliseconds.toFixed(0).padStart(6)} ms   at most ${most} ms`);

/** Milliseconds that Node takes for these arguments, one run after the other and side by side. */
function help() {
  const time = (args) => {
    const start = performance.now();
    spawnSync(process.execPath, args);
    return performance.now() - start;
  };
  const pairs = Array.from({ length: RUNS }, () => [time(["-e", "0"]), time([program, "--help"])]);
  const [alone, ours] = [0, 1].map((i) => quantile(pairs.map((pair) => pair[i])));
  report(`proxy-wasm --help (node -e 0: ${alone.toFixed(0)} ms), more`, ours - alone, 150);
}

/** Milliseconds from a save to the first answer of the new module, in `serve`. */
async function save() {
  await mkdir(join(root, "bench/build"), { recursive: true });
  const folder = await mkdtemp(join(root, "bench/build/served-"));
  const source = join(folder, "assembly/index.ts");
  try {
    for (const name of ["asconfig.json", "assembly"]) {
      await cp(join(root, "templates/common", name), join(folder, name), { recursive: true });
    }
    await cp(join(root, "templates/add-header/assembly"), join(folder, "assembly"), { recursive: true });
    const text = await readFile(source, "utf8");
    const stdio = ["ignore", "pipe", "ignore"];
    const child = spawn(process.execPath, [program, "serve", "--port", "0"], { cwd: folder, stdio });
    const ended = once(child, "exit");
    try {
      const url = await urlOf(child);
      const times = [];
      // The first ones are for the compiler.
      for (let i = -2; i < SAVES; i++) {
        const start = performance.now();
        await writeFile(source, text.replace("my-service", `service-${i}`));
        while ((await serviceName(url)) !== `service-${i}`) {
          if (performance.now() - start > MOST_MS) throw new Error("the new module does not answer");
          await setTimeout(PAUSE_MS);
        }
        if (i >= 0) times.push(performance.now() - start);
      }
      const longest = `, longest ${Math.max(...times).toFixed(0)}`;
      report(`from a save to an answer of the new module${longest}`, quantile(times), 1000);
    } finally {
      child.kill();
      await ended;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where it serves, once it does. */
function urlOf(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk.toString();
      const [, url] = /curl -i (\S+)\n/.exec(said) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.on("exit", () => reject(new Error(`serve has ended: ${said}`)));
  });
}

async function serviceName(url) {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.headers.get("x-service-name");
}

help();
await save();
