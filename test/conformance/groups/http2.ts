// A client or an upstream that speaks HTTP/2: what its codec takes, joins and refuses, and what its streams do that a
// connection of HTTP/1 does not.

import type { HeaderEntry } from "../../../src/http/header-map.ts";
import {
  add,
  type Call,
  close,
  goOn,
  later,
  list,
  mapSize,
  property,
  read,
  remove,
  reply,
  type Request,
  type Response,
  type Scenario,
  type Script,
  set,
  soon,
  trap,
} from "../scenario.ts";
import { grpc as grpcCall, grpcDone, grpcStream } from "./callouts.ts";

const many = (count: number, value = "v"): HeaderEntry[] =>
  Array.from({ length: count }, (_, i): HeaderEntry => [`x-a${i}`, value]);

/** One header that makes the names and values of a message so many bytes, of which some are there. */
const bytes = (sum: number, there: number): HeaderEntry[] => [["x-a", "v".repeat(sum - there - "x-a".length)]];

const ending: Call[] = [
  property("response", "code_details"),
  property("response", "flags"),
  property("request", "protocol"),
];

/** What the filter sees of a request, from a client of HTTP/2 to an upstream of HTTP/1. */
const fromClient = (name: string, request: Request, response?: Response): Scenario => ({
  name,
  http2: "client",
  on: {
    request_headers: [list(0)],
    request_body: [read(0)],
    request_trailers: [list(1)],
    response_headers: [list(2)],
    log: [list(0), ...ending],
  },
  request,
  ...(response && { response }),
});
/** What the filter sees of a response, from an upstream of HTTP/2. */
const fromUpstream = (name: string, response: Response, request?: Request): Scenario => ({
  name,
  http2: "upstream",
  on: {
    response_headers: [list(2)],
    response_body: [read(1)],
    response_trailers: [list(3)],
    log: [list(2), ...ending],
  },
  response,
  ...(request && { request }),
});
/** A filter between two that speak HTTP/2. */
const between = (name: string, on: Script, request: Request = {}, response: Response = {}): Scenario => ({
  name,
  http2: "both",
  on: { ...on, log: [...ending] },
  request,
  response,
});
/** Envoy sends what the other side must refuse, and our host says so. */
const faulty = (fault: RegExp, scenario: Scenario): Scenario => ({ ...scenario, fault });
const twice = (names: string): HeaderEntry[] =>
  names.split(" ").flatMap((name): HeaderEntry[] => [
    [name, "1"],
    [name, "2"],
  ]);
