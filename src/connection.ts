// What Envoy's HTTP connection manager does to a message before and after the filters: which headers it adds, takes
// away and puts in which order. Source: Envoy source/common/http/conn_manager_utility.cc; a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { type HeaderEntry, HeaderMap } from "./header-map.ts";

/** The head of a request as a client sends it. */
export interface RequestHead {
  readonly method: ByteString;
  readonly path: ByteString;
  readonly authority: ByteString;
  readonly scheme: ByteString;
  /** Without pseudo headers. */
  readonly headers: readonly HeaderEntry[];
}

/** The headers of a request as the first filter sees them. */
export function requestHeaders(head: RequestHead, requestId: string): HeaderMap {
  const map = new HeaderMap("request", [
    [":authority", head.authority],
    [":path", head.path],
    [":method", head.method],
    [":scheme", head.scheme],
  ]);
  const hops = hopByHop(head.headers);
  for (const [name, value] of head.headers) {
    const key = lowerCase(name);
    if (key === "te") {
      if (/(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(value)) map.append(key, "trailers");
    } else if (key !== "host" && !hops.has(key)) {
      map.append(key, trimBlanks(value));
    }
  }
  if (map.get("x-forwarded-proto") === undefined) map.append("x-forwarded-proto", head.scheme);
  if (map.get("x-request-id") === undefined) map.append("x-request-id", requestId);
  return map;
}

/** The headers of an upstream's response as the first filter sees them. */
export function responseHeaders(status: number, headers: readonly HeaderEntry[], serviceTimeMs: number): HeaderMap {
  const map = new HeaderMap("response", [[":status", String(status)], ...headers]);
  map.set("x-envoy-upstream-service-time", String(serviceTimeMs));
  return map;
}

/** Makes a response ready for the client, when the filters have done with it. */
export function finishResponse(headers: HeaderMap, clock: Clock): void {
  for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding"]) headers.delete(name);
  if (headers.get("date") === undefined) {
    headers.append("date", new Date(Number(clock.now() / 1_000_000n)).toUTCString());
  }
  headers.set("server", "envoy");
}

/** An id as Envoy makes it: a UUID of version 4. */
export function requestId(random: (bytes: Uint8Array) => void): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Headers that mean the connection, not the message: these, and those that `connection` names.
function hopByHop(headers: readonly HeaderEntry[]): ReadonlySet<string> {
  const names = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
  for (const [name, value] of headers) {
    if (lowerCase(name) === "connection") for (const hop of value.split(",")) names.add(lowerCase(trimBlanks(hop)));
  }
  names.delete("te");
  return names;
}
