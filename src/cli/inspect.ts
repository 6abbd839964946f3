// `proxy-wasm inspect`: what is in a module, and what takes its bytes.

import { Command } from "commander";

import { abiOf, readFacts } from "../check/facts.ts";
import type { ModuleFacts } from "../check/judge.ts";
import type { ModuleInfo } from "../module/module.ts";
import type { ModuleParts } from "../module/module-parts.ts";
import { readBytes, readSourceMap } from "../module/read-file.ts";
import { SourceMap, type SourcePosition } from "../module/source-map.ts";
import { printable, printableJson } from "./printable.ts";
import type { Streams } from "./streams.ts";

/** The command. */
export function inspectCommand(streams: Streams): Command {
  return new Command("inspect")
    .description("Say what is in a module, of whatever language: imports, exports, sections, and what takes its bytes.")
    .argument("[module]", "the compiled filter", "build/release.wasm")
    .option("--json", "print everything as JSON")
    .option("--all", "list every function and source file, not only the largest")
    .addHelpText("after", examples)
    .action((module: string, flags: { json?: boolean; all?: boolean }) => run(module, flags, streams));
}

const examples = `
Sizes by source file need the source map beside the module. A function without a name (release builds have none) is
called by the place of its first instruction in the source.

Examples:
  proxy-wasm inspect
  proxy-wasm inspect build/debug.wasm --all
  proxy-wasm inspect filter.wasm --json`;

const MOST_ROWS = 10;

interface Sized {
  readonly name: string;
  readonly size: number;
}

/** What is known of a module. */
interface Description {
  readonly module: string;
  readonly bytes: number;
  readonly abi: string | null;
  readonly producers: ModuleParts["producers"];
  readonly memories: ModuleInfo["memories"];
  readonly imports: ModuleInfo["imports"];
  readonly exports: ModuleInfo["exports"];
  readonly sections: readonly Sized[];
  /** The largest first. */
  readonly functions: readonly Sized[];
  /** By source file, the largest first; null without a source map. */
  readonly sources: readonly Sized[] | null;
}

async function run(module: string, flags: { json?: boolean; all?: boolean }, streams: Streams): Promise<void> {
  const { facts, parts } = await readFacts(await readBytes(module), module);
  const text = await readSourceMap(module, facts.sourceMappingUrl);
  const description = describe(module, facts, parts, text === undefined ? undefined : new SourceMap(text));
  const most = flags.all ? Infinity : MOST_ROWS;
  streams.stdout.write(flags.json ? `${printableJson(description)}\n` : report(description, most));
}

function describe(module: string, facts: ModuleFacts, parts: ModuleParts, map: SourceMap | undefined): Description {
  const { bytes, memories, imports, exports } = facts;
  const { producers, sections } = parts;
  const stretches = map && stretchesOf(parts, map);
  const functions = parts.functions.map(({ index, name, size }, i) => {
    const place = stretches?.[i]!.find(({ position }) => position)?.position;
    return { name: name ?? (place ? `${place.file}:${place.line}` : `function ${index}`), size };
  });
  const abi = abiOf(facts) ?? null;
  const sources = stretches ? sizesBySource(stretches.flat()) : null;
  return {
    module,
    bytes,
    abi,
    producers,
    memories,
    imports,
    exports,
    sections,
    functions: largestFirst(functions),
    sources,
  };
}

/** A part of a function that comes from one place. */
interface Stretch {
  readonly position: SourcePosition | undefined;
  readonly size: number;
}

/** The stretches of each function, in order. */
function stretchesOf({ functions }: ModuleParts, map: SourceMap): Stretch[][] {
  const segments = [...map.segments()];
  let next = 0;
  return functions.map(({ offset, size }) => {
    while (next < segments.length && segments[next]!.offset < offset) next++;
    const first = next;
    while (next < segments.length && segments[next]!.offset < offset + size) next++;
    const own = segments.slice(first, next);
    // What stands before a function's first place is its own: its locals.
    const starts = [offset, ...own.slice(1).map((segment) => segment.offset), offset + size];
    // What the compiler adds counts for the place around it.
    let around = own.find(({ position }) => position)?.position;
    const positions = own.length ? own.map(({ position }) => (around = position ?? around)) : [undefined];
    return positions.map((position, i) => ({ position, size: starts[i + 1]! - starts[i]! }));
  });
}

/** The bytes of code that each source file has become. */
function sizesBySource(stretches: readonly Stretch[]): Sized[] {
  const sizes = new Map<string, number>();
  for (const { position, size } of stretches) {
    const name = position?.file ?? UNKNOWN;
    sizes.set(name, (sizes.get(name) ?? 0) + size);
  }
  return largestFirst([...sizes].map(([name, size]) => ({ name, size })));
}

const UNKNOWN = "(no source)";

function largestFirst(sized: readonly Sized[]): Sized[] {
  return [...sized].sort((a, b) => b.size - a.size);
}

function report(description: Description, most: number): string {
  const { module, bytes, abi, producers, memories, imports, exports, sections, functions, sources } = description;
  const made = producers.map(({ name, version }) => printable(`${name} ${version}`.trim())).join(", ");
  const memory = memories.map(({ initial, maximum }) => `${initial} to ${maximum ?? "any number of"} pages of 64 KiB`);
  const lines = [
    `${module}: ${grouped(bytes)} bytes`,
    `  ABI      ${abi ?? "none: it exports no marker of a version"}`,
    `  made by  ${made || "unknown: it has no producers section"}`,
    `  memory   ${memory.join("; ") || "none of its own"}`,
  ];
  const typed = ({ signature, kind }: { signature?: string; kind: string }): string => signature ?? kind;
  list(
    lines,
    "Imports",
    imports.map((item) => [printable(`${item.module}.${item.name}`), typed(item)]),
  );
  list(
    lines,
    "Exports",
    exports.map((item) => [printable(item.name), typed(item)]),
  );
  table(lines, "Sections", sections, bytes, Infinity);
  const code = functions.reduce((sum, { size }) => sum + size, 0);
  table(lines, "Functions", functions, code, most);
  if (sources) table(lines, "Code by source file", sources, code, most);
  else lines.push("", "Code by source file: unknown, there is no source map beside the module");
  return `${lines.join("\n")}\n`;
}

function list(lines: string[], title: string, rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  lines.push("", `${title} (${rows.length})`, ...rows.map(([name, type]) => `  ${name.padEnd(width)}  ${type}`));
}

/** The largest of these, with their share of a whole. */
function table(lines: string[], title: string, rows: readonly Sized[], whole: number, most: number): void {
  const shown = rows.slice(0, most);
  const percent = (size: number): string => `${((size / Math.max(whole, 1)) * 100).toFixed(1)} %`;
  const row = ({ name, size }: Sized): string =>
    `  ${grouped(size).padStart(9)}  ${percent(size).padStart(7)}  ${printable(name)}`;
  lines.push("", `${title} (${rows.length})`, ...shown.map(row));
  const rest = rows.slice(shown.length);
  const size = rest.reduce((sum, one) => sum + one.size, 0);
  if (rest.length) lines.push(row({ name: `${rest.length} more; --all lists them`, size }));
}

function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
