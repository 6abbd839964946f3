// Which lines of a filter's source have run: the module counts, in globals of its own, how often each place ran that its
// source map tells, and the counts stand where vitest collects those of its own, in the form of Istanbul.

import { bytesOf, joinBytes } from "../encoding/bytes.ts";
import type { CheckedModule } from "./load.ts";
import { leb128, Reader, SectionId, sections } from "./module-binary.ts";
import { addressOf, pathOf, sourceFile } from "./source-files.ts";
import type { SourceMap } from "./source-map.ts";

/** A global of an instance. */
export interface Counter {
  readonly value: number;
}

/** A module that counts, and how the counts of an instance are made known. */
export interface CoveredModule {
  readonly module: CheckedModule;
  /** Shows the counts of an instance, by its exported globals. */
  show(globals: ReadonlyMap<string, Counter>): void;
}

/** Whether coverage is asked for: `PROXY_WASM_COVERAGE` stands in the environment. */
export function isCovered(): boolean {
  return globalThis.process?.env?.["PROXY_WASM_COVERAGE"] !== undefined;
}

/** Makes a module count; `file` is where it was read. Sources in `node_modules` are left out. */
export function cover(module: CheckedModule, map: SourceMap, file: string | URL): CoveredModule {
  const places = ownPlaces(map, addressOf(file));
  const lines = new Map<string, { path: string; line: number; names: string[] }>();
  for (const [i, { path, line }] of places.entries()) {
    const key = `${path}:${line}`;
    if (!lines.has(key)) lines.set(key, { path, line, names: [] });
    lines.get(key)!.names.push(nameOf(i));
  }
  return {
    module: { ...module, bytes: instrument(module, places) },
    show(globals) {
      for (const { path, line, names } of lines.values()) {
        const counters = names.map((name) => globals.get(name)!);
        // A line ran as often as that place in it which ran most.
        addCounter(path, line, () => Math.max(...counters.map(({ value }) => value)));
      }
    },
  };
}

interface Place {
  readonly offset: number;
  readonly path: string;
  readonly line: number;
}

function ownPlaces(map: SourceMap, module: URL): Place[] {
  const paths = new Map<string, string | undefined>();
  return [...map.places()].flatMap(({ offset, file, line }) => {
    if (!paths.has(file)) {
      const url = file.startsWith("~lib/") ? undefined : sourceFile(file, module);
      paths.set(file, url && !url.pathname.includes("/node_modules/") ? pathOf(url) : undefined);
    }
    const path = paths.get(file);
    return path === undefined ? [] : [{ offset, path, line }];
  });
}

const nameOf = (index: number): string => `coverage:${index}`;

/** Adds a global for each place, exports it, and counts in it whenever the place is passed. */
function instrument({ bytes, info }: CheckedModule, places: readonly Place[]): Uint8Array<ArrayBuffer> {
  const out: Uint8Array[] = [bytes.subarray(0, 8)];
  // i32, mutable, 0 at first.
  const counters = places.map(() => Uint8Array.of(0x7f, 1, 0x41, 0, 0x0b));
  let globals = info.imports.filter(({ kind }) => kind === "global").length;
  let hasGlobals = false;
  const reader = new Reader(bytes);
  for (const { id, start, end } of sections(reader)) {
    if (id === SectionId.Export && !hasGlobals) {
      out.push(...withSize(SectionId.Global, [number(places.length), ...counters]));
    }
    if (id === SectionId.Global || id === SectionId.Export) {
      const count = reader.unsigned();
      const added = id === SectionId.Global ? counters : places.map((_, i) => globalExport(nameOf(i), globals + i));
      const rest = bytes.subarray(reader.position, end);
      out.push(...withSize(id, [number(count + places.length), rest, ...added]));
      if (id === SectionId.Global) globals += count;
      hasGlobals = true;
    } else if (id === SectionId.Code) {
      out.push(...withSize(id, countingBodies(bytes, reader, places, globals)));
    } else {
      out.push(bytes.subarray(start, end));
    }
  }
  return joinBytes(out);
}

/** The function bodies, each with its counting. `global` is the first counter. */
function countingBodies(bytes: Uint8Array, reader: Reader, places: readonly Place[], global: number): Uint8Array[] {
  const count = reader.unsigned();
  const bodies = [number(count)];
  let next = 0;
  for (let i = 0; i < count; i++) {
    const end = reader.unsigned() + reader.position;
    let from = reader.position;
    reader.list(() => {
      reader.unsigned();
      reader.skip(1);
    });
    const code = reader.position;
    const body: Uint8Array[] = [];
    for (; next < places.length && places[next]!.offset < end; next++) {
      // What belongs to the function as a whole is in front of its first instruction.
      const at = Math.max(places[next]!.offset, code);
      const index = leb128(global + next);
      // global.get, i32.const 1, i32.add, global.set: the stack is as it was.
      body.push(bytes.subarray(from, at), Uint8Array.of(0x23, ...index, 0x41, 1, 0x6a, 0x24, ...index));
      from = at;
    }
    body.push(bytes.subarray(from, end));
    bodies.push(number(sizeOf(body)), ...body);
    reader.position = end;
  }
  return bodies;
}

function globalExport(name: string, index: number): Uint8Array {
  return Uint8Array.of(...leb128(name.length), ...bytesOf(name), 3, ...leb128(index));
}

function number(value: number): Uint8Array {
  return Uint8Array.from(leb128(value));
}

function withSize(section: number, content: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.of(section, ...leb128(sizeOf(content))), ...content];
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** A file in the form of Istanbul, where each line is a statement; there is nothing about functions and branches. */
interface FileCoverage {
  readonly path: string;
  readonly statementMap: Record<string, { start: Position; end: Position }>;
  readonly s: Record<string, number>;
  readonly fnMap: Record<string, never>;
  readonly f: Record<string, never>;
  readonly branchMap: Record<string, never>;
  readonly b: Record<string, never>;
}
interface Position {
  readonly line: number;
  readonly column: number;
}

/** What vitest collects when a test file is over. */
const collected = globalThis as { __VITEST_COVERAGE__?: Record<string, FileCoverage> };

/** What counts a line, in each instance. */
const countersOf = new Map<string, (() => number)[]>();

function addCounter(path: string, line: number, counter: () => number): void {
  const key = `${path}:${line}`;
  const known = countersOf.get(key);
  if (known) return void known.push(counter);
  const counters = [counter];
  countersOf.set(key, counters);
  const files = (collected.__VITEST_COVERAGE__ ??= {});
  if (!shown.has(path)) files[path] = { path, statementMap: {}, s: {}, fnMap: {}, f: {}, branchMap: {}, b: {} };
  shown.add(path);
  const { statementMap, s } = files[path]!;
  statementMap[line] = { start: { line, column: 0 }, end: { line, column: LONGEST_LINE } };
  let before = 0;
  const total = (): number => counters.reduce((sum, count) => sum + count(), 0);
  Object.defineProperty(s, line, {
    enumerable: true,
    get: () => total() - before,
    // Whoever has collected the counts sets them back.
    set: () => {
      before = total();
    },
  });
}

/** The files that are shown by this module, in place of what a tool may have made of the same file. */
const shown = new Set<string>();

const LONGEST_LINE = 1000;
