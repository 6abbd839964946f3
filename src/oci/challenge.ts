// What a registry asks for when it answers 401.
// Source: RFC 9110, section 11.6.1; Distribution's token specification.

/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a header, in which challenges follow each other after commas. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[!#$%&'*+\-.^`|~\w]+/y;
  const parameter = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    if (match) position = pattern.lastIndex;
    return match;
  };
  while (position < header.length) {
    take(/[\s,]+/y);
    const word = take(token)?.[0];
    if (word === undefined) break;
    const value = take(parameter);
    if (!value) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else {
      const text = value[1]?.replace(/\\(.)/g, "$1") ?? value[2] ?? "";
      challenges.at(-1)?.parameters.set(word.toLowerCase(), text);
    }
  }
  return challenges;
}
