// What Envoy's HTTP connection manager does to a message before and after the filters: which headers it adds, takes
// away and puts in which order. Source: Envoy source/common/http/conn_manager_utility.cc; a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "./bytes.ts";
import type { Clock } from "./clock.ts";
import { type HeaderEntry, HeaderMap } from "./header-map.ts";
import { type LocalReply, proxyReply } from "./local-reply.ts";
import type { HostProfile } from "./profiles/profile.ts";
import { parseTarget, type Target } from "./request-target.ts";

/** The head of a request as a client sends it. */
export interface RequestHead {
  readonly method: ByteString;
  readonly path: ByteString;
  /** Undefined when the `host` headers have it. */
  readonly authority: ByteString | undefined;
  readonly scheme: ByteString;
  /** Without pseudo headers, and nothing joined. */
  readonly headers: HeaderMap;
}

/** The headers of a request as the codec hands them on. The log has these when they are refused at once. */
export function receivedHeaders(head: RequestHead, profile: Pick<HostProfile, "joinsHeaders">): HeaderMap {
  return readHead(head, undefined, profile);
}

/** The headers of a request as the first filter sees them; `random` is what its id is made of. */
export function requestHeaders(
  head: RequestHead,
  random: (bytes: Uint8Array) => void,
  profile: Pick<HostProfile, "joinsHeaders" | "addsEnvoyHeaders">,
): HeaderMap {
  const given = head.headers.entries;
  const map = readHead(head, schemeOf(head.scheme, given), profile);
  if (hasOneOf(map, dropped)) map.deleteAll(upgradeOf(given) === undefined ? dropped : droppedOfUpgrade);
  if (!profile.addsEnvoyHeaders) return map;
  const referer = map.get("referer");
  if (referer !== undefined && !isReferer(referer)) map.delete("referer");
  const id = requestId(random);
  if (map.get("x-forwarded-proto") === undefined) map.append("x-forwarded-proto", head.scheme);
  if (!map.get("x-request-id")) map.put("x-request-id", id);
  return map;
}

/** What the codec makes of a head; `scheme` is that of a target without one. */
function readHead(
  head: RequestHead,
  scheme: ByteString | undefined,
  { joinsHeaders }: Pick<HostProfile, "joinsHeaders">,
): HeaderMap {
  const given = head.headers.entries;
  const target = targetOf(head);
  const map = new HeaderMap("request");
  map.append(":authority", target.authority ?? head.authority ?? joinedValue(given, "host") ?? "");
  if (target.scheme !== undefined) map.append(":scheme", target.scheme);
  if (target.path !== undefined) map.append(":path", target.path || "/");
  map.append(":method", head.method);
  if (target.scheme === undefined && scheme !== undefined) map.append(":scheme", scheme);
  const named = namedByConnection(given);
  for (const [key, value] of given) {
    // The proxy itself tells the client to go on.
    const isAnswered = key === "expect" && isContinue(value);
    if (isAnswered || key === "host" || named?.has(key)) continue;
    map[joinsHeaders ? "add" : "append"](key, trimBlanks(value));
  }
  const te = map.get("te");
  if (te) {
    if (/(^|,)[ \t]*trailers[ \t]*(,|$)/.test(te)) map.put("te", "trailers");
    else map.delete("te");
  }
  return map;
}

/** Whether a client that expects this waits for a word of the proxy before it sends the body. */
export function isContinue(expected: ByteString): boolean {
  return /^100-continue$/i.test(expected);
}

/** Whether Envoy takes it for where a request comes from: a URL or a path, without user and fragment. */
function isReferer(value: ByteString): boolean {
  return absoluteReferer.test(value) || relativeReferer.test(value);
}

const absoluteReferer = /^[a-z]+:\/\/(?:[\w\-.]+|\[[\da-f:.]+\])(?::\d*)?(?:[/?][\x21\x22\x24-\x7e]*)?$/i;
// No colon in front of the first slash.
const relativeReferer = /^[\w\-.~!$&'()*+,;=@?%]*(?:\/[\w\-.~!$&'()*+,;=:@/?%]*)?$/;

/**
 * The headers of an upstream's response as the first filter sees them. The time that it took is undefined when the
 * request was not complete by then.
 */
export function responseHeaders(
  status: number,
  headers: readonly HeaderEntry[],
  serviceTimeMs: number | undefined,
  { joinsHeaders }: Pick<HostProfile, "joinsHeaders">,
): HeaderMap {
  const map = new HeaderMap("response");
  map.append(":status", String(status));
  for (const [name, value] of headers) map[joinsHeaders ? "add" : "append"](name, trimBlanks(value));
  map.delete("keep-alive");
  // It could have no other length.
  if (status === 204 && map.get("content-length") === "0") map.delete("content-length");
  if (serviceTimeMs !== undefined) map.put("x-envoy-upstream-service-time", String(serviceTimeMs));
  return map;
}

/** The trailers of a message as the first filter sees them. */
export function receivedTrailers(
  kind: "request trailers" | "response trailers",
  trailers: readonly HeaderEntry[],
): HeaderMap {
  const map = new HeaderMap(kind);
  for (const [name, value] of trailers) map.add(name, trimBlanks(value));
  return map;
}

/**
 * The reply to a request that the proxy does not even show to its filters, or undefined. `upgrades` are the protocols
 * that a client may change to.
 */
