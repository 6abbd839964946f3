// What comes over the wire from the client and the upstream: what the codecs join, clean and refuse before any filter sees
// it, and what the router keeps to itself.

import type { HeaderEntry } from "../../../src/http/header-map.ts";
import {
  add,
  type Call,
  context,
  get,
  goOn,
  list,
  mapSize,
  pairs,
  property,
  type Request,
  type Response,
  type Scenario,
  type Script,
  set,
  word,
} from "../scenario.ts";

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Names that Envoy knows, and some that it does not. None means the connection, and none changes how a message is read. */
const names = words(`
  accept accept-encoding accept-language access-control-allow-credentials access-control-allow-headers
  access-control-allow-methods access-control-allow-origin access-control-expose-headers access-control-max-age
  access-control-request-headers access-control-request-method age alt-svc authorization cache-control cdn-loop
  content-encoding content-language content-type cookie date etag expires forwarded from grpc-accept-encoding
  grpc-message grpc-status grpc-timeout if-match if-modified-since if-none-match if-range if-unmodified-since
  last-modified link location origin pragma priority proxy-authenticate proxy-status range referer retry-after server
  set-cookie strict-transport-security traceparent tracestate user-agent vary via warning www-authenticate
  x-client-trace-id x-custom x-envoy-attempt-count x-envoy-decorator-operation x-envoy-degraded
  x-envoy-downstream-service-cluster x-envoy-downstream-service-node x-envoy-external-address
  x-envoy-immediate-health-check-fail x-envoy-original-host x-envoy-original-path x-envoy-ratelimited
  x-envoy-upstream-canary x-envoy-upstream-healthchecked-cluster x-envoy-upstream-service-time
  x-envoy-upstream-stream-duration-ms x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-real-ip
  x-request-id
`);
const twice = (list: readonly string[]): HeaderEntry[] =>
  list.flatMap((name): HeaderEntry[] => [
    [name, "1"],
    [name, "2"],
  ]);
const many = (count: number, value = "v"): HeaderEntry[] =>
  Array.from({ length: count }, (_, i): HeaderEntry => [`x-a${i}`, value]);
/** Some at a time: there are more than a message may have. */
const some = (size: number): string[][] =>
  Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));

const fromClient = (name: string, request: Request): Scenario => ({
  name,
  on: { request_headers: [list(0)], request_trailers: [list(1)], log: [list(0), property("response", "code_details")] },
  request,
});
const fromUpstream = (name: string, response: Response): Scenario => ({
  name,
  on: {
    response_headers: [list(2)],
    response_trailers: [list(3)],
    log: [list(2), property("response", "code_details")],
  },
  response,
});
const forRouter = (name: string, ...entries: readonly HeaderEntry[]): Scenario => ({
  name,
  on: { request_headers: entries.map(([key, value]) => set(0, key, value)), log: [list(0)] },
});
const web = (path: string): Script => ({
  request_headers: [
    ["http_call", "web", pairs([":method", "GET"], [":path", path], [":authority", "web"]), "", pairs(), 1000, word],
    1,
  ],
  http_call_response: [list(6), list(7), context(2), goOn(0)],
});

const twiceIn = (map: number): Call[] =>
  ["grpc-status", "grpc-message", "x-a", "accept"].flatMap((name) => [add(map, name, "1"), add(map, name, "2")]);

