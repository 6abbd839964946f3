// Envoy's HTTP/2 codec. What breaks its rules ends the stream, or the whole connection, and nobody is answered.
// Source: Envoy source/common/http/http2/codec_impl.cc, QUICHE's http2/adapter/header_validator.cc; the answers are those
// of a running Envoy 1.40.

import { type ByteString, lowerCase } from "../encoding/bytes.ts";
import type { Codec, StreamReset } from "./codec.ts";
import { type HeaderEntry, HeaderMap, isHeaderName, isHeaderValue } from "./header-map.ts";
import { hasNoContent, isContinue } from "./http1-codec.ts";
import { connectionHeaders } from "./proxy-headers.ts";
import { ResponseFlag } from "./response-flag.ts";

/** HTTP/2: names and values by the letter, and every body as long as it says. */
export const http2Codec: Codec = {
  readHead({ headers }, scheme, { joinsHeaders }) {
    const map = new HeaderMap("request");
    let [host, cookie]: (ByteString | undefined)[] = [];
    for (const [key, value] of headers.entries) {
      if (key === "host") host = value;
      else if (key === "cookie" && joinsHeaders) cookie = cookie === undefined ? value : `${cookie}; ${value}`;
      // The proxy itself tells the client to go on.
      else if (key !== "expect" || !isContinue(value)) map[joinsHeaders ? "add" : "append"](key, value);
    }
    if (host !== undefined && map.get(":authority") === undefined) map.append(":authority", host);
    if (cookie !== undefined) map.append("cookie", cookie);
    const said = map.get(":scheme");
    if (said === undefined) {
      if (scheme !== undefined) map.append(":scheme", scheme);
    } else {
      map.put(":scheme", lowerCase(said));
    }
    const te = map.get("te");
    if (te !== undefined && !/^trailers(,trailers)*$/.test(te)) map.delete("te");
    else if (te !== undefined) map.put("te", "trailers");
    return map;
  },

  refuseHead({ headers }, endOfStream, { receivedHeaders, requestHeaderBytes }) {
    const { entries } = headers;
    const seen = new Set<ByteString>();
    for (const entry of entries) {
      const [name] = entry;
      const isPseudo = requestPseudo.has(name);
      const isRight = (isPseudo || isField(entry)) && isValue(entry);
      if (!isRight || ((isPseudo || single.has(name)) && seen.has(name))) return invalid(entry);
      seen.add(name);
    }
    const wrong = wrongRequest(headers);
    if (wrong !== undefined) return violation(wrong);
    if (endOfStream && Number(headers.get("content-length") ?? 0)) return violation(noBody);
    return tooMuch(headers, receivedHeaders, requestHeaderBytes);
  },

  refuseTrailers(trailers, { receivedHeaders, requestHeaderBytes }) {
    const wrong = trailers.entries.find((entry) => !isField(entry) || !isValue(entry));
    if (wrong) return invalid(wrong);
    if (trailers.get("content-length") !== undefined) return violation("content-length is no trailer");
    return tooMuch(trailers, receivedHeaders, requestHeaderBytes);
  },

  readResponse(headers, endOfStream, { receivedHeaders, http2ResponseHeaderBytes }, answersHead) {
    for (const entry of headers.entries) {
      if ((entry[0] !== ":status" && !isField(entry)) || !isValue(entry)) return "protocol error";
    }
    const status = headers.get(":status") ?? "";
    if (!/^[1-9]\d\d$/.test(status) || status === "101") return "protocol error";
    if (status.startsWith("1")) return endOfStream ? "protocol error" : "interim";
    if (!hasNoContent(headers)) return "protocol error";
    if (endOfStream && this.bodyLength(headers, answersHead)) return "protocol error";
    // What the proxy has added nobody sent.
    const time = headers.get(serviceTime);
    const [count, bytes] = time === undefined ? [0, 0] : [1, serviceTime.length + time.length];
    const isMuch = headers.size - count > receivedHeaders || headers.byteSize - bytes > http2ResponseHeaderBytes;
    return isMuch ? "remote reset" : "final";
  },

  refuseResponseTrailers(trailers, { receivedHeaders, http2ResponseHeaderBytes }) {
    if (trailers.entries.some((entry) => !isField(entry) || !isValue(entry))) return "protocol error";
    const isMuch = trailers.size > receivedHeaders || trailers.byteSize > http2ResponseHeaderBytes;
    return isMuch ? "remote reset" : undefined;
  },

  bodyLength(headers, answersHead) {
    if (answersHead || /^[23]04$/.test(headers.get(":status") ?? "")) return 0;
    const length = headers.get("content-length");
    return length === undefined ? undefined : Number(length);
  },

  sendRequest: (headers) => headers,
  sendResponse: (headers) => headers,
};

