// What a module says of how it was made.

import { createRequire } from "node:module";

import { version as compilerVersion } from "assemblyscript/asc";

const { version: sdkVersion } = createRequire(import.meta.url)("../package.json");

/** The section that says what a module was made with. Source: tool-conventions, "ProducersSection.md". */
export function producers() {
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const entry = (field, value, version) => [name(field), 1, name(value), name(version)].flat();
  const entries = [
    entry("language", "AssemblyScript", ""),
    entry("processed-by", "asc", compilerVersion),
    entry("sdk", "proxy-wasm", sdkVersion),
  ];
  return Uint8Array.from([entries.length, ...entries.flat()]);
}
