// Secrets taken out of texts that are shown, however short they are and in whichever way a server has written them.

import { escapeRegExp } from "../encoding/reg-exp.ts";

const MASK = "***";

/** The text without the secrets: as they are, percent-encoded in whole or in part, or escaped as in JSON. */
export function redact(text: string, secrets: ReadonlySet<string>): string {
  // The longest first: a shorter one may be a part of it.
  const patterns = [...secrets]
    .filter(Boolean)
    .sort((a, b) => b.length - a.length)
    .map(patternOf);
  return patterns.length ? text.replace(new RegExp(patterns.join("|"), "g"), MASK) : text;
}

function patternOf(secret: string): string {
  return Array.from(secret, (character) => {
    const bytes = [...Buffer.from(character)];
    const encoded = bytes.map((byte) => `%${inAnyCase(byte.toString(16).padStart(2, "0"))}`).join("");
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    const escaped = units.map((unit) => `\\\\u${inAnyCase(unit.toString(16).padStart(4, "0"))}`).join("");
    const others = character === " " ? ["\\+"] : /["\\/]/.test(character) ? [`\\\\${escapeRegExp(character)}`] : [];
    return `(?:${[escapeRegExp(character), encoded, escaped, ...others].join("|")})`;
  }).join("");
}

function inAnyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}
