// The memory and the tables that a module imports: the host makes what it asks for, under whatever name.
// Source: proxy-wasm-cpp-host src/v8/v8.cc (link); a running Envoy 1.40.

import { LoadError } from "../error.ts";
import type { ImportedLimits, ModuleInfo } from "./module.ts";

/** A memory or table that a module imports. */
interface Wanted {
  readonly module: string;
  readonly name: string;
  readonly make: () => WebAssembly.Memory | WebAssembly.Table;
}

/** Makes the memory and the tables for an instance. */
export type Provision = (imports: WebAssembly.Imports) => WebAssembly.Memory | undefined;

/** The most entries that a table may have in V8. */
const MOST_ENTRIES = 10_000_000;

/** What has to be made for the instances of a module; a `LoadError` when it cannot be, or is too much. */
export function provision({ imports }: ModuleInfo, pages: number, name: string): Provision {
  const wanted = imports.flatMap((item): Wanted[] => {
    if (!item.limits) return [];
    const what = `${name} imports the ${item.kind} ${item.module}.${item.name}`;
    const make = item.kind === "memory" ? memory(item.limits, pages, what) : table(item.limits, what);
    return [{ module: item.module, name: item.name, make }];
  });
  if (imports.filter(({ kind }) => kind === "memory").length > 1) {
    throw new LoadError(`${name} imports more than one memory; a host knows one`);
  }
  return (given) => {
    let made: WebAssembly.Memory | undefined;
    for (const { module, name: field, make } of wanted) {
      const value = make();
      if (value instanceof WebAssembly.Memory) made = value;
      given[module] = { ...given[module], [field]: value };
    }
    return made;
  };
}

function memory(limits: ImportedLimits, pages: number, what: string): Wanted["make"] {
  const { initial, maximum = pages, isPlain } = limits;
  if (!isPlain) throw new LoadError(`${what}, which is shared or has 64-bit addresses; a proxy gives neither`);
  if (initial > pages) {
    throw new LoadError(`${what} with ${initial} pages to begin with; the limit is ${pages} (limits.memoryPages)`);
  }
  return () => new WebAssembly.Memory({ initial, maximum: Math.min(maximum, pages) });
}

function table(limits: ImportedLimits, what: string): Wanted["make"] {
  const { initial, maximum, element, isPlain } = limits;
  if (!isPlain || !element) throw new LoadError(`${what}, which holds something else than functions or references`);
  if (initial > MOST_ENTRIES) throw new LoadError(`${what} of ${initial} entries; the limit is ${MOST_ENTRIES}`);
  return () => new WebAssembly.Table({ initial, element, ...(maximum !== undefined && { maximum }) });
}
