// The answer that a proxy gives by itself. Source: Envoy source/common/http/utility.cc, `Utility::prepareLocalReply`.

import { GrpcStatus } from "../../assembly/abi.ts";
import { type ByteString, bytesOf, noBytes } from "../encoding/bytes.ts";
import { type HeaderEntry, HeaderMap } from "./header-map.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** What a filter or the proxy itself answers with. */
export interface LocalReply {
  /** The status code; Envoy keeps 16 bits of it. */
  readonly status: number;
  /** Why, for the access log; white space becomes `_`. */
  readonly details: ByteString;
  /** Headers beside those that the proxy adds. */
  readonly headers: readonly HeaderEntry[];
  /** The body; no bytes when there is none. */
  readonly body: Uint8Array;
  /** For a gRPC request; undefined takes the one that fits the status code. */
  readonly grpcStatus: number | undefined;
}

/** The message that carries a reply to this request, as Envoy makes it. */
export function localReplyMessage(
  reply: LocalReply,
  request: HeaderMap | undefined,
): { headers: HeaderMap; body: Uint8Array } {
  const grpc = /^application\/grpc(\+|$)/.test(request?.get("content-type") ?? "");
  const headers = new HeaderMap("response", [[":status", grpc ? "200" : String(reply.status)]]);
  for (const [name, value] of reply.headers) if (name.toLowerCase() !== ":status") headers.add(name, value);
  if (grpc) {
    headers.set("content-type", "application/grpc");
    headers.set("grpc-status", String(reply.grpcStatus ?? grpcStatusOf(reply.status)));
    const asksHead = request?.get(":method") === "HEAD";
    if (reply.body.length && !asksHead) headers.set("grpc-message", percentEncode(reply.body));
    headers.delete("content-length");
    return { headers, body: noBytes };
  }
  if (!reply.body.length) {
    headers.delete("content-length");
    headers.delete("content-type");
    return { headers, body: reply.body };
  }
  headers.put("content-length", String(reply.body.length));
  if (headers.get("content-type") === undefined) headers.append("content-type", "text/plain");
  return { headers, body: request?.get(":method") === "HEAD" ? noBytes : reply.body };
}

/** The same, as nginx makes it: with a line feed behind the body, and every header once. */
export function nginxReplyMessage(
  reply: LocalReply,
  request: HeaderMap | undefined,
): { headers: HeaderMap; body: Uint8Array } {
  const headers = new HeaderMap("response", [[":status", String(reply.status)]]);
  for (const [name, value] of reply.headers) if (!name.startsWith(":")) headers.set(name, value);
  if (reply.body.length && headers.get("content-type") === undefined) headers.append("content-type", "text/plain");
  headers.put("content-length", String(reply.body.length));
  return { headers, body: request?.get(":method") === "HEAD" ? noBytes : reply.body };
}

/** What a stream gets whose filter has failed. */
export function failedReply({ failureStatus, localReplies }: HostProfile): LocalReply {
  if (localReplies === "envoy") return proxyReply(failureStatus, "", "wasm_fail_stream", GrpcStatus.Unavailable);
  return nginxError(failureStatus, "Internal Server Error", "filter_failed");
}

/** An error of nginx's own, with its page. */
export function nginxError(status: number, title: string, details: string): LocalReply {
  const head = ["<html>", `<head><title>${status} ${title}</title></head>`, "<body>"];
  const page = [...head, `<center><h1>${status} ${title}</h1></center>`, "<hr><center>nginx</center>", "</body>"];
  const text = [...page, "</html>", ""].join("\r\n");
  return { ...proxyReply(status, text, details), headers: [["content-type", "text/html"]] };
}

/** A reply of the proxy's own, in plain text. */
export function proxyReply(status: number, body: string, details: string, grpcStatus?: GrpcStatus): LocalReply {
  return { status, details, headers: [], body: bytesOf(body), grpcStatus };
}

/**
 * What Envoy answers in place of an upstream whose connection breaks before, or after, its response has begun; `retried`
 * says whether this was not the first try.
 */
export function upstreamFailureReply(reason: string, when: "before" | "after" = "before", retried = false): LocalReply {
  const latest = retried ? "retried and the latest " : "";
  const text = `upstream connect error or disconnect/reset before headers. ${latest}reset reason: ${reason}`;
  const transport = reason === "remote connection failure" ? "|delayed connect error: Connection refused" : "";
  const details = `upstream_reset_${when}_response_started{${(reason + transport).replaceAll(" ", "_")}}`;
  return proxyReply(reason === "protocol error" ? 502 : 503, text, details);
}

/** gRPC's "HTTP to gRPC Status Code Mapping", as in Envoy source/common/grpc/status.cc. */
export function grpcStatusOf(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

/** The form of a status message on the wire. Like gRPC's own rule, but Envoy counts `~` among what is to be encoded. */
export function percentEncode(bytes: Uint8Array): ByteString {
  let text = "";
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
