// What an HTTP/1 request is for, as its first line says: a path, a whole URL, or the host that CONNECT asks for.
// Source: Envoy source/common/http/http1/balsa_parser.cc and codec_impl.cc; the answers are those of a running Envoy 1.40.

import type { ByteString } from "../encoding/bytes.ts";
import { isIPv4, isIPv6 } from "../encoding/ip.ts";

/** What the first line of a request names. */
export interface Target {
  /** Undefined when a `host` header has it. */
  readonly authority: ByteString | undefined;
  /** Undefined for CONNECT. */
  readonly path: ByteString | undefined;
  /** Undefined when the connection says it. */
  readonly scheme: "http" | "https" | undefined;
}

/** Whether a scheme is HTTP's own, in any case. */
export function isHttpScheme(scheme: ByteString): boolean {
  return /^https?$/i.test(scheme);
}

/** Why Envoy's codec does not take a target, as `%RESPONSE_CODE_DETAILS%`. */
export type WrongTarget = "http1.codec_error" | "http1.invalid_url" | "http1.invalid_scheme";

const absolute = /^([a-z][a-z0-9+.-]*):\/\/([\w!$%&'()*+,\-.:;=@[\]~]*)([/?].*)?$/is;
const authorityForm = /^[\w!$%&'()*+,\-.:;=@[\]~]*([/?].*)?$/s;
const hostAndPort = /^(?:[\w!$%&'()*+,\-.:;=~]*@)?((?:\[([^\]]*)\]|[a-z0-9.-]+)(?::(\d+))?)$/i;

/** Reads a target; one that Envoy does not take gives the reason. */
export function parseTarget(method: ByteString, target: ByteString): Target | WrongTarget {
  const isConnect = method === "CONNECT";
  if (!isConnect && (target.startsWith("/") || (target.startsWith("*") && method === "OPTIONS")))
    return { authority: undefined, path: target, scheme: undefined };
  if (/^[/*]/.test(target)) return "http1.invalid_url";
  if (isConnect) {
    if (!authorityForm.test(target) || target.includes("@@")) return "http1.codec_error";
    const authority = authorityOf(target, true);
    return authority === undefined ? "http1.invalid_url" : { authority, path: undefined, scheme: undefined };
  }
  const [, scheme, host, path = "/"] = absolute.exec(target) ?? [];
  if (scheme === undefined || host!.includes("@@")) return "http1.codec_error";
  const authority = authorityOf(host!, false);
  if (authority === undefined) return "http1.invalid_url";
  const lower = scheme.toLowerCase();
  return lower === "http" || lower === "https" ? { authority, path, scheme: lower } : "http1.invalid_scheme";
}

/** The host and port in what may have a user in front; undefined when they are none. */
function authorityOf(text: ByteString, needsPort: boolean): ByteString | undefined {
  const [, authority, address, port] = hostAndPort.exec(text) ?? [];
  if (authority === undefined || (address !== undefined && !isIPv4(address) && !isIPv6(address))) return undefined;
  if (port === undefined ? needsPort : Number(port) > 65_535) return undefined;
  return authority;
}
