// What Envoy's HTTP connection manager does to a message before and after the filters: which headers it adds, takes
// away and puts in which order. Source: Envoy source/common/http/conn_manager_utility.cc; a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "../encoding/bytes.ts";
import type { Clock } from "../clock.ts";
import { codecOf, type HttpProtocol, type RequestHead } from "./codec.ts";
import { type HeaderEntry, HeaderMap } from "./header-map.ts";
import { joinedValue, upgradeOf } from "./http1-codec.ts";
import { type LocalReply, proxyReply } from "./local-reply.ts";
import { connectionHeaders, internalHeaders, upgradeHeaders } from "./proxy-headers.ts";
import { isHttpScheme } from "./request-target.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** The headers of a request as the codec hands them on. The log has these when they are refused at once. */
export function receivedHeaders(head: RequestHead, profile: Pick<HostProfile, "joinsHeaders">): HeaderMap {
  return codecOf(head.protocol).readHead(head, undefined, profile);
}

/** The headers of a request as the first filter sees them; `random` is what its id is made of. */
export function requestHeaders(
  head: RequestHead,
  random: (bytes: Uint8Array) => void,
  profile: Pick<HostProfile, "joinsHeaders" | "addsEnvoyHeaders">,
): HeaderMap {
  const given = head.headers.entries;
  const map = codecOf(head.protocol).readHead(head, schemeOf(head.scheme, given), profile);
  if (map.mayTellProxy) map.deleteAll(upgradeOf(given) === undefined ? dropped : droppedOfUpgrade);
  if (!profile.addsEnvoyHeaders) return map;
  const referer = map.get("referer");
  if (referer !== undefined && !isReferer(referer)) map.delete("referer");
  const id = requestId(random);
  if (map.get("x-forwarded-proto") === undefined) map.append("x-forwarded-proto", head.scheme);
  if (!map.get("x-request-id")) map.put("x-request-id", id);
  return map;
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
  protocol: HttpProtocol,
  { joinsHeaders }: Pick<HostProfile, "joinsHeaders">,
): HeaderMap {
  const map = new HeaderMap("response");
  map.append(":status", String(status));
  const isHttp1 = protocol === "HTTP/1.1";
  for (const [name, value] of headers) map[joinsHeaders ? "add" : "append"](name, isHttp1 ? trimBlanks(value) : value);
  if (isHttp1) map.delete("keep-alive");
  if (serviceTimeMs !== undefined) map.put("x-envoy-upstream-service-time", String(serviceTimeMs));
  return map;
}

/** The trailers of a message as the first filter sees them. */
export function receivedTrailers(
  kind: "request trailers" | "response trailers",
  trailers: readonly HeaderEntry[],
  protocol: HttpProtocol,
): HeaderMap {
  const map = new HeaderMap(kind);
  for (const [name, value] of trailers) map.add(name, protocol === "HTTP/1.1" ? trimBlanks(value) : value);
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
 * connection of HTTP/1: nobody waits for the rest. Unless the connection is `upgraded` to another protocol by it.
 */
export function finishResponse(
  headers: HeaderMap,
  clock: Clock,
  { requestComplete, upgraded, protocol, server }: ResponseEnd & Pick<HostProfile, "server">,
): void {
  const isHttp2 = protocol === "HTTP/2";
  headers.deleteAll(upgraded ? alwaysPerHop : isHttp2 ? perConnection : perHop);
  if (headers.get("date") === undefined) headers.append("date", dateAt(clock.now()));
  headers.put("server", server);
  if (!requestComplete && !upgraded && !isHttp2) headers.append("connection", "close");
}

/** What is known when a response goes out. */
interface ResponseEnd {
  readonly requestComplete: boolean;
  readonly upgraded: boolean;
  readonly protocol: HttpProtocol;
}

const alwaysPerHop = ["proxy-connection", "transfer-encoding"];
const perHop = [...alwaysPerHop, "connection", "upgrade"];
const perConnection = [...perHop, "keep-alive"];

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

// What a proxy in front says of the client's connection counts more than one's own.
function schemeOf(scheme: ByteString, headers: readonly HeaderEntry[]): ByteString {
  const forwarded = joinedValue(headers, "x-forwarded-proto");
  return forwarded !== undefined && isHttpScheme(forwarded) ? lowerCase(forwarded) : scheme;
}

const dropped: ReadonlySet<ByteString> = new Set([...internalHeaders, ...connectionHeaders]);
const droppedOfUpgrade: ReadonlySet<ByteString> = new Set(
  [...dropped].filter((name) => !upgradeHeaders.includes(name)),
);
