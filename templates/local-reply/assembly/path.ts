// Paths as servers may read them: one that they may read in different ways is none.

const PERCENT = 0x25;
const SLASH = 0x2f;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

/**
 * The path that a server sees which decodes percent signs, leaves out what stands behind a `;`, and takes `A` for `a`;
 * `null` for what servers differ in: `//`, `/./`, `/../`, `\`, control characters, `%` before anything but two digits or
 * in place of a character that separates.
 */
export function plainPath(path: string): string | null {
  const units: i32[] = [];
  let isParameter = false;
  for (let i = 0; i < path.length; i++) {
    let unit = path.charCodeAt(i);
    if (unit == PERCENT) {
      unit = hexDigit(path, i + 1) * 16 + hexDigit(path, i + 2);
      i += 2;
      if (isSeparator(unit)) return null;
    }
    if (unit < 0x20 || unit == 0x7f || unit == BACKSLASH) return null;
    if (unit == SLASH) isParameter = false;
    else if (unit == SEMICOLON) isParameter = true;
    if (!isParameter) units.push(unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit);
  }
  const plain = String.fromCharCodes(units);
  const closed = plain + "/";
  if (!plain.startsWith("/") || plain.includes("//") || closed.includes("/./") || closed.includes("/../")) return null;
  return plain;
}

/** The value of a digit; far below zero when there is none. */
function hexDigit(text: string, index: i32): i32 {
  const unit = index < text.length ? text.charCodeAt(index) : 0;
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1000;
}

function isSeparator(unit: i32): bool {
  return unit == SLASH || unit == BACKSLASH || unit == SEMICOLON || unit == PERCENT || unit == 0x3f || unit == 0x23;
}
