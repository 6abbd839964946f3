// Values of headers that are nobody's business: whoever shows or writes down an exchange asks here first.

import { byteString, bytesOf, encodeText } from "../encoding/bytes.ts";
import { isCredential } from "../http/credential-headers.ts";
import { escapeRegExp } from "../encoding/reg-exp.ts";

/** What stands in place of a credential. */
export const MASK = "[masked]";

/** The value as it may be shown. The word that says of what kind a credential is stays. */
export function masked(name: string, value: string): string {
  return isCredential(name) ? schemeOf(name, value) + MASK : value;
}

function schemeOf(name: string, value: string): string {
  const [scheme = ""] = (/authorization$/i.test(name) && /^(basic|bearer|digest|dpop|negotiate) /i.exec(value)) || [];
  return scheme;
}

/**
 * The shortest secret that is looked for anywhere in texts; shorter ones stand in too many words. They are found where they
 * are all of a text or of a string of JSON; those that are shorter still, nowhere.
 */
const SHORTEST = 6;
const SHORTEST_ALONE = 3;

/** The secrets of one exchange, as they came in headers, to be taken out of whatever is shown or written of it. */
export class Secrets {
  readonly #values = new Set<string>();
  /** Those that are too short to be looked for anywhere. */
  readonly #short = new Set<string>();
  /** Finds them, the longest first; undefined until it is needed. */
  #pattern: RegExp | undefined;

  /** Learns of a header. */
  add(name: string, value: string): void {
    if (!isCredential(name)) return;
    this.#pattern = undefined;
    const scheme = schemeOf(name, value);
    const secret = value.slice(scheme.length);
    // With the word in front of it, even a short one is found.
    if (secret.length < SHORTEST && value.length >= SHORTEST) this.#addForms(value, this.#values);
    if (secret.length < SHORTEST && secret.length >= SHORTEST_ALONE) this.#addForms(secret, this.#short);
    const words = [secret, secret.replace(/^\w+ /, "")];
    if (/^basic /i.test(scheme)) words.push(passwordIn(secret));
    if (/cookie2?$/i.test(name)) words.push(...cookiesIn(name, value));
    for (const word of words) {
      if (word.length >= SHORTEST) this.#addForms(word, this.#values);
    }
  }

  /** As it is, in a URL, and in JSON. */
  #addForms(word: string, to: Set<string>): void {
    to.add(word).add(encodeURIComponent(word)).add(JSON.stringify(word).slice(1, -1));
  }

  get #isEmpty(): boolean {
    return !this.#values.size && !this.#short.size;
  }

  /** The text without them. */
  redact(text: string): string {
    return this.#isEmpty ? text : text.replace(this.#find(), MASK);
  }

  /** The bytes without them. */
  redactBytes(bytes: Uint8Array): Uint8Array {
    if (this.#isEmpty) return bytes;
    const values = new Secrets();
    for (const value of this.#values) values.#values.add(encodeText(value));
    for (const value of this.#short) values.#short.add(encodeText(value));
    const text = byteString(bytes);
    const redacted = values.redact(text);
    return redacted === text ? bytes : bytesOf(redacted);
  }

  /** The value of a header as it may be shown: masked, or without the secrets of other headers. */
  shown(name: string, value: string): string {
    return isCredential(name) ? masked(name, value) : this.redact(value);
  }

  /** A text that was redacted and edited, with what stood in the original; as it is when there is less or more to put back. */
  restore(text: string, original: string): string {
    const taken = (!this.#isEmpty && original.match(this.#find())) || [];
    const parts = text.split(MASK);
    if (parts.length !== taken.length + 1) return text;
    return parts.map((part, i) => part + (taken[i] ?? "")).join("");
  }

  #find(): RegExp {
    if (this.#pattern) return this.#pattern;
    const either = (values: ReadonlySet<string>): string =>
      [...values]
        .sort((a, b) => b.length - a.length)
        .map(escapeRegExp)
        .join("|");
    const anywhereIn = this.#values.size ? [either(this.#values)] : [];
    const alone = this.#short.size ? [`(?<=^|")(?:${either(this.#short)})(?="|$)`] : [];
    return (this.#pattern = new RegExp([...anywhereIn, ...alone].join("|"), "g"));
  }
}

function passwordIn(basic: string): string {
  const pair = Buffer.from(basic, "base64").toString();
  return pair.slice(pair.indexOf(":") + 1);
}

/** The values of cookies; what follows one that is to be set says how to keep it. */
function cookiesIn(name: string, value: string): string[] {
  const pairs = value.split(/;\s*/);
  return (/^set-/i.test(name) ? pairs.slice(0, 1) : pairs).map((pair) => pair.slice(pair.indexOf("=") + 1));
}
