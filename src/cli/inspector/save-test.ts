// Writes a test into the project's `test/`, and nowhere else.

import { lstat, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { CommandError } from "../errors.ts";

/** The most tests of one name. */
const MOST = 1000;

/** Writes a new file, never over another one, and gives its path from the project. */
export async function saveTest(folder: string, title: string, source: string): Promise<string> {
  const tests = join(folder, "test");
  const found = await lstat(tests).catch(() => undefined);
  if (!found) await mkdir(tests, { recursive: true });
  else if (!found.isDirectory()) {
    const what = found.isSymbolicLink() ? "a link" : "no folder";
    throw new CommandError(`test/ is ${what}: tests are written into a folder of that name, and nowhere else`);
  }
  const name = slug(title);
  for (let i = 1; i <= MOST; i++) {
    const file = `${name}${i > 1 ? `-${i}` : ""}.test.ts`;
    try {
      await writeFile(join(tests, file), source, { flag: "wx" });
      return join("test", file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  throw new CommandError(`there are ${MOST} tests of the name ${name} already`);
}

/** A title as the name of a file: letters, digits and hyphens. */
function slug(title: string): string {
  const words = title
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60)
    .replace(/-+$/, "");
  return words || "exchange";
}
