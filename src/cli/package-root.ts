// Where the package's own files are, be it built or not, and what its package.json says.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder with the package's `package.json`. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** What the package's `package.json` says, as far as the commands ask. */
interface PackageJson {
  readonly version: string;
  /** The versions of others that it works with. */
  readonly peerDependencies: { readonly assemblyscript: string; readonly vitest: string };
}

/** Reads the package's `package.json`. */
export function readPackageJson(): PackageJson {
  return JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as PackageJson;
}
