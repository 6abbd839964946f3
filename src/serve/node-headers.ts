// Headers in the forms that Node has them in. There as here they are ByteStrings.

import { createServer, type OutgoingHttpHeaders } from "node:http2";

import { bytesOf } from "../encoding/bytes.ts";
import type { HeaderEntry, HeaderMap } from "../http/header-map.ts";
import { connectionHeaders } from "../http/proxy-headers.ts";

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
const hopByHop: ReadonlySet<string> = new Set([...connectionHeaders, "http2-settings"]);

/**
 * Options that have Node's HTTP/2 send headers several times that should come once, as proxies do; from Node 24.15 and 25.7
 * on.
 */
export const asTheyAre: object = { strictSingleValueFields: false };

/** Whether this Node knows the option: then it minds a value that is wrong. */
const keepsRepeated = ((): boolean => {
  try {
    createServer({ strictSingleValueFields: "" } as object);
    return false;
  } catch {
    return true;
  }
})();

/** What Node otherwise refuses to send twice. */
const single: ReadonlySet<string> = new Set(
  (
    "access-control-allow-credentials access-control-max-age access-control-request-method age authorization " +
    "content-encoding content-language content-length content-location content-md5 content-range content-type date dnt " +
    "etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location " +
    "max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent " +
    "x-content-type-options"
  ).split(" "),
);

/** As Node's HTTP/2 takes headers: several values of one name as a list, or joined where it takes no list. */
export function outgoing(headers: HeaderMap): OutgoingHttpHeaders {
  const all: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of headers.entries) {
    const known = all[name];
    if (hopByHop.has(name) || (name === "te" && (value !== "trailers" || known))) continue;
    if (known === undefined) all[name] = value;
    else if (single.has(name) && !keepsRepeated) all[name] = `${known as string}, ${value}`;
    else all[name] = [...(Array.isArray(known) ? known : [known]), value];
  }
  return all;
}
