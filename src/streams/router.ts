// What Envoy's router and its codecs demand of a message when the filters have done with it. A filter may write what it
// likes into a header map; only here does it come out. Source: Envoy source/common/http/header_utility.cc,
// source/common/router/router.cc; the answers are those of a running Envoy 1.40.

import { type ByteString, encodeText } from "../encoding/bytes.ts";
import { parseUnsigned } from "../encoding/decimal.ts";
import { EnvoyFault } from "../error.ts";
import { type HeaderMap, isHeaderName, isHeaderValue } from "../http/header-map.ts";
import { type LocalReply, proxyReply } from "../http/local-reply.ts";
import { routerHeaders } from "../http/proxy-headers.ts";
import { isHttpScheme } from "../http/request-target.ts";
import { type RetryPolicy, retryPolicy } from "./retry.ts";
import type { Trace } from "../trace.ts";

/**
 * The reply to a request that cannot be sent to an upstream, or undefined when it can. `forwardedProto` says whether it
 * came with `x-forwarded-proto`, without which Envoy looks for no route.
 */
export function refuseRequest(headers: HeaderMap, forwardedProto: boolean): LocalReply | undefined {
  // The one route there is begins with "/".
  const routable = headers.get(":path")?.startsWith("/");
  if (!routable || (forwardedProto && !headers.get("x-forwarded-proto"))) return proxyReply(404, "", "route_not_found");
  const wrong = headers.get(":method") === undefined ? "missing required header: :method" : invalidHeader(headers);
  return wrong === undefined ? undefined : removed(503, "request", wrong);
}

/**
 * The reply in place of a response that cannot be sent to the client, or undefined when it can. Throws an `EnvoyFault`
 * when it can, but would not arrive as one.
 */
export function refuseResponse(headers: HeaderMap): LocalReply | undefined {
  if (!/^[ \t-\r]*\+?\d+[ \t-\r]*$/.test(headers.get(":status") ?? "")) {
    return removed(502, "response", "missing required header: :status");
  }
  if (headers.isPlain) return undefined;
  const split = headers.entries.find(([name, value]) => /[\r\n]/.test(name + value));
  if (!split) return undefined;
  throw new EnvoyFault(
    `the response header ${JSON.stringify(split[0])} contains a line break (${JSON.stringify(split[1])}): Envoy 1.40 ` +
      "sends it as it is, which splits the response's head on HTTP/1, and is malformed on HTTP/2. Take line breaks out of " +
      "what comes from outside.",
  );
}

/** Puts a scheme where there is none that HTTP has: the one that is said to be the client's. */
export function settleScheme(headers: HeaderMap): void {
  if (isHttpScheme(headers.get(":scheme") ?? "")) return;
  const forwarded = headers.get("x-forwarded-proto") ?? "";
  headers.put(":scheme", isHttpScheme(forwarded) ? forwarded : "http");
}

/** What a proxy is configured to do with a request, besides its filters. */
export interface Route {
  /** Milliseconds that the upstream has for its whole response, when no filter says otherwise; 0 is no limit. */
  readonly timeoutMs: bigint;
  /** The protocols that a client may change to, in lower case (`upgrade_configs`). */
  readonly upgrades: ReadonlySet<string>;
}

/** What Envoy does when nobody says otherwise. */
export const plainRoute: Route = { timeoutMs: 15_000n, upgrades: new Set() };

/**
 * How long the upstream has, in milliseconds, 0 for as long as it likes, what the client gets then, and when the request
 * is sent again.
 */
export interface Patience {
  /** For its whole response. */
  readonly wholeMs: bigint;
  /** For the head of it, in each try. */
  readonly tryMs: bigint;
  /** Whether a 204 is the answer when time is over. */
  readonly answersEmpty: boolean;
  /** Undefined when there is one try only. */
  readonly retries: RetryPolicy | undefined;
}

/** So many milliseconds for the whole response, and nothing else that was asked for. */
export function plainPatience(wholeMs: bigint): Patience {
  return { wholeMs, tryMs: 0n, answersEmpty: false, retries: undefined };
}

/**
 * Takes out what filters tell the router, and tells the upstream how long it has. What the router does not understand is
 * noted in the trace.
 */
export function takePatience(headers: HeaderMap, { timeoutMs }: Pick<Route, "timeoutMs">, trace: Trace): Patience {
  const isTold = headers.mayTellProxy && headers.entries.some(([key]) => routerHeaders.has(key));
  const patience = isTold ? toldPatience(headers, timeoutMs, trace) : plainPatience(timeoutMs);
  tellPatience(headers, patience, 0n);
  return patience;
}

/** Tells the upstream how long it has when so many milliseconds are over. */
export function tellPatience(headers: HeaderMap, { tryMs, wholeMs }: Patience, passedMs: bigint): void {
  let expectedMs = tryMs || wholeMs;
  if (!expectedMs) return;
  if (passedMs && wholeMs) {
    // 0 would be no limit.
    const leftMs = passedMs < wholeMs ? wholeMs - passedMs : 1n;
    if (leftMs < expectedMs) expectedMs = leftMs;
  }
  headers.put("x-envoy-expected-rq-timeout-ms", String(expectedMs));
}

function toldPatience(headers: HeaderMap, timeoutMs: bigint, trace: Trace): Patience {
  const milliseconds = (name: ByteString): bigint | undefined => parseUnsigned(headers.get(name) ?? "", 64);
  const wholeMs = milliseconds("x-envoy-upstream-rq-timeout-ms") ?? timeoutMs;
  const perTry = milliseconds("x-envoy-upstream-rq-per-try-timeout-ms") ?? 0n;
  // A request that is hedged goes on beside its next try.
  const hedges = headers.get("x-envoy-hedge-on-per-try-timeout") === "true";
  const tryMs = hedges || (wholeMs && perTry >= wholeMs) ? 0n : perTry;
  const answersEmpty = headers.get("x-envoy-upstream-rq-timeout-alt-response") !== undefined;
  const retries = retryPolicy(headers, trace);
  headers.deleteAll(routerHeaders);
  return { wholeMs, tryMs, answersEmpty, retries };
}

function invalidHeader(headers: HeaderMap): string | undefined {
  if (headers.isPlain) return undefined;
  for (const [name, value] of headers.entries) {
    if (!isHeaderName(name)) return `invalid header name: ${escape(name)}`;
    if (!isHeaderValue(value)) return `invalid header value for: ${escape(name)}`;
  }
  return undefined;
}

function removed(status: number, message: "request" | "response", text: string): LocalReply {
  const why = text.replace(/[ \t-\r]/g, "_");
  return proxyReply(status, text, `filter_removed_required_${message}_headers{${why}}`);
}

/** Control characters, quotes and backslashes as JSON has them, so that the text can be shown. */
function escape(name: ByteString): ByteString {
  return encodeText(JSON.stringify(name).slice(1, -1));
}