/** The end of a stream whose body is not as long as its head says: at a piece of it, or at the trailers. */
export function wrongLength(atTrailers: boolean): StreamReset {
  const why = "its body is not as long as its content-length says";
  return atTrailers
    ? violation(why)
    : { details: "http2.remote_reset", flag: ResponseFlag.DownstreamProtocolError, why };
}

const noBody = "its content-length says that it has a body, and it has none";
const serviceTime = "x-envoy-upstream-service-time";

const requestPseudo: ReadonlySet<string> = new Set([":authority", ":method", ":path", ":scheme"]);
const single: ReadonlySet<string> = new Set(["content-length", "host"]);

/** Whether a header can have this name. */
function isField([name]: HeaderEntry): boolean {
  return name !== "" && !name.startsWith(":") && isHeaderName(name) && !connectionHeaders.has(name);
}

const authority = /^[\w\-.~%!$&'()*+,;=:[\]]+$/;
const values: Readonly<Record<string, RegExp>> = {
  ":authority": authority,
  ":method": /^[\w!#$%&'*+\-.^`|~]+$/,
  ":path": /^[^\0-\x20\x7f]+$/,
  ":scheme": /^[a-z0-9+\-.]+$/i,
  "content-length": /^\d{1,19}$/,
  host: authority,
  te: /^trailers$/i,
};

/** Whether a header can have its value. */
function isValue([name, value]: HeaderEntry): boolean {
  return isHeaderValue(value) && (!Object.hasOwn(values, name) || values[name]!.test(value));
}

/** Which rule of a whole head this one breaks. */
function wrongRequest(headers: HeaderMap): string | undefined {
  const path = headers.get(":path");
  const hasScheme = headers.get(":scheme") !== undefined;
  if (headers.get(":method") === "CONNECT") {
    const isRight = headers.get(":authority") !== undefined && path === undefined && !hasScheme;
    return isRight ? undefined : "CONNECT has an :authority, and neither :path nor :scheme";
  }
  if (headers.get(":method") === undefined || path === undefined || !hasScheme) {
    return "it needs :method, :scheme and :path";
  }
  if (headers.get(":authority") === undefined && headers.get("host") === undefined) return "it needs an :authority";
  const isPath = path.startsWith("/") || (path === "*" && headers.get(":method") === "OPTIONS");
  return isPath ? undefined : `its :path is ${JSON.stringify(path)}, and must begin with /`;
}

function tooMuch(map: HeaderMap, most: number, mostBytes: number): StreamReset | undefined {
  const reset = (details: string, why: string): StreamReset => ({
    details,
    flag: ResponseFlag.DownstreamRemoteReset,
    why,
  });
  // What is joined counts as one, but for the crumbs of a cookie, and a host beside the authority.
  const isMany = map.size > most && new HeaderMap(map.kind, map.entries).size + countHosts(map) > most;
  if (isMany) return reset("http2.too_many_headers", `it has more than ${most} headers`);
  if (map.byteSize <= mostBytes) return undefined;
  return reset("http2.header_list_size_too_large", `its headers have more than ${mostBytes} bytes`);
}

function countHosts(map: HeaderMap): number {
  return map.get(":authority") === undefined ? 0 : map.getAll("host").length;
}

function invalid([name, value]: HeaderEntry): StreamReset {
  const why = `it has the header ${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  return { details: "http2.invalid.header.field", flag: ResponseFlag.DownstreamProtocolError, why };
}

function violation(why: string): StreamReset {
  return { details: "http2.violation.of.messaging.rule", flag: ResponseFlag.DownstreamProtocolError, why };
}
