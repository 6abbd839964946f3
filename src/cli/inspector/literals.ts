// Values as a test's source has them: JSON, which is a literal of TypeScript too, without credentials.

import type { Secrets } from "../../serve/mask.ts";

/** Writes what an exchange had into the source of a test. */
export class Literals {
  readonly #secrets: Secrets;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** A text. */
  text(value: string): string {
    return JSON.stringify(this.#secrets.redact(value));
  }

  /** The value of a header; undefined when it is nobody's business. */
  header(name: string, value: string): string | undefined {
    return this.#secrets.shown(name, value) === value ? JSON.stringify(value) : undefined;
  }

  /** Headers, as a list of names and values. */
  headers(entries: readonly (readonly [name: string, value: string])[]): string {
    return JSON.stringify(entries.map(([name, value]) => [name, this.#secrets.shown(name, value)]));
  }

  /** A body: a text, or its bytes when they are none. */
  body(bytes: Uint8Array): string {
    const redacted = this.#secrets.redactBytes(bytes);
    try {
      return JSON.stringify(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(redacted));
    } catch {
      return `Uint8Array.of(${redacted.join(", ")})`;
    }
  }
}
