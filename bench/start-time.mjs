// How long modules take to start: compiled, instantiated and initialized, in turns.

import { readFile } from "node:fs/promises";

const ROUNDS = 101;
/** From one module to the next: no divisor of their number. */
const STEP = 7;

/** Microseconds of every start of each file. */
export async function startTimes(files) {
  const modules = await Promise.all(files.map(async (file) => ({ bytes: await readFile(file), times: [] })));
  for (let round = 0; round < ROUNDS; round++) {
    // What comes first in a round is slower: each does in its turn.
    for (const i of modules.keys()) {
      const { bytes, times } = modules[(i * STEP + round) % modules.length];
      const copy = unknown(bytes);
      const imports = {};
      const start = process.hrtime.bigint();
      const module = new WebAssembly.Module(copy);
      for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
      const { exports } = new WebAssembly.Instance(module, imports);
      (exports._initialize ?? exports._start)?.();
      times.push(Number(process.hrtime.bigint() - start) / 1000);
    }
  }
  return modules.map(({ times }) => times);
}

let copies = 0;

/** The module with a number in a section that means nothing, so that no cache knows it. */
function unknown(bytes) {
  const number = new Uint8Array(new Uint32Array([copies++]).buffer);
  return new Uint8Array([...bytes, 0, 5, 0, ...number]);
}
