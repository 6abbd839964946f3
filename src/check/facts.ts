// What a module's bytes say of it, for the commands that judge and describe it.

import { abiMarkers } from "../profiles/function-types.ts";
import { checkValid } from "../module/load.ts";
import { inspectModule } from "../module/module.ts";
import { type ModuleParts, takeApart } from "../module/module-parts.ts";
import type { ModuleFacts } from "./judge.ts";

/** Reads a module; a `LoadError` says when it is none. `name` stands in it. */
export async function readFacts(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
): Promise<{ facts: ModuleFacts; parts: ModuleParts }> {
  await checkValid(bytes, name);
  const info = inspectModule(bytes);
  const parts = takeApart(bytes, info.imports.filter(({ kind }) => kind === "function").length);
  const constants = new Map(parts.functions.map(({ index, constant }) => [index, constant]));
  const constantExports = new Map(
    [...parts.exported].flatMap(([exported, index]) => {
      const constant = constants.get(index);
      return constant === undefined ? [] : [[exported, constant] as const];
    }),
  );
  return { facts: { ...info, bytes: bytes.length, constantExports }, parts };
}

/** The version of the ABI that a module declares, or undefined. */
export function abiOf({ exports }: ModuleFacts): string | undefined {
  const marker = exports.find(({ kind, name }) => kind === "function" && Object.hasOwn(abiMarkers, name));
  return marker && abiMarkers[marker.name];
}
