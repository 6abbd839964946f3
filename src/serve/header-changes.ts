// What filters have made of the headers of a message.

import type { RecordedMessage } from "./recorded-message.ts";

/** How a head changed between two passages: what is gone and what is new. A value that is another one is both. */
export interface HeaderChange {
  readonly kind: "removed" | "added";
  readonly name: string;
  readonly value: string;
}

/** What became of the headers of a message; nothing when it never came to one of the passages. */
export function headerChanges(before: RecordedMessage | undefined, after: RecordedMessage | undefined): HeaderChange[] {
  if (!before || !after) return [];
  const left = [...after.headers];
  const changes: HeaderChange[] = [];
  for (const [name, value] of before.headers) {
    const at = left.findIndex(([key, other]) => key === name && other === value);
    if (at < 0) changes.push({ kind: "removed", name, value });
    else left.splice(at, 1);
  }
  for (const [name, value] of left) changes.push({ kind: "added", name, value });
  return changes.filter(({ name }) => !proxyHeaders.has(name));
}

/** What the proxy writes into every message, whatever the filters do. */
const proxyHeaders: ReadonlySet<string> = new Set([
  "connection",
  "date",
  "keep-alive",
  "server",
  "transfer-encoding",
  "x-envoy-expected-rq-timeout-ms",
]);
