// Texts in regular expressions. JavaScript has a `RegExp.escape` of its own from Node 24 on.

/** A pattern that matches just this text. */
export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
