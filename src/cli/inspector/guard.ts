// Who may talk to the inspector: a page of its own origin that knows the token, and nobody who has come by a name that
// another site made point here.

import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Headers of every answer: nothing is loaded from elsewhere, framed, sniffed, kept or told about. */
export const safeHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** A token that nobody guesses. */
export function newToken(): string {
  return randomBytes(24).toString("base64url");
}

/** Why a request is refused, whatever it asks for; undefined when it is not. */
export function refuseRequest({ headers }: IncomingMessage, port: number): string | undefined {
  const host = headers.host ?? "";
  if (!["127.0.0.1", "localhost", "[::1]"].some((name) => host === `${name}:${port}`)) {
    return `the inspector is not at ${JSON.stringify(host)}; open the address that serve has printed`;
  }
  const { origin, "sec-fetch-site": site } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return "requests of other origins are refused";
  if (site !== undefined && site !== "same-origin" && site !== "none") return "requests of other sites are refused";
  return undefined;
}

/** Whether a text is the token. */
export function isToken(text: string, token: string): boolean {
  const [given, right] = [Buffer.from(text), Buffer.from(token)];
  return given.length === right.length && timingSafeEqual(given, right);
}