export const wire: readonly Scenario[] = [
  ...some(24).map((part, i) => fromClient(`repeated request headers ${i + 1}`, { headers: twice(part) })),
  ...some(24).map((part, i) => fromUpstream(`repeated response headers ${i + 1}`, { headers: twice(part) })),
  ...some(24).map((part, i) =>
    fromClient(`repeated request trailers ${i + 1}`, { body: ["a"], trailers: twice(part) }),
  ),
  ...some(24).map((part, i) =>
    fromUpstream(`repeated response trailers ${i + 1}`, { body: ["a"], trailers: twice(part) }),
  ),
  fromClient("repeated host", { headers: [["Host", "b.test"]] }),
  fromClient("repeated te, keep-alive, connection", {
    headers: [
      ...twice(["te", "keep-alive", "expect"]),
      ["te", "trailers"],
      ["connection", "x-a"],
      ["connection", "x-b"],
      ["x-a", "1"],
      ["x-b", "1"],
    ],
  }),
  fromClient("repeated with other letters and an empty value", {
    headers: [
      ["Accept", ""],
      ["ACCEPT", "b"],
      ["x-a", ""],
      ["X-A", "b"],
      ["Via", "a"],
      ["accept", ""],
    ],
  }),
  fromUpstream("repeated, other letters", {
    headers: [
      ["Vary", ""],
      ["VARY", "b"],
      ["ETag", "a"],
      ["vary", ""],
    ],
  }),
  { name: "a callout's answer, repeated", on: web("/twice") },
  { name: "a callout's answer of too many headers", on: web("/many") },
  { name: "a callout's answer of too many trailers", on: web("/many-trailers") },
  { name: "a callout's answer with a space in a name", on: web("/bad") },
  { name: "a callout's answer 199", on: web("/199") },
  {
    name: "trailers join what they have once",
    on: {
      request_trailers: [...twiceIn(1), list(1)],
      response_trailers: [...twiceIn(3), list(3)],
    },
    request: { body: ["a"], trailers: [["x", "1"]] },
    response: { body: ["a"], trailers: [["x", "1"]] },
  },
  {
    name: "nothing is joined to nothing",
    on: {
      request_headers: [
        add(0, "accept", ""),
        add(0, "accept", "a"),
        add(0, "accept", ""),
        add(0, "accept", "b"),
        add(0, "x-a", ""),
        add(0, "x-a", "b"),
        list(0),
      ],
    },
  },

  fromClient("100 request headers", { headers: many(96) }),
  fromClient("99 and the host", { headers: many(99) }),
  fromClient("100 and the host", { headers: many(100) }),
  fromClient("many repeated headers", { headers: Array.from({ length: 120 }, (): HeaderEntry => ["accept", "a"]) }),
  fromClient("50 KiB of request headers", { headers: many(50, "v".repeat(1000)) }),
  fromClient("61 KiB of request headers", { headers: many(61, "v".repeat(1024)) }),
  fromClient("one request header of 61 KiB", { headers: [["x-a", "v".repeat(61 * 1024)]] }),
  fromClient("a path of 61 KiB", { path: `/${"v".repeat(61 * 1024)}` }),
  fromClient("100 request trailers", { body: ["abc"], trailers: many(100) }),
  fromClient("101 request trailers", { body: ["abc"], trailers: many(101) }),
  fromClient("61 KiB of request trailers", { body: ["abc"], trailers: many(61, "v".repeat(1024)) }),
  fromUpstream("100 response headers", { headers: many(99) }),
  fromUpstream("101 response headers", { headers: many(100) }),
  fromUpstream("61 KiB of response headers", { headers: many(61, "v".repeat(1024)) }),
  fromUpstream("79 KiB of response headers", { headers: many(79, "v".repeat(1015)) }),
  fromUpstream("81 KiB of response headers", { headers: many(81, "v".repeat(1024)) }),
  fromUpstream("81 KiB of response trailers", { body: ["abc"], trailers: many(81, "v".repeat(1024)) }),
  fromUpstream("100 response trailers", { body: ["abc"], trailers: many(100) }),
  fromUpstream("101 response trailers", { body: ["abc"], trailers: many(101) }),
  fromUpstream("61 KiB of response trailers", { body: ["abc"], trailers: many(61, "v".repeat(1024)) }),
  {
    ...fromUpstream("too many trailers while the response is held", { body: ["abc"], trailers: many(101) }),
    on: { response_headers: [1], log: [get(2, ":status")] },
  },
  {
    ...fromClient("too many trailers while the request is held", { body: ["abc"], trailers: many(101) }),
    on: { request_headers: [1], log: [mapSize(0)] },
  },

  fromClient("a space in a name from the client", { headers: [["x y", "1"]] }),
  fromClient("no name from the client", { headers: [["", "1"]] }),
  fromClient("an umlaut in a name from the client", { headers: [["x-\xe4", "1"]] }),
  fromClient("a control character in a value from the client", { headers: [["x-c", "a\x01b"]] }),
  fromClient("a NUL in a value from the client", { headers: [["x-c", "a\0b"]] }),
  fromClient("DEL in a value from the client", { headers: [["x-c", "a\x7fb"]] }),
  fromClient("a tab and other bytes in a value from the client", {
    headers: [
      ["x-u", "\xe4\xe9"],
      ["x-tab", "a\tb"],
      ["x-sp", " \t a  "],
    ],
  }),
  fromClient("a control character in a trailer from the client", { body: ["a"], trailers: [["x-c", "a\x01b"]] }),
  fromClient("a space in a trailer's name from the client", { body: ["a"], trailers: [["x y", "1"]] }),
  fromClient("a method that is none", { method: "GE(T" }),
  fromClient("a method that nobody knows", { method: "FROBNICATE" }),
  fromClient("a space in the path", { path: "/a b" }),
  fromClient("a byte beyond ASCII in the path", { path: "/\xe4" }),
  fromClient("a control character in the path", { path: "/a\x01b" }),
  fromClient("a host that is none", { headers: [["host", "a b"]] }),
  fromUpstream("a space in a name from the upstream", { headers: [["x y", "1"]] }),
  fromUpstream("a control character in a value from the upstream", { headers: [["x-c", "a\x01b"]] }),
  fromUpstream("a control character in a trailer from the upstream", { body: ["a"], trailers: [["x-c", "a\x01b"]] }),
  fromUpstream("the upstream says 103", { status: 103 }),
  fromUpstream("the upstream says 102", { status: 102 }),
  fromUpstream("the upstream says 104", { status: 104 }),
  fromUpstream("the upstream says 100", { status: 100 }),
  fromUpstream("the upstream says 199", { status: 199, body: "x" }),
  fromUpstream("the upstream says 101", { status: 101 }),
  fromUpstream("the upstream says 99", { status: 99, body: "x" }),
  fromUpstream("the upstream says 600", { status: 600, body: "x" }),
  fromUpstream("the upstream says 999", { status: 999, body: "x" }),
  fromUpstream("the upstream says 205 with a body", { status: 205, body: "x" }),

  fromClient("te in other letters", { headers: [["te", "Trailers"]] }),
  fromUpstream("a 204 with a length of nothing", { status: 204, headers: [["content-length", "0"]] }),
  fromUpstream("a 204 with a length", { status: 204, headers: [["content-length", "3"]] }),
  fromUpstream("a 204 with chunks", { status: 204, headers: [["transfer-encoding", "chunked"]] }),
  forRouter("a scheme that is none", [":scheme", "ftp"]),
  forRouter("a scheme in other letters", [":scheme", "HTTPS"]),
  fromUpstream("keep-alive from the upstream", {
    headers: [
      ["keep-alive", "timeout=5"],
      ["connection", "keep-alive"],
    ],
  }),
  fromUpstream("what means the connection, from the upstream", {
    headers: [
      ["proxy-connection", "x"],
      ["te", "x"],
      ["trailer", "x"],
      ["connection", "x-a"],
      ["x-a", "1"],
    ],
  }),
  fromUpstream("an upgrade that nobody asked for", {
    headers: [
      ["upgrade", "x"],
      ["connection", "upgrade"],
    ],
  }),
  {
    name: "keep-alive by a filter",
    on: {
      response_headers: [
        set(2, "keep-alive", "timeout=5"),
        set(2, "proxy-connection", "x"),
        set(2, "connection", "keep-alive"),
      ],
    },
  },
  fromClient("what Envoy takes from a client", {
    headers: [
      ["x-forwarded-client-cert", "a"],
      ["x-envoy-decorator-operation", "a"],
      ["x-envoy-original-path", "a"],
      ["x-envoy-original-host", "a"],
      ["x-envoy-force-trace", "1"],
      ["x-envoy-downstream-service-cluster", "a"],
      ["x-envoy-downstream-service-node", "a"],
      ["x-envoy-external-address", "1.2.3.4"],
      ["x-envoy-upstream-stream-duration-ms", "1"],
      ["x-envoy-is-timeout-retry", "1"],
      ["x-forwarded-host", "q"],
      ["x-forwarded-port", "8"],
      ["x-envoy-peer-metadata", "a"],
    ],
  }),
  fromUpstream("what Envoy takes from an upstream", {
    headers: [
      ["x-envoy-degraded", "1"],
      ["x-envoy-immediate-health-check-fail", "1"],
      ["x-envoy-overloaded", "1"],
      ["x-envoy-ratelimited", "1"],
      ["x-envoy-upstream-canary", "true"],
      ["x-envoy-decorator-operation", "a"],
      ["x-envoy-upstream-healthchecked-cluster", "a"],
    ],
  }),

  forRouter(
    "what the router keeps to itself",
    ["x-envoy-retry-on", "x"],
    ["x-envoy-retry-grpc-on", "x"],
    ["x-envoy-max-retries", "1"],
    ["x-envoy-retriable-status-codes", "599"],
    ["x-envoy-retriable-header-names", "x-none"],
    ["x-envoy-upstream-rq-per-try-timeout-ms", "5000"],
    ["x-envoy-upstream-rq-timeout-alt-response", "1"],
    ["x-envoy-upstream-rq-timeout-ms", "6000"],
    ["x-envoy-hedge-on-per-try-timeout", "true"],
    ["x-envoy-upstream-alt-stat-name", "x"],
    ["x-envoy-upstream-canary", "1"],
    ["x-envoy-ip-tags", "q"],
    ["x-envoy-attempt-count", "3"],
    ["x-envoy-expected-rq-timeout-ms", "77"],
    ["x-envoy-is-timeout-retry", "true"],
    ["x-envoy-original-path", "/q"],
    ["x-envoy-internal", "true"],
    ["x-envoy-decorator-operation", "q"],
  ),
  {
    ...forRouter("a try that takes too long", ["x-envoy-upstream-rq-per-try-timeout-ms", "100"]),
    response: { after: 400 },
  },
  {
    ...forRouter(
      "a try that may take longer than the whole",
      ["x-envoy-upstream-rq-per-try-timeout-ms", "500"],
      ["x-envoy-upstream-rq-timeout-ms", "100"],
    ),
    response: { after: 400 },
  },
  {
    ...forRouter(
      "a try in time",
      ["x-envoy-upstream-rq-per-try-timeout-ms", "1000"],
      ["x-envoy-upstream-rq-timeout-ms", "0"],
    ),
    response: { after: 100 },
  },
  {
    ...forRouter("a try whose body takes too long", ["x-envoy-upstream-rq-per-try-timeout-ms", "200"]),
    response: { body: ["a", "b", "c", "d"] },
  },
  {
    ...forRouter("a try that is no number", ["x-envoy-upstream-rq-per-try-timeout-ms", "soon"]),
    response: { after: 100 },
  },
  {
    ...forRouter(
      "another answer when it takes too long",
      ["x-envoy-upstream-rq-timeout-alt-response", "1"],
      ["x-envoy-upstream-rq-timeout-ms", "100"],
    ),
    response: { after: 400 },
  },
  {
    ...forRouter("a retry that is not due", ["x-envoy-retry-on", "reset"]),
    response: { status: 503 },
  },
];
