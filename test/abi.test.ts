// The host calls that the SDK declares are those that the host offers, with the same types.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { expect, test } from "vitest";

import { envFunctions } from "../src/profiles/function-types.ts";

const env = await readFile(resolve(import.meta.dirname, "../assembly/env.ts"), "utf8");
const types: Record<string, string> = { u32: "i32", i32: "i32", usize: "i32", i64: "i64", u64: "i64" };

const declared = [...env.matchAll(/export declare function (\w+)\(([^)]*)\): (\w+);/g)].map(
  ([, name, parameters, result]) => {
    const list = [...parameters!.matchAll(/: (\w+)/g)].map((match) => types[match[1]!]);
    return [name!, `${list.join(" ")} -> ${types[result!]}`.trim()] as const;
  },
);

test.each(declared)("%s is declared as the host offers it", (name, signature) => {
  expect(envFunctions[name]?.signature).toBe(signature);
});

test("every host call is declared", () => {
  const names = Object.keys(envFunctions).filter((name) => /^(proxy|envoy)_/.test(name));
  expect(declared.map(([name]) => name).sort()).toEqual(names.sort());
});
