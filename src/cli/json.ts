// JSON that people write: what is wrong with it is told with its place.

import { CommandError } from "./errors.ts";

/** What a file's text says; a `CommandError` names file, line and column when it is no JSON. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const at = firstMistake(text);
    const before = text.slice(0, at).split("\n");
    const [rest = ""] = text.slice(at, at + 20).split(/\r?\n/);
    const what = at === text.length ? "it ends too early" : `${JSON.stringify(rest)} cannot stand there`;
    throw new CommandError(`${file}:${before.length}:${before.at(-1)!.length + 1} is no JSON: ${what}`);
  }
}

// oxlint-disable-next-line no-control-regex
const string = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/;
const scalar = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const valueStart = new RegExp(`[{[]|${string.source}|${scalar.source}`);

/** The index of the first character that keeps a text from being JSON. */
function firstMistake(text: string): number {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    const here = new RegExp(`[ \\t\\r\\n]*(${pattern.source})`, "y");
    here.lastIndex = at;
    const found = here.exec(text);
    if (found) at = here.lastIndex;
    return found?.[1];
  };
  const list = (end: RegExp, item: () => boolean): boolean => {
    if (take(end)) return true;
    do {
      if (!item()) return false;
    } while (take(/,/));
    return take(end) !== undefined;
  };
  const value = (): boolean => {
    switch (take(valueStart)) {
      case undefined:
        return false;
      case "{":
        return list(/\}/, () => take(string) !== undefined && take(/:/) !== undefined && value());
      case "[":
        return list(/\]/, value);
      default:
        return true;
    }
  };
  value();
  take(/(?=[^ \t\r\n]|$)/);
  return at;
}
