// CEL for filters that have expressions evaluated, where @bufbuild/cel is installed.

import { readFile } from "node:fs/promises";

import type { ExpressionLanguage } from "../properties/expressions.ts";

/** What evaluates the expressions of a module; undefined when it asks for none, or nothing is installed for it. */
export async function findCel(module: string): Promise<ExpressionLanguage | undefined> {
  // Who loads it says what is wrong with a file that cannot be read.
  const bytes = await readFile(module).catch(() => undefined);
  if (!bytes?.includes("expr_create")) return undefined;
  try {
    return (await import("../cel.ts")).cel;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
