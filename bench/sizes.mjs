// Lists in sizes.md what a filter of each family takes, and checks that list.
// Usage: node bench/sizes.mjs          writes the list
//        node bench/sizes.mjs --check  fails when a filter has become larger or smaller by more than 2 %

import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { compile } from "./build.mjs";
import { families } from "./families.mjs";
import { table } from "./results.mjs";

const root = resolve(import.meta.dirname, "..");
const list = join(import.meta.dirname, "sizes.md");
const MOST_CHANGE = 0.02;

/** The size in bytes of each family's filter, by name. */
async function measure() {
  const folder = join(import.meta.dirname, "build/families");
  await mkdir(folder, { recursive: true });
  const sizes = new Map();
  for (const [name, source] of Object.entries(families)) {
    const path = `bench/build/families/${name.replaceAll(/\W+/g, "-")}`;
    await writeFile(join(root, `${path}.ts`), source);
    await compile(`${path}.ts`, `${path}.wasm`);
    sizes.set(name, (await stat(join(root, `${path}.wasm`))).size);
  }
  return sizes;
}

function toMarkdown(sizes) {
  const base = sizes.get("nothing at all");
  const rows = [...sizes].map(([name, size]) => [name, size, size === base ? "" : `+${size - base}`]);
  return [
    "# Sizes",
    "",
    "Bytes of the smallest filter that uses a part of the SDK (`families.mjs`), in a release build. Written by",
    "`npm run sizes`; `npm test` fails when one differs by more than 2 %. What a filter does not use, it does not contain.",
    "",
    table(["a filter with", "bytes", "beside nothing"], rows),
    "",
  ].join("\n");
}

function fromMarkdown(text) {
  return new Map([...text.matchAll(/^\| (.+?) +\| +(\d+) \|/gm)].map(([, name, size]) => [name, Number(size)]));
}

const sizes = await measure();
if (process.argv.includes("--check")) {
  const listed = fromMarkdown(await readFile(list, "utf8"));
  const names = new Set([...sizes.keys(), ...listed.keys()]);
  const wrong = [...names].filter((name) => !(Math.abs(sizes.get(name) / listed.get(name) - 1) <= MOST_CHANGE));
  for (const name of wrong) {
    console.error(`a filter with ${name}: ${sizes.get(name) ?? "no"} bytes, listed are ${listed.get(name) ?? "none"}`);
  }
  if (wrong.length) console.error("When that is meant: npm run sizes");
  process.exitCode = wrong.length ? 1 : 0;
} else {
  await writeFile(list, toMarkdown(sizes));
}
