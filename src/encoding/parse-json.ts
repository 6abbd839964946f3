// JSON that people write: what is wrong with it is told with its place.

/**
 * What a file's text says. When it is no JSON, an error of this type names file, line and column; that of `JSON.parse`
 * is told in other words by every engine.
 */
export function parseJson(text: string, file: string, type: new (message: string) => Error = SyntaxError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const at = firstMistake(text);
    const before = text.slice(0, at).split("\n");
    const [rest = ""] = text.slice(at, at + 20).split(/\r?\n/);
    const what = at === text.length ? "it ends too early" : `${JSON.stringify(rest)} cannot stand there`;
    throw new type(`${file}:${before.length}:${before.at(-1)!.length + 1} is no JSON: ${what}`);
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
  /** What is not closed yet; no recursion, which a text could make too deep. */
  const open: string[] = [];
  const isClosed = (bracket: string): boolean => take(bracket === "{" ? /\}/ : /\]/) !== undefined;
  const isNamed = (): boolean => open.at(-1) !== "{" || (take(string) !== undefined && take(/:/) !== undefined);
  const walk = (): void => {
    do {
      const start = take(valueStart);
      if (start === undefined) return;
      if ((start === "{" || start === "[") && !isClosed(start)) {
        open.push(start);
        continue;
      }
      while (open.length && take(/,/) === undefined) if (!isClosed(open.pop()!)) return;
    } while (open.length && isNamed());
  };
  walk();
  take(/(?=[^ \t\r\n]|$)/);
  return at;
}
