// Headers in the forms that Node has them in. There as here they are ByteStrings.

import type { OutgoingHttpHeaders } from "node:http2";

import { bytesOf } from "../encoding/bytes.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";

/** Node's flat list of names and values, as entries. */
export function pairs(raw: readonly string[]): HeaderEntry[] {
  const entries: HeaderEntry[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) entries.push([raw[i]!, raw[i + 1]!]);
  return entries;
}

/** The same, without pseudo headers, which begin with a colon. */
export function pairsOfFields(raw: readonly string[]): HeaderEntry[] {
  return pairs(raw).filter(([name]) => !name.startsWith(":"));
}

/** As answers to callouts have them: bytes, since text would be encoded anew. */
export function asBytes(entries: readonly HeaderEntry[]): [string, Uint8Array][] {
  return entries.map(([name, value]) => [name, bytesOf(value)]);
}

/** The headers without those that begin with a colon, as Node takes them: names and values in turn. */
export function headerLines(headers: HeaderMap): string[] {
  return headers.entries.flatMap(([name, value]) => (name.startsWith(":") ? [] : [name, value]));
}

/** Headers that say something of an HTTP/1 connection, which HTTP/2 forbids. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** As Node's HTTP/2 takes headers: several values of one name as a list. */
export function outgoing(headers: HeaderMap): OutgoingHttpHeaders {
  const all: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of headers.entries) {
    if (hopByHop.has(name)) continue;
    const known = all[name];
    all[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  return all;
}
