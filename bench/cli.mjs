// How long a person waits for the command line: for its help, beside Node alone, and for a new module after a save.
// Usage: node bench/cli.mjs

import { spawn, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const program = join(root, "dist/src/cli/main.js");
const RUNS = 15;
const SAVES = 10;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const report = (what, milliseconds, most) =>
  console.log(`${what.padEnd(48)} ${milliseconds.toFixed(0).padStart(6)} ms   at most ${most} ms`);

/** Milliseconds that Node takes for these arguments, one run after the other and side by side. */
function help() {
  const time = (args) => {
    const start = performance.now();
    spawnSync(process.execPath, args);
    return performance.now() - start;
  };
  const pairs = Array.from({ length: RUNS }, () => [time(["-e", "0"]), time([program, "--help"])]);
  const [alone, ours] = [0, 1].map((i) => median(pairs.map((pair) => pair[i])));
  report(`proxy-wasm --help (node -e 0: ${alone.toFixed(0)} ms), more`, ours - alone, 150);
}

/** Milliseconds from a save to the new module, in `build --watch`. */
async function save() {
  await mkdir(join(root, "bench/build"), { recursive: true });
  const folder = await mkdtemp(join(root, "bench/build/watched-"));
  const source = join(folder, "assembly/index.ts");
  try {
    for (const name of ["asconfig.json", "assembly"]) {
      await cp(join(root, "templates/common", name), join(folder, name), { recursive: true });
    }
    await cp(join(root, "templates/add-header/assembly"), join(folder, "assembly"), { recursive: true });
    const text = await readFile(source, "utf8");
    const child = spawn(process.execPath, [program, "build", folder, "--watch"]);
    let heard = () => {};
    child.stdout.on("data", (chunk) => heard(chunk.toString()));
    const says = (what) => new Promise((done) => (heard = (said) => said.includes(what) && done()));
    await says("Ctrl-C");
    const times = [];
    for (let i = 0; i < SAVES; i++) {
      const start = performance.now();
      const built = says("release.wasm");
      await writeFile(source, text.replace("my-service", `service-${i}`));
      await built;
      times.push(performance.now() - start);
    }
    child.kill();
    report("from a save to the new module", median(times), 1000);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

help();
await save();
