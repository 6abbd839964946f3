// Envoy's HTTP/1 codec.
// Source: Envoy source/common/http/http1/codec_impl.cc; the answers are those of a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "../encoding/bytes.ts";
import type { Codec, Malformed, RequestHead } from "./codec.ts";
import { parseUnsigned } from "../encoding/decimal.ts";
import { type HeaderEntry, HeaderMap, isHeaderName, isHeaderValue } from "./header-map.ts";
import type { Limits } from "../limits.ts";
import { proxyReply } from "./local-reply.ts";
import { upgradeHeaders } from "./proxy-headers.ts";
import { parseTarget, type Target } from "./request-target.ts";

const methods: ReadonlySet<string> = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY " +
    "OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK " +
    "UNSUBSCRIBE"
  ).split(" "),
);

const visible = /^[\x21-\x7e]*$/;
const authorityText = /^[\w\-.~%!$&'()*+,;=:@[\]]*$/;

/** HTTP/1.1: what it does not take of a client it answers, and how long a body is it does not check. */
export const http1Codec: Codec = {
  readHead(head, scheme, { joinsHeaders }) {
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
  },
  refuseHead(head, _endOfStream, limits) {
    return refuseHead(head, limits);
  },
  refuseTrailers(trailers, limits) {
    return refuseEntries(trailers, 0, 0, limits);
  },
  readResponse(headers, _endOfStream, limits) {
    const kind = kindOfStatus(Number(headers.get(":status")));
    if (kind === "interim") return kind;
    return kind === "final" && isTaken(headers, limits) && hasNoContent(headers) ? kind : "protocol error";
  },
  refuseResponseTrailers(trailers, limits) {
    return isTaken(trailers, limits) ? undefined : "protocol error";
  },
  bodyLength: () => undefined,
  sendRequest(headers, endOfStream) {
    const isSaid = !endOfStream || headers.get("content-length") !== undefined;
    return isSaid || bodilessMethods.has(headers.get(":method") ?? "") ? headers : withoutBody(headers);
  },
  sendResponse(headers, endOfStream, answersHead) {
    const isSaid = !endOfStream || answersHead || headers.get("content-length") !== undefined;
    return isSaid || isUnframed(Number(headers.get(":status"))) ? headers : withoutBody(headers);
  },
};

function refuseHead(head: RequestHead, limits: Limits): Malformed | undefined {
  const { method, path, authority, headers } = head;
  const isVisible = visible.test(path);
  if (!isVisible && !isHeaderValue(path)) return invalidCharacters;
  if (!isVisible || !methods.has(method)) return codecError;
  const target = parseTarget(method, path);
  if (typeof target === "string") return badRequest(target);
  const isAuthority = authority === undefined || authorityText.test(authority);
  if (!isAuthority && !isHeaderValue(authority)) return invalidCharacters;
  // The authority came as a header too.
  const [sent, bytes] =
    authority === undefined ? [0, path.length] : [1, path.length + "host".length + authority.length];
  const wrong = refuseEntries(headers, sent, bytes, limits);
  if (wrong) return wrong;
  const unframed = refuseFraming(method, headers);
  if (unframed) return unframed;
  if (!isAuthority) return invalidAuthority;
  // The host of a whole URL counts, whatever the header says.
  if (target.authority !== undefined || headers.get("host") === undefined) return undefined;
  return headers.getAll("host").every((value) => authorityText.test(value)) ? undefined : invalidAuthority;
}

/** What becomes of a request that does not say plainly how long it is. */
function refuseFraming(method: ByteString, headers: HeaderMap): Malformed | undefined {
  if (headers.get("content-length") === undefined && headers.get("transfer-encoding") === undefined) return undefined;
  const lengths = headers.getAll("content-length");
  const codings = headers.getAll("transfer-encoding");
  if (lengths.length && !isLength(lengths.map(trimBlanks).join())) return codecError;
  const isConnect = method === "CONNECT";
  if (isConnect && lengths.some((length) => trimBlanks(length) !== "0")) return badRequest("http1.body_disallowed");
  if (lengths.length && codings.length) return badRequest("http1.content_length_and_chunked_not_allowed");
  return codings.length && (isConnect || !isChunked(codings.map(trimBlanks).join())) ? unknownCoding : undefined;
}

function isLength(value: ByteString): boolean {
  // So many digits always fit.
  return /^\d{1,19}$/.test(value) || (/^\d/.test(value) && parseUnsigned(value, 64) !== undefined);
}

function isChunked(value: ByteString): boolean {
  return lowerCase(value) === "chunked";
}

/** Whether a client that expects this waits for a word of the proxy before it sends the body. */
export function isContinue(expected: ByteString): boolean {
  return /^100-continue$/i.test(expected);
}

/** Whether a response with this status is sent without a word of where its body ends. */
export function isUnframed(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

/** Whether the headers of a response say plainly how long it is. */
function isFramed(map: HeaderMap): boolean {
  const length = map.get("content-length");
  const coding = map.get("transfer-encoding");
  if (coding !== undefined && (length !== undefined || !isChunked(coding))) return false;
  return length === undefined || isLength(length);
}

/** Whether the codec takes the headers or trailers of a response. */
function isTaken(map: HeaderMap, { receivedHeaders, responseHeaderBytes }: Limits): boolean {
  if (!map.isPlain && map.entries.some(([name, value]) => !isName(name) || !isHeaderValue(value))) return false;
  if (map.byteSize > responseHeaderBytes || !isFramed(map)) return false;
  return map.size <= receivedHeaders || map.size - countOwn(map) <= receivedHeaders;
}

/** Whether a 204 does not speak of a body. A length of 0 is left out. */
export function hasNoContent(headers: HeaderMap): boolean {
  if (headers.get(":status") !== "204") return true;
  if (headers.get("transfer-encoding") !== undefined) return false;
  const length = headers.get("content-length");
  if (length !== undefined && Number(length) !== 0) return false;
  headers.delete("content-length");
  return true;
}

/** How many entries nobody sent as headers. */
function countOwn(map: HeaderMap): number {
  if (map.kind !== "response") return 0;
  return [":status", "x-envoy-upstream-service-time"].filter((name) => map.get(name) !== undefined).length;
}

/** Whether a status is one that a response can begin with, goes before one and is not passed on, or is no status. */
function kindOfStatus(status: number): "final" | "interim" | "invalid" {
  if (status === 101 || (status >= 200 && status <= 999)) return "final";
  return status >= 100 && status <= 104 ? "interim" : "invalid";
}

function refuseEntries(
  map: HeaderMap,
  countBefore: number,
  bytesBefore: number,
  { receivedHeaders, requestHeaderBytes }: Limits,
): Malformed | undefined {
  if (!map.isPlain) {
    for (const [name, value] of map.entries) {
      if (!isName(name)) return codecError;
      if (!isHeaderValue(value)) return invalidCharacters;
    }
  }
  // What is joined counts as one.
  const most = receivedHeaders - countBefore;
  const isMany = map.size > most && new HeaderMap(map.kind, map.entries).size > most;
  if (isMany) return tooLarge("http1.too_many_headers");
  return bytesBefore + map.byteSize > requestHeaderBytes ? tooLarge("http1.headers_too_large") : undefined;
}

function isName(name: ByteString): boolean {
  return name !== "" && isHeaderName(name);
}

const answered = (status: number, body: string, details: string): Malformed => ({
  reply: proxyReply(status, body, details),
});
const badRequest = (details: string): Malformed => answered(400, "Bad Request", details);
const codecError = badRequest("http1.codec_error");
const invalidCharacters = badRequest("http1.invalid_characters");
const invalidAuthority = badRequest("http.invalid_authority");
const unknownCoding = answered(501, "Not Implemented", "http1.invalid_transfer_encoding");
const tooLarge = (details: string): Malformed => answered(431, "Request Header Fields Too Large", details);

const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

// The filters, which see the message once more in on_log, do not see this.
function withoutBody(headers: HeaderMap): HeaderMap {
  const framed = headers.clone();
  framed.append("content-length", "0");
  return framed;
}

/** What the first line names; of what the codec refuses, nothing is known. */
function targetOf({ method, path }: RequestHead): Target {
  const target = parseTarget(method, path);
  return typeof target === "string" ? { authority: undefined, path, scheme: undefined } : target;
}

/** All values of a header that counts as one. */
export function joinedValue(headers: readonly HeaderEntry[], key: ByteString): ByteString | undefined {
  let joined: ByteString | undefined;
  for (const header of headers) {
    if (header[0] !== key) continue;
    const value = trimBlanks(header[1]);
    joined = joined && value ? `${joined},${value}` : joined || value;
  }
  return joined;
}

/** The protocol that a request asks for. HTTP/2 without TLS does not count: Envoy answers as if nobody asked. */
export function upgradeOf(headers: readonly HeaderEntry[]): string | undefined {
  if (!hasKey(headers, "upgrade")) return undefined;
  const upgrade = valuesOf(headers, "upgrade").find((value) => value !== "h2c");
  const connection = valuesOf(headers, "connection").flatMap((value) => value.split(","));
  return connection.some((word) => trimBlanks(word) === "upgrade") ? upgrade : undefined;
}

/** What `connection` names means the connection, not the message, and so does `connection` itself. */
function namedByConnection(headers: readonly HeaderEntry[]): ReadonlySet<string> | undefined {
  if (!hasKey(headers, "connection")) return undefined;
  const names = new Set(["connection"]);
  for (const value of valuesOf(headers, "connection")) for (const name of value.split(",")) names.add(trimBlanks(name));
  names.delete("te");
  if (upgradeOf(headers) !== undefined) for (const name of upgradeHeaders) names.delete(name);
  return names;
}

function hasKey(headers: readonly HeaderEntry[], key: ByteString): boolean {
  for (const header of headers) if (header[0] === key) return true;
  return false;
}

function valuesOf(headers: readonly HeaderEntry[], key: ByteString): ByteString[] {
  return headers.filter((header) => header[0] === key).map((header) => lowerCase(trimBlanks(header[1])));
}
