// What Envoy's HTTP connection manager does to a message before and after the filters: which headers it adds, takes
// away and puts in which order. Source: Envoy source/common/http/conn_manager_utility.cc; a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { type HeaderEntry, headerKey, HeaderMap } from "./header-map.ts";
import { type LocalReply, proxyReply } from "./local-reply.ts";
import type { HostProfile } from "./profiles/profile.ts";

/** The head of a request as a client sends it. */
export interface RequestHead {
  readonly method: ByteString;
  readonly path: ByteString;
  readonly authority: ByteString;
  readonly scheme: ByteString;
  /** Without pseudo headers. */
  readonly headers: readonly HeaderEntry[];
}

/** The headers of a request as the first filter sees them. Without an id Envoy's own headers are left out. */
export function requestHeaders(head: RequestHead, requestId: string | undefined): HeaderMap {
  const [, authority = head.authority, path = head.path] = /^https?:\/\/([^/?#]+)(.*)$/is.exec(head.path) ?? [];
  const map = new HeaderMap("request", [
    [":authority", authority],
    [":path", path || "/"],
    [":method", head.method],
    [":scheme", schemeOf(head)],
  ]);
  const hops = hopByHop(head.headers);
  const asksUpgrade = upgradeOf(head.headers) !== undefined;
  for (const [name, value] of head.headers) {
    const key = headerKey(name);
    // The proxy itself tells the client to go on.
    const isAnswered = key === "expect" && /^100-continue$/i.test(value);
    const isHop = hops.has(key) && !(asksUpgrade && /^(connection|upgrade)$/.test(key));
    if (isAnswered || key === "host" || isHop || internal.has(key)) continue;
    if (key !== "te") map.append(key, trimBlanks(value));
    else if (/(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(value)) map.append(key, "trailers");
  }
  if (requestId === undefined) return map;
  if (map.get("x-forwarded-proto") === undefined) map.append("x-forwarded-proto", head.scheme);
  if (map.get("x-request-id") === undefined) map.append("x-request-id", requestId);
  return map;
}

/**
 * The headers of an upstream's response as the first filter sees them. The time that it took is undefined when the
 * request was not complete by then.
 */
export function responseHeaders(
  status: number,
  headers: readonly HeaderEntry[],
  serviceTimeMs: number | undefined,
): HeaderMap {
  const map = new HeaderMap("response", [[":status", String(status)], ...headers]);
  if (serviceTimeMs !== undefined) map.set("x-envoy-upstream-service-time", String(serviceTimeMs));
  return map;
}

/**
 * The reply to a request that the proxy does not even show to its filters, or undefined. `upgrades` are the protocols
 * that a client may change to.
 */
export function refuseRequestHead(headers: HeaderMap, upgrades: ReadonlySet<string>): LocalReply | undefined {
  const path = headers.get(":path") || "/";
  if (!path.startsWith("/")) return proxyReply(404, "", "absolute_path_rejected");
  if (path.includes("#")) return proxyReply(400, "", "path_normalization_failed");
  const upgrade = headers.get("upgrade") === undefined ? undefined : upgradeOf(headers.entries);
  return upgrade === undefined || upgrades.has(upgrade) ? undefined : proxyReply(403, "", "upgrade_failed");
}

/**
 * Makes a response ready for the client, when the filters have done with it. Before the request is complete it ends the
 * connection: nobody waits for the rest. Unless the connection is `upgraded` to another protocol by it.
 */
export function finishResponse(
  headers: HeaderMap,
  clock: Clock,
  { requestComplete, upgraded, server }: { requestComplete: boolean; upgraded: boolean } & Pick<HostProfile, "server">,
): void {
  headers.deleteAll(upgraded ? alwaysPerHop : perHop);
  if (headers.get("date") === undefined) headers.append("date", dateAt(clock.now()));
  headers.put("server", server);
  if (!requestComplete && !upgraded) headers.append("connection", "close");
}

const alwaysPerHop = ["proxy-connection", "transfer-encoding"];
const perHop = [...alwaysPerHop, "connection", "upgrade"];

/** The head of a request as HTTP/1.1 sends it. */
export function requestHead(headers: HeaderMap, endOfStream: boolean): HeaderMap {
  return framedHead(headers, endOfStream && !bodiless.has(headers.get(":method") ?? ""));
}

/** Methods whose requests have no body by themselves. */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

/** The head of a response as HTTP/1.1 sends it. */
export function responseHead(headers: HeaderMap, endOfStream: boolean, answersHead: boolean): HeaderMap {
  return framedHead(headers, endOfStream && !answersHead && !/^(1..|204|304)$/.test(headers.get(":status") ?? ""));
}

/** Where there could be a body and is none, the codec says so. */
function framedHead(headers: HeaderMap, isEmpty: boolean): HeaderMap {
  if (!isEmpty || headers.get("content-length") !== undefined) return headers;
  // The filters, which see the message once more in on_log, do not see this.
  const framed = headers.clone();
  framed.append("content-length", "0");
  return framed;
}

const lastDate = { at: -1n, text: "" };

// Writing a date takes as long as all else that is done to a head, and virtual time stands still.
function dateAt(now: bigint): string {
  if (now !== lastDate.at) {
    lastDate.at = now;
    lastDate.text = new Date(Number(now / 1_000_000n)).toUTCString();
  }
  return lastDate.text;
}

/** An id as Envoy makes it: a UUID of version 4. */
export function requestId(random: (bytes: Uint8Array) => void): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let id = "";
  for (let i = 0; i < bytes.length; i++) id += (i === 4 || i === 6 || i === 8 || i === 10 ? "-" : "") + hex[bytes[i]!]!;
  return id;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

// What a proxy in front says of the client's connection counts more than one's own.
function schemeOf({ scheme, headers }: RequestHead): ByteString {
  const forwarded = headers.find(([name]) => headerKey(name) === "x-forwarded-proto")?.[1];
  return forwarded !== undefined && /^https?$/i.test(forwarded) ? lowerCase(forwarded) : scheme;
}

// What tells Envoy how to treat a request counts from nobody outside.
const internal: ReadonlySet<string> = new Set(
  (
    "x-envoy-expected-rq-timeout-ms x-envoy-force-trace x-envoy-hedge-on-per-try-timeout x-envoy-internal " +
    "x-envoy-ip-tags x-envoy-max-retries x-envoy-original-url x-envoy-retriable-header-names " +
    "x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on x-envoy-upstream-alt-stat-name " +
    "x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-alt-response x-envoy-upstream-rq-timeout-ms"
  ).split(" "),
);

/** The protocol that a request asks for. HTTP/2 without TLS does not count: Envoy answers as if nobody asked. */
function upgradeOf(headers: readonly HeaderEntry[]): string | undefined {
  if (!headers.some(([name]) => name.length === 7 && headerKey(name) === "upgrade")) return undefined;
  const named = (wanted: string): ByteString[] =>
    headers.flatMap(([name, value]) => (headerKey(name) === wanted ? [lowerCase(trimBlanks(value))] : []));
  const upgrade = named("upgrade").find((value) => value !== "h2c");
  const isMeant = named("connection").some((value) => value.split(",").some((word) => trimBlanks(word) === "upgrade"));
  return isMeant ? upgrade : undefined;
}

const alwaysHopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

// Headers that mean the connection, not the message: these, and those that `connection` names.
function hopByHop(headers: readonly HeaderEntry[]): ReadonlySet<string> {
  if (!headers.some(([name]) => headerKey(name) === "connection")) return alwaysHopByHop;
  const names = new Set(alwaysHopByHop);
  for (const [name, value] of headers) {
    if (headerKey(name) === "connection") for (const hop of value.split(",")) names.add(lowerCase(trimBlanks(hop)));
  }
  names.delete("te");
  return names;
}
