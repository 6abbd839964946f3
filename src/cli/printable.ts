// Text of a module's for a terminal, which would do what control characters say.

/** A text in one line, with what controls a terminal written out. */
export function printable(text: unknown): string {
  return String(text).replaceAll(/[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u{${character.charCodeAt(0).toString(16)}}`;
  });
}
