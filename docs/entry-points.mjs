// What the package promises: the files that users import. Documentation and API reports are made of these.

import { resolve } from "node:path";

/** The repository's folder. */
export const root = resolve(import.meta.dirname, "..");

/** The two sides of the package: what filters are made of, and what tests and servers use. */
export const sides = [
  {
    name: "proxy-wasm/assembly",
    tsconfig: "assembly/tsconfig.json",
    folder: "assembly",
    entryPoints: ["index", "envoy", "json", "protobuf", "rules", "struct"],
  },
  {
    name: "proxy-wasm",
    tsconfig: "tsconfig.json",
    folder: "src",
    entryPoints: ["index", "cel", "vitest", "vitest-plugin"],
  },
];
