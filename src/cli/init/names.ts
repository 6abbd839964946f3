// Names of packages. Source: npm docs, "package.json", `name`.

import { basename, resolve } from "node:path";

const MOST_CHARACTERS = 214;
const pattern = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const taken = new Set(["node_modules", "favicon.ico"]);

/** What is wrong with a name, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (!name) return "a name has at least one character";
  if (name.length > MOST_CHARACTERS) return `a name has at most ${MOST_CHARACTERS} characters`;
  if (!pattern.test(name)) {
    return "a name has lower-case letters, digits, - . _ and ~, does not begin with . or _, and may have a @scope/";
  }
  return taken.has(name) ? "this name is taken" : undefined;
}

/** The name for a project in this folder: its own, as far as names of packages allow. */
export function nameOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9._~-]+/g, "-")
    .replace(/^[._-]+/, "")
    .replace(/-+$/, "")
    .slice(0, MOST_CHARACTERS);
  return nameProblem(name) ? "my-filter" : name;
}
