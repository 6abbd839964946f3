// Written from imagination when the host was there, recorded, and only then compared: what nobody looked at while writing
// the host.

import {
  add,
  bufferSize,
  close,
  context,
  get,
  goOn,
  inTurn,
  later,
  list,
  log,
  mapSize,
  read,
  remove,
  reply,
  type Scenario,
  set,
  setAll,
  soon,
  tick,
  trap,
  write,
} from "../scenario.ts";

const three = ["abc", "defg", "hi"];
const end = 0xffffffff;

export const blind: readonly Scenario[] = [
  {
    name: "a body held with 1, then dropped with 3",
    on: { request_body: inTurn([1], [bufferSize(0), 3], [bufferSize(0), 0], [bufferSize(0), 0]) },
    request: { body: three },
  },
  {
    name: "a body dropped with 3, then held with 1",
    on: { request_body: inTurn([3], [bufferSize(0), 1], [bufferSize(0), read(0), 0], [bufferSize(0), 0]) },
    request: { body: three },
  },
  {
    name: "a body held with 2 and written from a tick",
    on: {
      request_body: inTurn([2], [2], [2], [soon, 2]),
      tick: [...later, bufferSize(0), goOn(0)],
    },
    request: { body: three },
    fault: /freed/,
  },
  {
    name: "a response held with 2 until its trailers",
    on: { response_body: [bufferSize(1), 2], response_trailers: [add(3, "x-more", "1")] },
    response: { body: three, trailers: [["x-t", "1"]] },
  },
  {
    name: "trailers held and continued from a tick",
    on: {
      request_trailers: [soon, 1],
      tick: [...later, add(1, "x-late", "1"), bufferSize(0), goOn(0), get(1, "x-late")],
    },
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "a response's trailers held and continued from a tick",
    on: { response_trailers: [soon, 1], tick: [...later, set(3, "x-t", "2"), remove(3, "x-u"), goOn(1)] },
    response: {
      body: ["abc"],
      trailers: [
        ["x-t", "1"],
        ["x-u", "1"],
      ],
    },
  },
  {
    name: "trailers held behind a held body",
    on: {
      request_body: [1],
      request_trailers: [soon, bufferSize(0), 1],
      tick: [...later, bufferSize(0), write(0, 0, end, "late"), goOn(0)],
    },
    request: { body: three, trailers: [["x-t", "1"]] },
  },
  {
    name: "trailers replaced by set_pairs",
    on: {
      request_trailers: [setAll(1, ["a", "1"], ["b", "2"]), mapSize(1)],
      response_trailers: [setAll(3), mapSize(3)],
    },
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
    response: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "a local reply in on_response_trailers",
    on: { response_trailers: [reply(403, "too late")] },
    response: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "a local reply in on_response_trailers of a held response",
    on: { response_headers: [1], response_body: [1], response_trailers: [reply(403, "in time")] },
    options: { allowOnHeadersStopIteration: true },
    response: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "a local reply to a HEAD with a body in its response callbacks",
    on: { request_headers: [reply(200, "hello")], response_headers: [list(2), set(2, "content-length", "3")] },
    request: { method: "HEAD" },
  },
  {
    name: "a local reply whose status is removed",
    on: { request_headers: [reply(403, "no")], response_headers: [remove(2, ":status")] },
  },
  {
    name: "a local reply emptied in on_response_body",
    on: {
      request_headers: [reply(403, "no")],
      response_headers: [remove(2, "content-length")],
      response_body: [write(1, 0, end, "")],
    },
  },
  {
    name: "a local reply from two ticks",
    on: {
      request_headers: [tick(30), 1],
      tick: inTurn([context(2), reply(403, "one")], [context(2), reply(404, "two"), tick(0)]),
    },
  },
  {
    name: "a request continued, then answered, from a tick",
    on: { request_headers: [soon, 1], tick: [...later, goOn(0), reply(403, "no")] },
    response: { after: 100 },
  },
  {
    name: "a request closed, then continued, from a tick",
    on: { request_headers: [soon, 1], tick: [...later, close(0), goOn(0)] },
  },
  {
    name: "the upstream's answer while the request's body is held",
    on: { request_body: inTurn([soon, 0], [1], [1], [1]), tick: [...later, bufferSize(0)] },
    request: { body: three, leaves: 600 },
  },
  {
    name: "a response without a body held in its headers",
    on: { response_headers: [soon, 1], tick: [...later, list(2), add(2, "x-late", "1"), goOn(1), get(2, "x-late")] },
  },
  {
    name: "a response of 204 with a body given to it",
    on: { response_headers: [bufferSize(1), write(1, 0, 0, "abc")] },
    response: { status: 204 },
  },
  {
    name: "a response of 304 to a GET",
    on: { response_headers: [list(2)] },
    response: { status: 304, headers: [["etag", "x"]] },
  },
  {
    name: "content-length set by hand where there is none",
    on: { request_headers: [set(0, "content-length", "3")], response_headers: [set(2, "content-length", "3")] },
    request: { body: ["abc"] },
    response: { body: ["def"] },
  },
  {
    name: "transfer-encoding set by hand",
    on: {
      request_headers: [set(0, "transfer-encoding", "gzip"), list(0)],
      response_headers: [set(2, "transfer-encoding", "gzip")],
    },
    response: { body: "abc" },
  },
  {
    name: "connection and keep-alive set by hand",
    on: {
      request_headers: [set(0, "connection", "close"), set(0, "keep-alive", "1"), set(0, "x-kept", "1")],
      response_headers: [set(2, "connection", "upgrade"), set(2, "keep-alive", "1"), set(2, "upgrade", "x")],
    },
    response: { body: "abc" },
  },
  {
    name: "the method changed to HEAD",
    on: { request_headers: [set(0, ":method", "HEAD")] },
    response: { body: "abc" },
  },
  {
    name: "the method changed from HEAD",
    on: { request_headers: [set(0, ":method", "GET")] },
    request: { method: "HEAD" },
    response: { body: "abc" },
  },
  {
    name: "a path that is no path",
    on: { request_headers: [set(0, ":path", "no-slash")] },
  },
  {
    name: "an empty path",
    on: { request_headers: [set(0, ":path", "")] },
  },
  {
    name: "an empty authority and an empty method",
    on: { request_headers: inTurn([set(0, ":authority", "")], [set(0, ":method", "")]) },
    exchanges: [{}, {}],
  },
  {
    name: "a method with a space",
    on: { request_headers: [set(0, ":method", "GE T")] },
  },
  {
    name: "a path with a space and a line feed",
    on: { request_headers: inTurn([set(0, ":path", "/a b")], [set(0, ":path", "/a\nb")]) },
    exchanges: [{}, {}],
  },
  {
    name: "a header with a NUL in its name in the response",
    on: { response_headers: [add(2, "bad\0name", "v"), add(2, "x-nul", "a\0b")] },
  },
  {
    name: "a name with capitals and spaces around a value",
    on: {
      request_headers: [add(0, "X-Caps", "  v  "), get(0, "x-caps")],
      response_headers: [add(2, "X-CAPS", " v "), get(2, "X-caps")],
    },
  },
  {
    name: "1000 headers",
    on: { request_headers: [...Array.from({ length: 150 }, (_, i) => add(0, `x-${i}`, "v".repeat(500))), mapSize(0)] },
  },
  {
    name: "a trap after the request was continued",
    on: { request_headers: [soon, 1], tick: [...later, goOn(0), trap] },
  },
  {
    name: "a trap after a local reply from a tick",
    on: { request_headers: [soon, 1], tick: [...later, reply(403, "no"), trap] },
  },
  {
    name: "a trap in on_response_headers of a local reply",
    on: { request_headers: [reply(403, "no")], response_headers: [trap] },
    exchanges: [{}, {}],
  },
  {
    name: "a trap in on_request_trailers, fail_open",
    on: { request_trailers: [trap] },
    options: { failurePolicy: "fail_open" },
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "a trap in on_request_body of a held body, fail_open",
    on: { request_body: inTurn([1], [1], [trap]) },
    options: { failurePolicy: "fail_open" },
    request: { body: three },
  },
  {
    name: "a trap in on_request_body of a held body, open",
    on: { request_body: inTurn([1], [trap]) },
    options: { failurePolicy: "open" },
    exchanges: [{ request: { body: three } }, { request: { body: three } }],
  },
  {
    name: "the other stream's map after a continue",
    on: {
      request_headers: [soon, 1],
      tick: [...later, goOn(0), get(0, ":path"), context(1), get(0, ":path"), context(2), get(0, ":path")],
    },
  },
  {
    name: "the request's map in on_response_headers of a request that is held alone",
    on: {
      request_headers: [1],
      request_body: inTurn([get(0, ":path"), 0]),
      response_headers: [get(0, ":path"), add(0, "x", "y")],
    },
    options: { allowOnHeadersStopIteration: true },
    request: { body: "abc" },
  },
  {
    name: "headers held alone, a body of pieces dropped",
    on: { request_headers: [1], request_body: inTurn([3], [3], [0], [0]) },
    options: { allowOnHeadersStopIteration: true },
    request: { body: three },
  },
  {
    name: "headers held alone and trailers",
    on: { request_headers: [1], request_body: [1], request_trailers: [get(0, ":path"), read(0)] },
    options: { allowOnHeadersStopIteration: true },
    request: { body: three, trailers: [["x-t", "1"]] },
  },
  {
    name: "trailers alone",
    on: { request_trailers: [bufferSize(0), write(0, 0, 0, "made"), add(1, "x", "y")] },
    request: { body: [], trailers: [["x-t", "1"]] },
  },
  {
    name: "the client leaves while a response is held",
    on: { response_headers: [1], response_body: [log("never")] },
    request: { leaves: 200 },
    response: { body: three },
  },
  {
    name: "the upstream breaks off while its body is held",
    on: { response_body: [1] },
    response: { body: three, fails: "after the body" },
  },
  {
    name: "the upstream breaks off while its headers are held",
    on: { response_headers: [1], response_body: [log("never")] },
    request: { leaves: 700 },
    response: { body: three, fails: "after the body" },
  },
  {
    name: "a limit of 10 and a response held with 2",
    on: { response_body: [bufferSize(1), 2] },
    options: { bufferBytes: 10 },
    request: { leaves: 800 },
    response: { body: ["x".repeat(8), "y".repeat(8), "z".repeat(8)] },
  },
  {
    name: "a local reply larger than the limit",
    on: { request_headers: [reply(200, "x".repeat(300))], response_body: [bufferSize(1), 1] },
    options: { bufferBytes: 100 },
  },
  {
    name: "a body made larger than the limit",
    on: { request_body: inTurn([write(0, 0, 0, "x".repeat(300)), bufferSize(0), 1], [bufferSize(0), 0]) },
    options: { bufferBytes: 100 },
    request: { body: three },
  },
  {
    name: "expect: 100-continue",
    on: { request_headers: [list(0)] },
    request: { headers: [["expect", "100-continue"]], body: ["abc"] },
  },
  {
    name: "OPTIONS * and an absolute URL",
    on: { request_headers: [get(0, ":path"), get(0, ":authority"), get(0, ":scheme")] },
    exchanges: [{ request: { method: "OPTIONS", path: "*" } }, { request: { path: "http://abs.test/p?q" } }],
  },
  {
    name: "a fragment and dots in the path",
    on: { request_headers: [get(0, ":path")] },
    exchanges: [
      { request: { path: "/a/../b/./c" } },
      { request: { path: "/a?x=1#frag" } },
      { request: { path: "//a//b" } },
    ],
  },
  {
    name: "an x-envoy header from outside",
    on: { request_headers: [list(0)] },
    request: {
      headers: [
        ["x-envoy-internal", "true"],
        ["x-envoy-retry-on", "5xx"],
        ["x-envoy-x", "1"],
        ["x-forwarded-for", "10.0.0.1"],
      ],
    },
  },
  {
    name: "a timeout asked for by a header",
    on: {
      request_headers: [set(0, "x-envoy-upstream-rq-timeout-ms", "150")],
      response_headers: [list(2)],
      response_body: [read(1)],
    },
    response: { after: 400 },
  },
  {
    name: "a response to an upgrade",
    on: { request_headers: [list(0)] },
    request: {
      headers: [
        ["connection", "upgrade"],
        ["upgrade", "websocket"],
      ],
    },
  },
];