export function refuseRequestHead(headers: HeaderMap, upgrades: ReadonlySet<string>): LocalReply | undefined {
  const path = headers.get(":path") || "/";
  if (!path.startsWith("/")) return proxyReply(404, "", "absolute_path_rejected");
  if (headers.get(":method") === "QUERY" && !headers.get("content-type")) {
    return proxyReply(400, "", "query_missing_content_type");
  }
  if (path.includes("#")) return proxyReply(400, "", "path_normalization_failed");
  const upgrade = upgradeOf(headers.entries);
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

/** The head of a request as HTTP/1.1 sends it: where there could be a body and is none, the codec says so. */
export function requestHead(headers: HeaderMap, endOfStream: boolean): HeaderMap {
  const isSaid = !endOfStream || headers.get("content-length") !== undefined;
  return isSaid || bodilessMethods.has(headers.get(":method") ?? "") ? headers : withoutBody(headers);
}

/** The head of a response as HTTP/1.1 sends it, likewise. */
export function responseHead(headers: HeaderMap, endOfStream: boolean, answersHead: boolean): HeaderMap {
  const isSaid = !endOfStream || answersHead || headers.get("content-length") !== undefined;
  return isSaid || isUnframed(Number(headers.get(":status"))) ? headers : withoutBody(headers);
}

/** Whether HTTP/1.1 sends a response with this status without a word of where its body ends. */
export function isUnframed(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

// The filters, which see the message once more in on_log, do not see this.
function withoutBody(headers: HeaderMap): HeaderMap {
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
function requestId(random: (bytes: Uint8Array) => void): string {
  random(idBytes);
  idBytes[6] = (idBytes[6]! & 0x0f) | 0x40;
  idBytes[8] = (idBytes[8]! & 0x3f) | 0x80;
  let at = 0;
  for (const byte of idBytes) {
    if (idCodes[at] === hyphen) at++;
    idCodes[at++] = digits[byte >> 4]!;
    idCodes[at++] = digits[byte & 0x0f]!;
  }
  return String.fromCharCode(...idCodes);
}

const codesOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const digits = codesOf("0123456789abcdef");
const hyphen = 0x2d;
// Written over for each id.
const idBytes = new Uint8Array(16);
const idCodes = codesOf("00000000-0000-0000-0000-000000000000");

/** What the first line names; of what the codec refuses, nothing is known. */
function targetOf({ method, path }: RequestHead): Target {
  const target = parseTarget(method, path);
  return typeof target === "string" ? { authority: undefined, path, scheme: undefined } : target;
}

/** All values of a header that counts as one. */
function joinedValue(headers: readonly HeaderEntry[], key: ByteString): ByteString | undefined {
  let joined: ByteString | undefined;
  for (const header of headers) {
    if (header[0] !== key) continue;
    const value = trimBlanks(header[1]);
    joined = joined && value ? `${joined},${value}` : joined || value;
  }
  return joined;
}

// What a proxy in front says of the client's connection counts more than one's own.
function schemeOf(scheme: ByteString, headers: readonly HeaderEntry[]): ByteString {
  const forwarded = joinedValue(headers, "x-forwarded-proto");
  return forwarded !== undefined && /^https?$/i.test(forwarded) ? lowerCase(forwarded) : scheme;
}

// What tells Envoy how to treat a request counts from nobody outside.
const internal = (
  "x-envoy-expected-rq-timeout-ms x-envoy-force-trace x-envoy-hedge-on-per-try-timeout x-envoy-internal " +
  "x-envoy-ip-tags x-envoy-max-retries x-envoy-original-url x-envoy-retriable-header-names " +
  "x-envoy-retriable-status-codes x-envoy-retry-grpc-on x-envoy-retry-on x-envoy-upstream-alt-stat-name " +
  "x-envoy-upstream-rq-per-try-timeout-ms x-envoy-upstream-rq-timeout-alt-response " +
  "x-envoy-upstream-rq-timeout-ms x-envoy-upstream-stream-duration-ms x-forwarded-client-cert"
).split(" ");

/** The protocol that a request asks for. HTTP/2 without TLS does not count: Envoy answers as if nobody asked. */
function upgradeOf(headers: readonly HeaderEntry[]): string | undefined {
  if (!hasKey(headers, "upgrade")) return undefined;
  const upgrade = valuesOf(headers, "upgrade").find((value) => value !== "h2c");
  const connection = valuesOf(headers, "connection").flatMap((value) => value.split(","));
  return connection.some((word) => trimBlanks(word) === "upgrade") ? upgrade : undefined;
}

function hasKey(headers: readonly HeaderEntry[], key: ByteString): boolean {
  for (const header of headers) if (header[0] === key) return true;
  return false;
}

function valuesOf(headers: readonly HeaderEntry[], key: ByteString): ByteString[] {
  return headers.filter((header) => header[0] === key).map((header) => lowerCase(trimBlanks(header[1])));
}

const ofUpgrade = ["connection", "upgrade"];
const droppedOfUpgrade: ReadonlySet<string> = new Set([
  ...internal,
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
]);
const dropped: ReadonlySet<string> = new Set([...droppedOfUpgrade, ...ofUpgrade]);

function hasOneOf(map: HeaderMap, keys: ReadonlySet<string>): boolean {
  for (const [key] of map.entries) if (keys.has(key)) return true;
  return false;
}

/** What `connection` names means the connection, not the message, and so does `connection` itself. */
function namedByConnection(headers: readonly HeaderEntry[]): ReadonlySet<string> | undefined {
  if (!hasKey(headers, "connection")) return undefined;
  const names = new Set(["connection"]);
  for (const value of valuesOf(headers, "connection")) for (const name of value.split(",")) names.add(trimBlanks(name));
  names.delete("te");
  if (upgradeOf(headers) !== undefined) for (const name of ofUpgrade) names.delete(name);
  return names;
}
