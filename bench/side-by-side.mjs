// The same three filters by every peer that this machine can build: bytes, time, memory, and how fast they start.

import { readFile, stat } from "node:fs/promises";

import { expectSame } from "./agree.mjs";
import { build } from "./build.mjs";
import { guestTimes } from "./guest-time.mjs";
import { filters, peers } from "./peers.mjs";
import { quantile, table, writeSection } from "./results.mjs";
import { startTimes } from "./start-time.mjs";
import { load } from "./stub-host.mjs";

const STREAMS = 1_000_000;
/** The one that the others are measured by: the crate as a user builds it. */
const BASE = "Rust";
const OWN = "proxy-wasm";

/** Builds, compares, measures and writes the section; gives the peers that could be built. */
export async function sideBySide(command) {
  const { built, missing } = await buildAll();
  for (const [i, filter] of filters.entries()) {
    const modules = built.map(async ({ name, files }) => ({ peer: name, bytes: await readFile(files[i]) }));
    await expectSame(filter, await Promise.all(modules));
  }
  const base = built.find(({ name }) => name === BASE) ?? built[0];
  const parts = [
    "All do the same with a request, which the run checks first. Built with:",
    built.map(({ name, command }) => `- ${name}: ${command}`).join("\n"),
    missing.length ? `Left out:\n\n${missing.map((line) => `- ${line}`).join("\n")}` : "Left out is none.",
    "### Bytes",
    await bytesTable(built),
    "### Time per stream",
    `The callbacks of a request under a host that does next to nothing (\`stub-host.mjs\`), 16 streams alive, in ns: the ` +
      `median of short rounds that take turns, and the two quartiles; ratios are to ${base.name}.`,
    await timeTable(built, base),
    "### With many streams",
    "Median ns per stream with 1 and with 10,000 streams alive; the last filter keeps 1 kB of each.",
    await manyTable(built),
    "### Memory",
    `Pages of 64 KiB before and after ${STREAMS.toLocaleString("en")} streams of add-header.`,
    await memoryTable(built),
    "### Start",
    "Compiling, instantiating and `_initialize`, in µs; a module that no cache knows.",
    await startTable(built),
  ];
  await writeSection("Filters side by side", command, parts.join("\n\n"));
}

/** Each peer with the paths of its modules, and a line for each that could not be built. */
export async function buildAll() {
  const built = [];
  const missing = [];
  for (const peer of peers) {
    try {
      built.push({ ...peer, files: await peer.build() });
      console.log(`built ${peer.name}`);
    } catch (error) {
      const reason = String(error.stderr || error.message)
        .trim()
        .split("\n")
        .at(-1);
      missing.push(`${peer.name}: ${reason}`);
      console.log(`left out ${missing.at(-1)}`);
    }
  }
  return { built, missing };
}

async function bytesTable(built) {
  const rows = built.map(async ({ name, files }) => [name, ...(await Promise.all(files.map(sizeOf)))]);
  return table(["", ...filters], await Promise.all(rows));
}

async function sizeOf(file) {
  return (await stat(file)).size.toLocaleString("en");
}

async function timeTable(built, base) {
  const columns = [];
  for (const i of filters.keys())
    columns.push(
      await guestTimes(
        built.map(({ files }) => files[i]),
        16,
      ),
    );
  const rows = built.map(({ name }, peer) => [
    name,
    ...columns.flatMap((times) => {
      const { lower, median, upper } = times[peer];
      const ratio = median / times[built.indexOf(base)].median;
      return [`${median.toFixed(0)} (${lower.toFixed(0)}–${upper.toFixed(0)})`, `${ratio.toFixed(2)} ×`];
    }),
  ]);
  return table(["", ...filters.flatMap((filter) => [filter, "ratio"])], rows);
}

async function manyTable(built) {
  const rows = [];
  for (const { name, files } of built.filter(({ name }) => name === OWN || name === BASE)) {
    for (const [i, file] of files.entries()) rows.push([`${name}: ${filters[i]}`, ...(await fewAndMany(file))]);
  }
  rows.push([`${OWN}: allocate`, ...(await fewAndMany(await build("allocate")))]);
  return table(["", "1", "10,000", "ratio"], rows);
}

async function fewAndMany(file) {
  const [[few], [many]] = [await guestTimes([file], 1), await guestTimes([file], 10_000)];
  return [few.median.toFixed(0), many.median.toFixed(0), `${(many.median / few.median).toFixed(2)} ×`];
}

async function memoryTable(built) {
  const rows = [];
  for (const { name, files } of built) {
    const { stream, pages } = await load(await readFile(files[0]));
    for (let i = 0; i < STREAMS / 100; i++) stream();
    const before = pages();
    for (let i = 0; i < STREAMS; i++) stream();
    rows.push([name, before, pages()]);
  }
  return table(["", "before", "after"], rows);
}

async function startTable(built) {
  const rows = built.map(({ name }) => [name]);
  for (const i of filters.keys()) {
    const times = await startTimes(built.map(({ files }) => files[i]));
    for (const [peer, row] of rows.entries()) row.push(quantile(times[peer]).toFixed(0));
  }
  return table(["", ...filters], rows);
}