const pseudo = (...entries: readonly HeaderEntry[]): Pick<Request, "pseudo"> => ({ pseudo: entries });
const usual: readonly HeaderEntry[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "h.test"],
  [":path", "/"],
];
/** Visible characters, and bytes beyond ASCII. */
const visible = String.fromCharCode(...Array.from({ length: 0x5e }, (_, i) => 0x21 + i));
const beyondAscii = String.fromCharCode(...Array.from({ length: 0x80 }, (_, i) => 0x80 + i));
const authorityCharacters = Array.from(visible, (character) =>
  /[\w\-.~%!$&'()*+,;=:[\]]/.test(character) ? character : "",
).join("");
const without = (name: string): HeaderEntry[] => usual.filter(([key]) => key !== name);
const having = (name: string, value: string): HeaderEntry[] =>
  usual.map((entry): HeaderEntry => (entry[0] === name ? [name, value] : entry));

const grpc: Request = {
  method: "POST",
  path: "/a.B/C",
  headers: [
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ],
  body: ["\0\0\0\0\x02hi"],
};
const grpcAnswer: Response = {
  headers: [["content-type", "application/grpc"]],
  body: ["\0\0\0\0\x02ok"],
  trailers: [["grpc-status", "0"]],
};

export const http2: readonly Scenario[] = [
  // Messages as they are.
  fromClient("a request", {}),
  fromClient("a request with a body", { body: "abc" }),
  fromClient("a request with a body in pieces", { body: ["abc", "de"] }),
  fromClient("a request whose end comes by itself", { body: ["abc", ""] }),
  fromClient("a request with an empty body", { body: [""] }),
  fromClient("a request with trailers", { body: ["abc"], trailers: [["x-t", "1"]] }),
  fromClient("a request with trailers and no body", { method: "POST", body: [], trailers: [["x-t", "1"]] }),
  fromClient("a request with empty trailers", { body: ["abc"], trailers: [] }),
  fromUpstream("a response", {}),
  fromUpstream("a response with a body", { body: "abc" }),
  fromUpstream("a response with a body in pieces", { body: ["abc", "de"] }),
  fromUpstream("a response whose end comes by itself", { body: ["abc", ""] }),
  fromUpstream("a response with trailers", { body: ["abc"], trailers: [["x-t", "1"]] }),
  fromUpstream("a response with trailers and no body", { body: [], trailers: [["x-t", "1"]] }),
  fromUpstream("a request with a body, to HTTP/2", {}, { body: "abc" }),
  fromUpstream("a request with a body in pieces, to HTTP/2", {}, { body: ["abc", "de"] }),
  fromUpstream("a request with trailers, to HTTP/2", {}, { body: ["abc"], trailers: [["x-t", "1"]] }),
  fromUpstream("a POST without a body, to HTTP/2", {}, { method: "POST" }),
  between("from HTTP/2 to HTTP/2", { request_headers: [list(0)], response_headers: [list(2)] }),
  between(
    "bodies and trailers from HTTP/2 to HTTP/2",
    { request_trailers: [list(1)], response_trailers: [list(3)] },
    { body: ["abc"], trailers: [["x-t", "1"]] },
    { body: ["abc"], trailers: [["x-t", "1"]] },
  ),
  fromClient("a response without a body", {}, {}),
  fromClient("a response with a body to HTTP/2", {}, { body: "abc" }),
  fromClient("a response in pieces to HTTP/2", {}, { body: ["abc", "de"] }),
  fromClient("a response with trailers to HTTP/2", {}, { body: ["abc"], trailers: [["x-t", "1"]] }),
  fromClient("a 204 to HTTP/2", {}, { status: 204 }),
  fromClient("a 304 to HTTP/2", {}, { status: 304 }),
  fromClient("HEAD over HTTP/2", { method: "HEAD" }, { headers: [["content-length", "5"]] }),
  fromUpstream("HEAD to HTTP/2", { headers: [["content-length", "5"]] }, { method: "HEAD" }),
  fromUpstream("HEAD to HTTP/2 is answered with a body", { body: ["abc"] }, { method: "HEAD" }),
  fromUpstream("a 204 with a body", { status: 204, body: ["abc"] }),
  fromUpstream("a 304 with a body", { status: 304, body: ["abc"] }),
  fromUpstream("a 204 with a length", { status: 204, headers: [["content-length", "3"]] }),

  // Names and values.
  fromClient("repeated headers", { headers: twice("x-a accept cookie via x-forwarded-for te user-agent") }),
  fromClient("crumbs of a cookie", {
    headers: [
      ["cookie", "a=1"],
      ["x-a", "1"],
      ["cookie", "b=2; c=3"],
      ["cookie", ""],
      ["cookie", "d=4"],
    ],
  }),
  fromUpstream("repeated response headers", { headers: twice("x-a vary set-cookie server date etag") }),
  fromUpstream("repeated trailers", { body: ["a"], trailers: twice("x-a grpc-status grpc-message") }),
  fromClient("a space in a name", { headers: [["x y", "1"]] }),
  fromClient("an empty name", { headers: [["", "1"]] }),
  fromClient("an umlaut in a name", { headers: [["x-\xe4", "1"]] }),
  fromClient("an underscore in a name", { headers: [["x_y", "1"]] }),
  fromClient("a control character in a value", { headers: [["x-c", "a\x01b"]] }),
  fromClient("a NUL in a value", { headers: [["x-c", "a\0b"]] }),
  fromClient("a line break in a value", { headers: [["x-c", "a\r\nb"]] }),
  fromClient("DEL in a value", { headers: [["x-c", "a\x7fb"]] }),
  fromClient("a tab, other bytes and blanks in values", {
    headers: [
      ["x-u", "\xe4\xe9"],
      ["x-tab", "a\tb"],
      ["x-sp", " a  "],
      ["x-empty", ""],
    ],
  }),
  fromUpstream("a space in a name from the upstream", { headers: [["x y", "1"]] }),
  fromUpstream("a control character in a value from the upstream", { headers: [["x-c", "a\x01b"]] }),
  fromUpstream("blanks in a value from the upstream", { headers: [["x-sp", " a  "]] }),
  fromClient("a control character in trailers", { body: ["a"], trailers: [["x-t", "a\x01b"]] }),
  fromUpstream("a control character in trailers from the upstream", { body: ["a"], trailers: [["x-t", "a\x01"]] }),

  fromClient("te twice", { headers: twice("te").map(([name]): HeaderEntry => [name, "trailers"]) }),
  fromClient("te: Trailers", { headers: [["te", "Trailers"]] }),
  fromClient("an empty te", { headers: [["te", ""]] }),
  fromUpstream("te from the upstream", { headers: [["te", "trailers"]] }),
  fromUpstream("te from the upstream, in trailers", { body: ["a"], trailers: [["te", "x"]] }),
  fromClient("te in trailers", { body: ["a"], trailers: [["te", "x"]] }),
  fromClient("connection in trailers", { body: ["a"], trailers: [["connection", "x"]] }),
  fromUpstream("connection in trailers from the upstream", { body: ["a"], trailers: [["connection", "x"]] }),
  fromClient("a host in trailers", { body: ["a"], trailers: [["host", "x y"]] }),
  fromClient("a length in trailers", { body: ["a"], trailers: [["content-length", "7"]] }),
  fromClient("names that look like the connection's", {
    headers: [
      ["http2-settings", "x"],
      ["upgrade-insecure-requests", "1"],
      ["proxy-authenticate", "1"],
    ],
  }),
  fromClient("every character of a name", { headers: [["!#$%&'*+-.^_`|~09az", "1"]] }),

  // Pseudo headers.
  fromClient("every character of a path", { path: `/${visible.replace("#", "")}${beyondAscii}` }),
  fromClient("DEL in a path", { path: "/\x7f" }),
  fromClient("every character of an authority", pseudo(...having(":authority", authorityCharacters))),
  ...Array.from('"#/<>?@\\^`{|}\x7f\xe4', (character) =>
    fromClient(`an authority with ${JSON.stringify(character)}`, pseudo(...having(":authority", `a${character}b`))),
  ),
  fromClient("every character of a method", { method: "!#$%&'*+-.^_`|~09azAZ" }),
  fromClient("every character of a scheme", pseudo(...having(":scheme", "aZ+-.09"))),
  fromClient("an underscore in a scheme", pseudo(...having(":scheme", "a_b"))),
  fromClient("an empty host", { ...pseudo(...without(":authority")), headers: [["host", ""]] }),
  fromClient("a host with a user beside the authority", { headers: [["host", "u@a"]] }),
  fromClient("an address as a host", { ...pseudo(...without(":authority")), headers: [["host", "[::1]:80"]] }),
  fromClient("no method", pseudo(...without(":method"))),
  fromClient("no scheme", pseudo(...without(":scheme"))),
  fromClient("no path", pseudo(...without(":path"))),
  fromClient("no authority", pseudo(...without(":authority"))),
  fromClient("a host in place of the authority", {
    ...pseudo(...without(":authority")),
    headers: [["host", "b.test"]],
  }),
  fromClient("a host beside the authority", { headers: [["host", "b.test"]] }),
  fromClient("two hosts beside the authority", { headers: twice("host") }),
  fromClient("two hosts in place of the authority", { ...pseudo(...without(":authority")), headers: twice("host") }),
  fromClient("an empty method", pseudo(...having(":method", ""))),
  fromClient("an empty path", pseudo(...having(":path", ""))),
  fromClient("an empty scheme", pseudo(...having(":scheme", ""))),
  fromClient("an empty authority", pseudo(...having(":authority", ""))),
  fromClient("a path without a slash", { path: "abc" }),
  fromClient("an absolute path", { path: "http://b.test/abc" }),
  fromClient("a path with a fragment", { path: "/a#b" }),
  fromClient("a path of *", { method: "OPTIONS", path: "*" }),
  fromClient("a space in a path", { path: "/a b" }),
  fromClient("a byte beyond ASCII in a path", { path: "/\xe4" }),
  fromClient("a control character in a path", { path: "/a\x01b" }),
  fromClient("a method that is none", { method: "GE(T" }),
  fromClient("a method with a blank", { method: "GE T" }),
  fromClient("a method that nobody knows", { method: "FROBNICATE" }),
  fromClient("a method in lower case", { method: "get" }),
  fromClient("the scheme https", pseudo(...having(":scheme", "https"))),
  fromClient("the scheme HTTP", pseudo(...having(":scheme", "HTTP"))),
  fromClient("the scheme ftp", pseudo(...having(":scheme", "ftp"))),
  fromClient("a scheme that is none", pseudo(...having(":scheme", "h p"))),
  between("the scheme https to HTTP/2", {}, pseudo(...having(":scheme", "https"))),
  between(
    "the scheme ftp to HTTP/2",
    {},
    { ...pseudo(...having(":scheme", "ftp")), headers: [["x-forwarded-proto", "https"]] },
  ),
  between("a scheme that is none, by a filter", {
    request_headers: [set(0, ":scheme", "ftp"), set(0, "x-forwarded-proto", "https")],
  }),
  fromClient("a forwarded protocol", { headers: [["x-forwarded-proto", "https"]] }),
  fromClient("an authority that is none", pseudo(...having(":authority", "a b"))),
  fromClient("an authority with a user", pseudo(...having(":authority", "u@a.test"))),
  fromClient("an authority with a slash", pseudo(...having(":authority", "a/b"))),
  fromClient("a pseudo header twice", pseudo(...usual, [":path", "/b"])),
  fromClient("a pseudo header that nobody knows", pseudo(...usual, [":x", "1"])),
  fromClient("a status in a request", pseudo(...usual, [":status", "200"])),
  fromClient("a pseudo header in trailers", { body: ["a"], trailers: [[":path", "/"]] }),
  fromUpstream("no status", { pseudo: [] }),
  fromUpstream("a status that is none", { pseudo: [[":status", "2x0"]] }),
  fromUpstream("an empty status", { pseudo: [[":status", ""]] }),
  fromUpstream("a status of four digits", { pseudo: [[":status", "2000"]] }),
  fromUpstream("a status of 0200", { pseudo: [[":status", "0200"]] }),
  fromUpstream("the status 99", { pseudo: [[":status", "99"]] }),
  fromUpstream("the status 600", { status: 600 }),
  fromUpstream("the status 999", { status: 999 }),
  fromUpstream("the status 101", { status: 101 }),
  fromUpstream("the status 100, and no more", { status: 100 }),
  fromUpstream("the status 103, and no more", { status: 103 }),
  fromUpstream("100 before the answer", { interim: 100, body: "abc" }),
  fromUpstream("102 before the answer", { interim: 102, body: "abc" }),
  fromUpstream("103 before the answer", { interim: 103, body: "abc" }),
  fromUpstream("101 before the answer", { interim: 101, body: "abc" }),
  fromUpstream("199 before the answer", { interim: 199, body: "abc" }),
  fromUpstream("two statuses", {
    pseudo: [
      [":status", "200"],
      [":status", "201"],
    ],
  }),
  fromUpstream("a path in a response", {
    pseudo: [
      [":status", "200"],
      [":path", "/"],
    ],
  }),
  fromUpstream("a pseudo header in trailers from the upstream", { body: ["a"], trailers: [[":status", "200"]] }),

  // What means the connection.
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].flatMap((name) => [
    fromClient(`${name} from the client`, { headers: [[name, name === "transfer-encoding" ? "chunked" : "x"]] }),
    fromUpstream(`${name} from the upstream`, { headers: [[name, name === "transfer-encoding" ? "chunked" : "x"]] }),
  ]),
  fromClient("te: trailers", { headers: [["te", "trailers"]] }),
  fromClient("te: gzip", { headers: [["te", "gzip"]] }),
  fromClient("te: gzip, trailers", { headers: [["te", "gzip, trailers"]] }),
  fromClient("expect: 100-continue", { body: ["abc"], headers: [["expect", "100-continue"]] }),
  fromUpstream("te: trailers to HTTP/2", {}, { headers: [["te", "trailers"]] }),
  between("what means the connection, set by a filter", {
    request_headers: [
      set(0, "connection", "x-a"),
      set(0, "transfer-encoding", "chunked"),
      set(0, "upgrade", "x"),
      set(0, "keep-alive", "1"),
      set(0, "te", "gzip"),
      set(0, "proxy-connection", "x"),
    ],
    response_headers: [
      set(2, "connection", "x-a"),
      set(2, "transfer-encoding", "chunked"),
      set(2, "upgrade", "x"),
      set(2, "keep-alive", "1"),
      set(2, "proxy-connection", "x"),
    ],
  }),
  between("te set by a filter", { request_headers: [set(0, "te", "trailers")] }),
  between("a host set by a filter", { request_headers: [set(0, "host", "b.test"), add(0, "host", "c.test")] }),
  between("upper-case names set by a filter", {
    request_headers: [set(0, "X-Upper", "1")],
    response_headers: [set(2, "X-Upper", "1")],
  }),
  faulty(/line break/, between("a line break set by a filter", { response_headers: [set(2, "x-a", "b\r\nx-c: d")] })),
  between("a control character set by a filter", { response_headers: [set(2, "x-a", "b\x01")] }),
  between("a space in a name set by a filter", { response_headers: [set(2, "x y", "1")] }),
  between("a pseudo header set by a filter", { response_headers: [set(2, ":x", "1")] }),
  between("a pseudo header of a request set by a filter", { request_headers: [set(0, ":x", "1")] }),
  between("a scheme set by a filter", { request_headers: [set(0, ":scheme", "https")] }),
  between("a scheme removed by a filter", { request_headers: [remove(0, ":scheme")] }),
  between("an authority removed by a filter", { request_headers: [remove(0, ":authority")] }),
  between("a path removed by a filter", { request_headers: [remove(0, ":path")] }),
  between("a method removed by a filter", { request_headers: [remove(0, ":method")] }),
  between("a status removed by a filter", { response_headers: [remove(2, ":status")] }),
  between(
    "trailers with wrong names set by a filter",
    {
      response_trailers: [set(3, "x y", "1"), set(3, "connection", "x"), set(3, "X-U", "1")],
    },
    {},
    { body: ["a"], trailers: [["x-t", "1"]] },
  ),
  between("cookies set by a filter", { request_headers: [set(0, "cookie", "a=1; b=2"), add(0, "cookie", "c=3")] }),

  // Bounds.
  fromClient("100 headers", { headers: many(96) }),
  fromClient("101 headers", { headers: many(97) }),
  fromClient("100 headers of which some are joined", { headers: [...many(95), ...twice("accept cookie")] }),
  fromClient("100 crumbs of a cookie", { headers: Array.from({ length: 110 }, (): HeaderEntry => ["cookie", "a=1"]) }),
  fromClient("100 headers, with two crumbs", { headers: [...many(94), ...twice("cookie")] }),
  fromClient("101 headers, with three crumbs", { headers: [...many(94), ...twice("cookie"), ["cookie", "3"]] }),
  fromClient("100 headers of which two are joined", { headers: [...many(95), ...twice("accept")] }),
  fromClient("100 headers and a host", { headers: [...many(96), ["host", "h.test"]] }),
  fromUpstream("100 headers of which two are joined, from the upstream", { headers: [...many(98), ...twice("vary")] }),
  fromClient("60 KiB of headers", { headers: bytes(60 * 1024, 43) }),
  fromClient("60 KiB of headers and a byte", { headers: bytes(60 * 1024 + 1, 43) }),
  fromClient("60 KiB of trailers", { body: ["a"], trailers: bytes(60 * 1024, 0) }),
  fromClient("60 KiB of trailers and a byte", { body: ["a"], trailers: bytes(60 * 1024 + 1, 0) }),
  fromUpstream("60 KiB of headers from the upstream", { headers: bytes(60 * 1024, 10) }),
  fromUpstream("60 KiB of headers and a byte, from the upstream", { headers: bytes(60 * 1024 + 1, 10) }),
  fromUpstream("60 KiB of trailers from the upstream", { body: ["a"], trailers: bytes(60 * 1024, 0) }),
  fromUpstream("60 KiB of trailers and a byte, from the upstream", { body: ["a"], trailers: bytes(60 * 1024 + 1, 0) }),
  fromClient("100 values of accept", { headers: Array.from({ length: 110 }, (): HeaderEntry => ["accept", "a"]) }),
  fromClient("50 KiB of headers", { headers: many(50, "v".repeat(1000)) }),
  fromClient("61 KiB of headers", { headers: many(61, "v".repeat(1024)) }),
  fromClient("one header of 61 KiB", { headers: [["x-a", "v".repeat(61 * 1024)]] }),
  fromClient("a path of 61 KiB", { path: `/${"v".repeat(61 * 1024)}` }),
  fromClient("100 trailers", { body: ["abc"], trailers: many(100) }),
  fromClient("101 trailers", { body: ["abc"], trailers: many(101) }),
  fromClient("61 KiB of trailers", { body: ["abc"], trailers: many(61, "v".repeat(1024)) }),
  fromUpstream("100 headers from the upstream", { headers: many(99) }),
  fromUpstream("101 headers from the upstream", { headers: many(100) }),
  fromUpstream("79 KiB of headers from the upstream", { headers: many(79, "v".repeat(1000)) }),
  fromUpstream("81 KiB of headers from the upstream", { headers: many(81, "v".repeat(1024)) }),
  fromUpstream("100 trailers from the upstream", { body: ["abc"], trailers: many(100) }),
  fromUpstream("101 trailers from the upstream", { body: ["abc"], trailers: many(101) }),
  fromUpstream("81 KiB of trailers from the upstream", { body: ["abc"], trailers: many(81, "v".repeat(1024)) }),

  // Lengths that are not true.
  fromClient("a body shorter than it says", { headers: [["content-length", "5"]], body: ["abc"] }),
  fromClient("a body longer than it says", { headers: [["content-length", "2"]], body: ["abc"] }),
  fromClient("no body where there should be one", { method: "POST", headers: [["content-length", "5"]] }),
  fromClient("a length that is none", { body: ["abc"], headers: [["content-length", "x"]] }),
  fromClient("a length twice", { body: ["abc"], headers: twice("content-length") }),
  fromClient("a length twice the same", {
    body: ["abc"],
    headers: [
      ["content-length", "3"],
      ["content-length", "3"],
    ],
  }),
  fromClient("a body longer than it says, in pieces", { headers: [["content-length", "2"]], body: ["a", "bc"] }),
  ...["+3", " 3", "03", "3,3", "", "-3", "99999999999999999999"].flatMap((length) => [
    fromClient(`a length of ${JSON.stringify(length)}`, { headers: [["content-length", length]], body: ["abc"] }),
    fromUpstream(`an answer's length of ${JSON.stringify(length)}`, {
      headers: [["content-length", length]],
      body: ["abc"],
    }),
  ]),
  fromClient("a body shorter than it says, in pieces", { headers: [["content-length", "10"]], body: ["abc", "de"] }),
  fromClient("a body shorter than it says, with trailers", {
    headers: [["content-length", "10"]],
    body: ["abc"],
    trailers: [["x-t", "1"]],
  }),
  fromClient("a length of nothing", { headers: [["content-length", "0"]] }),
  fromUpstream("an answer shorter than it says, whose end comes by itself", {
    headers: [["content-length", "10"]],
    body: ["abc", "de", ""],
  }),
  fromUpstream("an answer longer than it says, in pieces", { headers: [["content-length", "4"]], body: ["abc", "de"] }),
  fromUpstream("an answer's length twice", {
    headers: [
      ["content-length", "3"],
      ["content-length", "3"],
    ],
    body: ["abc"],
  }),
  fromUpstream("a 304 with a length", { status: 304, headers: [["content-length", "5"]] }),
  fromUpstream("a 204 with a length of nothing", { status: 204, headers: [["content-length", "0"]] }),
  fromUpstream("a 200 with a length of nothing", { headers: [["content-length", "0"]] }),
  fromUpstream("a 204 with trailers", { status: 204, body: [], trailers: [["x-t", "1"]] }),
  fromUpstream("a 204 with an empty body", { status: 204, body: [""] }),
  fromUpstream(
    "HEAD is answered with an empty body",
    { headers: [["content-length", "5"]], body: [""] },
    { method: "HEAD" },
  ),
  fromUpstream("HEAD is answered with trailers", { body: [], trailers: [["x-t", "1"]] }, { method: "HEAD" }),
  fromUpstream("103 before a 204", { interim: 103, status: 204 }),
  fromUpstream("an answer shorter than it says", { headers: [["content-length", "5"]], body: ["abc"] }),
  fromUpstream("an answer longer than it says", { headers: [["content-length", "2"]], body: ["abc"] }),
  fromUpstream("an answer without the body it says", { headers: [["content-length", "2"]] }),
  fromUpstream("an answer whose length is none", { headers: [["content-length", "x"]], body: ["abc"] }),
  fromUpstream("an answer shorter than it says, with trailers", {
    headers: [["content-length", "5"]],
    body: ["abc"],
    trailers: [["x-t", "1"]],
  }),
  faulty(
    /content-length says/,
    between(
      "a filter makes a request longer than it says",
      {
        request_body: [["set_buffer_bytes", 0, 0, 0, "longer"]],
      },
      { body: "abc" },
    ),
  ),
  faulty(
    /content-length says/,
    between(
      "a filter makes a request shorter than it says",
      {
        request_body: [["set_buffer_bytes", 0, 0, 3, ""]],
      },
      { body: "abcdef" },
    ),
  ),
  faulty(
    /content-length says/,
    between(
      "a filter makes a response longer than it says",
      {
        response_body: [["set_buffer_bytes", 1, 0, 0, "longer"]],
      },
      {},
      { body: "abc" },
    ),
  ),
  faulty(
    /content-length says/,
    between(
      "a filter makes a response shorter than it says",
      {
        response_body: [["set_buffer_bytes", 1, 0, 3, ""]],
      },
      {},
      { body: "abcdef" },
    ),
  ),

  // Local replies.
  between("a reply to HTTP/2", { request_headers: [reply(403, "no"), 1] }),
  between("a reply without a body to HTTP/2", { request_headers: [reply(403), 1] }),
  between(
    "a reply before the request is complete",
    { request_headers: [reply(403, "no"), 1] },
    { body: ["abc", "de"] },
  ),
  between("a reply in the middle of the body", { request_body: [reply(403, "no"), 1] }, { body: ["abc", "de"] }),
  between("a reply to the whole body", { request_body: [reply(403, "no"), 1] }, { body: ["abc"] }),
  between("a reply in on_response_headers", { response_headers: [reply(403, "no"), 1] }),
  between("a reply in on_response_body", { response_body: [reply(403, "no"), 1] }, {}, { body: ["abc", "de"] }),
  between(
    "a reply in place of a held response",
    {
      response_headers: [1],
      response_body: [reply(403, "no"), 1],
    },
    {},
    { body: ["abc", "de"] },
  ),
  between("a reply with other headers", {
    request_headers: [
      reply(403, "no", {
        headers: [
          ["X-Upper", "1"],
          ["connection", "close"],
          ["transfer-encoding", "chunked"],
        ],
      }),
      1,
    ],
  }),
  between("a reply to HEAD over HTTP/2", { request_headers: [reply(403, "no"), 1] }, { method: "HEAD" }),
  between("close_stream of a request", { request_headers: [close(0), 1] }),
  between("close_stream of a response", { response_headers: [close(1), 1] }),
  between("close_stream in on_response_body", { response_body: [close(1), 1] }, {}, { body: ["abc", "de"] }),
  between("a trap over HTTP/2", { request_headers: [trap] }),
  between("a trap in on_response_headers", { response_headers: [trap] }),
  between("a trap in on_response_body", { response_body: [trap] }, {}, { body: ["abc", "de"] }),
  between(
    "a held request over HTTP/2",
    {
      request_headers: [soon, 1],
      tick: [...later, goOn(0)],
    },
    { body: ["abc"] },
  ),

  // gRPC.
  between("gRPC", { request_headers: [list(0)], response_trailers: [list(3)] }, grpc, grpcAnswer),
  between("gRPC with trailers alone", { response_headers: [list(2)] }, grpc, {
    headers: [
      ["content-type", "application/grpc"],
      ["grpc-status", "7"],
      ["grpc-message", "no"],
    ],
  }),
  between("a reply to gRPC", { request_headers: [reply(403, "no 100%"), 1] }, grpc, grpcAnswer),
  between("a reply to gRPC with a status", { request_headers: [reply(200, "", { grpc: 7 }), 1] }, grpc, grpcAnswer),
  between(
    "a reply to gRPC with headers",
    {
      request_headers: [
        reply(429, "slow", {
          headers: [
            ["x-a", "1"],
            ["content-type", "text/html"],
          ],
        }),
        1,
      ],
    },
    grpc,
    grpcAnswer,
  ),
  between("a reply to gRPC in on_response_headers", { response_headers: [reply(500, "no"), 1] }, grpc, grpcAnswer),
  between("a reply to gRPC in on_request_body", { request_body: [reply(400, "no"), 1] }, grpc, grpcAnswer),
  between("a trap in gRPC", { request_headers: [trap] }, grpc, grpcAnswer),
  between(
    "gRPC that is not gRPC's content type",
    { request_headers: [reply(403, "no"), 1] },
    {
      ...grpc,
      headers: [["content-type", "application/grpc-web"]],
    },
  ),
  between("a gRPC upstream that resets", {}, grpc, { ...grpcAnswer, fails: "before the head", code: 2 }),
  { ...between("a gRPC upstream that takes no connection", {}, grpc, { fails: "refused" }) },
  {
    ...between("a gRPC upstream that answers 503", { response_headers: [list(2)] }, grpc, {
      status: 503,
      body: "busy",
    }),
  },
  {
    name: "a reply to gRPC over HTTP/1",
    on: { request_headers: [reply(403, "no 100%"), 1], log: ending },
    request: { ...grpc, body: "\0\0\0\0\x02hi" },
  },

  // Streams that break.
  ...[0, 1, 2, 5, 7, 8, 0xb, 0xd].flatMap((code) => [
    fromUpstream(`the upstream resets with ${code}`, { fails: "before the head", code }),
    fromUpstream(`the upstream resets in its answer with ${code}`, { body: ["abc"], fails: "after the body", code }),
  ]),
  fromUpstream("the upstream ends the connection", { fails: "before the head" }),
  fromUpstream("the upstream ends the connection in its answer", { body: ["abc"], fails: "after the body" }),
  fromUpstream("an HTTP/2 upstream that takes no connection", { fails: "refused" }),
  between(
    "the upstream resets, over HTTP/2",
    { response_headers: [list(2)] },
    {},
    { fails: "before the head", code: 2 },
  ),
  between(
    "the upstream resets in its answer, over HTTP/2",
    {},
    {},
    { body: ["abc"], fails: "after the body", code: 2 },
  ),
  between(
    "the upstream ends the connection in its answer, over HTTP/2",
    {},
    {},
    { body: ["a"], fails: "after the body" },
  ),
  fromClient("an upstream of HTTP/1 breaks off", {}, { body: ["abc"], fails: "after the body" }),
  fromClient("an upstream of HTTP/1 takes no connection", {}, { fails: "refused" }),
  fromClient("the client resets", { resets: 200 }, { after: 600 }),
  fromClient("the client goes away", { leaves: 200 }, { after: 600 }),
  fromClient("the client resets in its request", { body: ["abc", "de", "fg"], resets: 200 }),
  fromClient("the client resets in the response", { resets: 200 }, { body: ["abc", "de", "fg", "hi"] }),
  {
    ...fromUpstream(
      "the upstream answers early",
      { early: true, status: 413, body: "no" },
      { body: ["abc", "de", "fg"] },
    ),
  },
  between("the upstream answers early, over HTTP/2", {}, { body: ["abc", "de", "fg"] }, { early: true, body: "no" }),

  // What is sent again.
  {
    ...between(
      "a refused stream is sent again",
      { request_headers: [set(0, "x-envoy-retry-on", "refused-stream")] },
      { body: "abc" },
    ),
    responses: [{ fails: "before the head", code: 7 }, { body: "ok" }],
  },
  {
    ...between("a reset is no refused stream", { request_headers: [set(0, "x-envoy-retry-on", "refused-stream")] }),
    responses: [{ fails: "before the head", code: 2 }, { body: "ok" }],
  },
  {
    ...between(
      "an answer without its body is sent again",
      { request_headers: [set(0, "x-envoy-retry-on", "reset")] },
      { body: ["abc"], trailers: [["x-t", "1"]] },
    ),
    responses: [{ headers: [["content-length", "5"]] }, { body: "ok" }],
  },
  {
    ...between("gRPC is sent again", { request_headers: [set(0, "x-envoy-retry-grpc-on", "unavailable")] }, grpc),
    responses: [{ headers: [...grpcAnswer.headers!, ["grpc-status", "14"]] }, grpcAnswer],
  },

  // CONNECT and upgrades.
  fromClient("CONNECT with a scheme", pseudo([":method", "CONNECT"], [":authority", "a:80"], [":scheme", "http"])),
  fromClient("CONNECT without an authority", pseudo([":method", "CONNECT"])),
  fromClient("GET *", { path: "*" }),
  fromClient("CONNECT", pseudo([":method", "CONNECT"], [":authority", "a.test:80"])),
  fromClient("CONNECT with a path", { method: "CONNECT" }),
  fromClient("an extended CONNECT", pseudo(...having(":method", "CONNECT"), [":protocol", "websocket"])),
  fromClient(":protocol without CONNECT", pseudo(...usual, [":protocol", "websocket"])),
  fromClient("TRACE", { method: "TRACE" }),

  // Services that filters call speak HTTP/2, too.
  ...["Many", "ManyTrailers", "Large", "LargeTrailers"].flatMap((method): Scenario[] => [
    { name: `a gRPC call: ${method}`, on: { ...grpcDone, request_headers: [grpcCall(method), 1] } },
    {
      name: `a gRPC stream: ${method}`,
      on: {
        ...grpcDone,
        grpc_receive_initial_metadata: [mapSize(4)],
        grpc_receive_trailing_metadata: [mapSize(5)],
        request_headers: [grpcStream("grpc", method), ["grpc_send", 6, "hello", 1], 1],
      },
    },
  ]),

  // What filters ask.
  {
    name: "properties of HTTP/2",
    http2: "both",
    on: {
      request_headers: [property("request", "protocol"), property("request", "scheme"), property("request", "size")],
      request_body: [property("request", "size"), property("request", "total_size")],
      log: [
        property("request", "protocol"),
        property("request", "size"),
        property("request", "total_size"),
        property("response", "size"),
        property("response", "total_size"),
        property("response", "grpc_status"),
      ],
    },
    request: grpc,
    response: grpcAnswer,
  },
];
