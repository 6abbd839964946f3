// The code in the documentation, so that tests can run what readers will.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

/** The code blocks of this language in a file of the repository, in order. */
export async function codeBlocks(file: string, language: string): Promise<string[]> {
  const text = await readFile(resolve(import.meta.dirname, "../..", file), "utf8");
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!);
}
