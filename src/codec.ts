// What Envoy's HTTP/1 codec takes from a client or an upstream. What it does not take no filter ever sees.
// Source: Envoy source/common/http/http1/codec_impl.cc; the answers are those of a running Envoy 1.40.

import { type ByteString, lowerCase, trimBlanks } from "./bytes.ts";
import type { RequestHead } from "./connection.ts";
import { parseUnsigned } from "./decimal.ts";
import { HeaderMap, isHeaderName, isHeaderValue } from "./header-map.ts";
import type { Limits } from "./limits.ts";
import { type LocalReply, proxyReply } from "./local-reply.ts";
import { parseTarget } from "./request-target.ts";

const methods: ReadonlySet<string> = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY " +
    "OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK " +
    "UNSUBSCRIBE"
  ).split(" "),
);

const visible = /^[\x21-\x7e]*$/;
const authorityText = /^[\w\-.~%!$&'()*+,;=:@[\]]*$/;

/** The reply to a request whose head the codec does not take, or undefined. */
export function refuseHead(head: RequestHead, limits: Limits): LocalReply | undefined {
  const { method, path, authority, headers } = head;
  if (!isHeaderValue(path)) return invalidCharacters;
  if (!methods.has(method) || !visible.test(path)) return codecError;
  const target = parseTarget(method, path);
  if (typeof target === "string") return badRequest(target);
  if (authority !== undefined && !isHeaderValue(authority)) return invalidCharacters;
  // The authority came as a header too.
  const [sent, bytes] =
    authority === undefined ? [0, path.length] : [1, path.length + "host".length + authority.length];
  const wrong = refuseEntries(headers, sent, bytes, limits);
  if (wrong) return wrong;
  const unframed = refuseFraming(method, headers);
  if (unframed) return unframed;
  if (authority !== undefined && !authorityText.test(authority)) return invalidAuthority;
  // The host of a whole URL counts, whatever the header says.
  if (target.authority !== undefined) return undefined;
  return headers.getAll("host").every((value) => authorityText.test(value)) ? undefined : invalidAuthority;
}

/** The reply to a request that does not say plainly how long it is, or undefined. */
function refuseFraming(method: ByteString, headers: HeaderMap): LocalReply | undefined {
  const lengths = headers.getAll("content-length");
  const codings = headers.getAll("transfer-encoding");
  if (!lengths.length && !codings.length) return undefined;
  if (lengths.length && !isLength(lengths.map(trimBlanks).join())) return codecError;
  const isConnect = method === "CONNECT";
  if (isConnect && lengths.some((length) => trimBlanks(length) !== "0")) return badRequest("http1.body_disallowed");
  if (lengths.length && codings.length) return badRequest("http1.content_length_and_chunked_not_allowed");
  return codings.length && (isConnect || !isChunked(codings.map(trimBlanks).join())) ? unknownCoding : undefined;
}

function isLength(value: ByteString): boolean {
  return /^\d/.test(value) && parseUnsigned(value, 64) !== undefined;
}

function isChunked(value: ByteString): boolean {
  return lowerCase(value) === "chunked";
}

/** The reply to a request whose trailers the codec does not take, or undefined. */
export function refuseTrailers(trailers: HeaderMap, limits: Limits): LocalReply | undefined {
  return refuseEntries(trailers, 0, 0, limits);
}

/** Whether the codec takes the headers or trailers of a response. */
export function isTaken(map: HeaderMap, { receivedHeaders, responseHeaderBytes }: Limits): boolean {
  if (!map.isPlain && map.entries.some(([name, value]) => !isName(name) || !isHeaderValue(value))) return false;
  if (map.byteSize > responseHeaderBytes || !isFramed(map)) return false;
  return map.size <= receivedHeaders || map.size - countOwn(map) <= receivedHeaders;
}

/** Whether the headers of a response say plainly how long it is. */
function isFramed(map: HeaderMap): boolean {
  const length = map.get("content-length");
  const coding = map.get("transfer-encoding");
  if (length === undefined && coding === undefined) return true;
  if (coding !== undefined && (length !== undefined || !isChunked(coding))) return false;
  if (map.get(":status") === "204") return coding === undefined && length === "0";
  return length === undefined || isLength(length);
}

/** How many entries nobody sent as headers. */
function countOwn(map: HeaderMap): number {
  if (map.kind !== "response") return 0;
  return [":status", "x-envoy-upstream-service-time"].filter((name) => map.get(name) !== undefined).length;
}

/** Whether a status is one that a response can begin with, goes before one and is not passed on, or is no status. */
export function kindOfStatus(status: number): "final" | "interim" | "invalid" {
  if (status === 101 || (status >= 200 && status <= 999)) return "final";
  return status >= 100 && status <= 104 ? "interim" : "invalid";
}

function refuseEntries(
  map: HeaderMap,
  countBefore: number,
  bytesBefore: number,
  { receivedHeaders, requestHeaderBytes }: Limits,
): LocalReply | undefined {
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

const badRequest = (details: string): LocalReply => proxyReply(400, "Bad Request", details);
const codecError = badRequest("http1.codec_error");
const invalidCharacters = badRequest("http1.invalid_characters");
const invalidAuthority = badRequest("http.invalid_authority");
const unknownCoding = proxyReply(501, "Not Implemented", "http1.invalid_transfer_encoding");
const tooLarge = (details: string): LocalReply => proxyReply(431, "Request Header Fields Too Large", details);
