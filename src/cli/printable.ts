// Texts of others', such as modules and registries, for a terminal, which would do what control characters say.

/** A text in one line, with what controls a terminal written out. */
export function printable(text: unknown): string {
  return String(text).replaceAll(/[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u{${character.charCodeAt(0).toString(16)}}`;
  });
}

/** The same for several lines: line breaks and tabs stay. */
export function printableLines(text: unknown): string {
  return String(text).replaceAll(/[^\n\t]+/g, printable);
}

/** A value as JSON, over several lines if `indent` is not 0, with what controls a terminal escaped; JSON does so in part. */
export function printableJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, undefined, indent);
  return text.replaceAll(/[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
