// gRPC as a client and a service put it on the wire: messages in a body, each with five bytes in front of it, and how it
// went in trailers. Source: grpc/grpc doc/PROTOCOL-HTTP2.md.

import { GrpcStatus } from "../../assembly/abi.ts";
import { type ByteString, bytesOf, encodeText, joinBytes, toBytes, toText } from "../encoding/bytes.ts";
import { parseUnsigned } from "../encoding/decimal.ts";
import type { GrpcAnswer } from "./grpc.ts";
import { headerEntries, type HeadersInit, type HttpHeaders } from "../http/http-headers.ts";
import { percentEncode } from "../http/local-reply.ts";
import type { RequestInit } from "../request-init.ts";
import type { UpstreamResponse } from "./upstream.ts";

/** One message, as text or bytes, or several. */
export type GrpcMessages = string | Uint8Array | readonly (string | Uint8Array)[];

/** What a gRPC client hears in the end. */
export interface GrpcOutcome {
  /** gRPC's status; `Unknown` when nobody said it, or what was said is no number. */
  readonly status: GrpcStatus;
  /** Why, in words; empty when nobody said. */
  readonly message: string;
  /** The messages that came. */
  readonly messages: readonly Uint8Array[];
}

/** Compressed or not, and the size. */
const FRAME_HEAD = 5;

/**
 * The request of a gRPC call over HTTP/2: `filter.request(grpcRequest("/acme.Limits/Check", message), { upstream })`. A
 * `content-type` or `te` of one's own takes the place of the usual one.
 */
export function grpcRequest(
  path: string,
  messages: GrpcMessages = [],
  init: Omit<RequestInit, "path" | "body" | "method"> = {},
): RequestInit {
  const headers = withDefaults(
    [
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ],
    headerEntriesOf(init.headers),
  );
  return { protocol: "HTTP/2", ...init, method: "POST", path, headers, body: grpcBody(messages) };
}

/**
 * The response of a gRPC service, for an `upstream`. One that fails without a message or metadata is its head alone. A
 * `content-type` in the metadata takes the place of the usual one.
 */
export function grpcResponse(
  messages: GrpcMessages = [],
  answer: Omit<GrpcAnswer, "message" | "httpStatus"> = {},
): UpstreamResponse {
  const { status = GrpcStatus.Ok, statusMessage = "", metadata, trailers } = answer;
  const body = grpcBody(messages);
  const why = percentEncode(toBytes(statusMessage));
  const last: [string, string | Uint8Array][] = [["grpc-status", String(status)]];
  if (why) last.push(["grpc-message", why]);
  last.push(...headerEntriesOf(trailers));
  const head = withDefaults([["content-type", "application/grpc"]], headerEntriesOf(metadata));
  const isHeadOnly = !body.length && status !== GrpcStatus.Ok && metadata === undefined;
  return isHeadOnly ? { headers: [...head, ...last] } : { headers: head, body, trailers: last };
}

/** The messages in the body of a gRPC request or response; what is cut off is left out. */
export function grpcMessages(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = 0; at + FRAME_HEAD <= body.length;) {
    const end = at + FRAME_HEAD + view.getUint32(at + 1);
    if (end > body.length) break;
    messages.push(body.slice(at + FRAME_HEAD, end));
    at = end;
  }
  return messages;
}

/** How a gRPC call went that got this response; null when it is none of gRPC's. */
export function grpcOutcome(headers: HttpHeaders, body: Uint8Array, trailers: HttpHeaders): GrpcOutcome | null {
  if (!/^application\/grpc(\+|;|$)/.test(headers.get("content-type") ?? "")) return null;
  const last = trailers.has("grpc-status") ? trailers : headers;
  return {
    status: parseGrpcStatus(last.get("grpc-status")),
    message: decodePercents(encodeText(last.get("grpc-message") ?? "")),
    messages: grpcMessages(body),
  };
}

/** The status that a `grpc-status` says; `Unknown` when there is none, or it is no number. */
export function parseGrpcStatus(value: string | null | undefined): GrpcStatus {
  return Number(parseUnsigned(value ?? "", 32) ?? GrpcStatus.Unknown);
}

/** A message with its five bytes in front. */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, FRAME_HEAD);
  return frame;
}

/** A status message's form on the wire; what is no such form is left as it is. */
export function decodePercents(text: ByteString): string {
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return toText(bytesOf(bytes));
}

function grpcBody(messages: GrpcMessages): Uint8Array {
  const all = typeof messages === "string" || messages instanceof Uint8Array ? [messages] : messages;
  return joinBytes(all.map((message) => grpcFrame(toBytes(message))));
}

/** Headers, with the defaults in front that they do not give themselves. */
function withDefaults(
  defaults: readonly [string, string][],
  given: readonly [string, Uint8Array][],
): [string, string | Uint8Array][] {
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  return [...defaults.filter(([name]) => !names.has(name)), ...given];
}

/** Names as they were given, values as bytes. */
function headerEntriesOf(init: HeadersInit | undefined): [string, Uint8Array][] {
  return headerEntries(init).map(([name, value]) => [name, bytesOf(value)]);
}
