// Higress' per-route rules: which configuration a request gets.

import { beforeAll, describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { type Compiled, compileFilter } from "./support/compile.ts";

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFilter("rules");
});

interface Request {
  readonly route?: string;
  readonly host?: string;
  readonly cluster?: string;
  readonly consumer?: string;
}

const load = (config: unknown) => loadFilter(compiled.bytes, { config });
