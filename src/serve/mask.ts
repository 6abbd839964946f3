// Values of headers that are nobody's business: whoever shows or writes down headers asks here first.

const CREDENTIALS =
  /^((proxy-)?authorization|(set-)?cookie2?|x-forwarded-client-cert|x-amz-security-token|.*(api-?key|access-?key|token|secret|password|passwd|jwt|session(-?id)?|signature|credential).*)$/i;

/** What stands in place of a credential. */
export const MASK = "[masked]";

/** Whether the values of this header are credentials. */
export function isCredential(name: string): boolean {
  return CREDENTIALS.test(name);
}

/** The value as it may be shown. The word that says of what kind a credential is stays. */
export function masked(name: string, value: string): string {
  if (!isCredential(name)) return value;
  const scheme = /authorization$/i.test(name) ? /^(basic|bearer|digest|negotiate) /i.exec(value)?.[0] : undefined;
  return (scheme ?? "") + MASK;
}

/** The shortest secret that is looked for in texts; shorter ones stand in too many words. */
const SHORTEST = 6;

/** The secrets of one exchange, as they came in headers, to be taken out of log lines and the like. */
export class Secrets {
  readonly #values = new Set<string>();

  /** Learns of a header. */
  add(name: string, value: string): void {
    if (!isCredential(name)) return;
    const words = [value, value.replace(/^\w+ /, "")];
    if (/cookie$/i.test(name)) words.push(...value.split(/;\s*/).map((pair) => pair.slice(pair.indexOf("=") + 1)));
    for (const word of words) if (word.length >= SHORTEST) this.#values.add(word);
  }

  /** The text without them. */
  redact(text: string): string {
    let out = text;
    for (const value of [...this.#values].sort((a, b) => b.length - a.length)) out = out.replaceAll(value, MASK);
    return out;
  }
}
