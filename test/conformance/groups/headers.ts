// Group 2 of what was observed: header maps.

import {
  add,
  bufferSize,
  type Call,
  get,
  inTurn,
  later,
  list,
  mapSize,
  pairList,
  pairs,
  remove,
  reply,
  type Scenario,
  set,
  setAll,
  soon,
  word,
} from "../scenario.ts";

const maps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 99, 0xffffffff];
const touchAll = maps.flatMap((map) => [
  get(map, "x"),
  ["get_header_map_pairs", map, pairList] as const,
  mapSize(map),
  add(map, "x-n", "1"),
  set(map, "x-n", "1"),
  remove(map, "x-n"),
]);

/** Names that Envoy knows, and some that it does not. */
const names = (
  "accept accept-encoding accept-language access-control-allow-headers access-control-request-method age alt-svc " +
  "authorization cache-control cdn-loop connection content-encoding content-language content-type cookie date etag " +
  "expires grpc-message grpc-status grpc-timeout if-match keep-alive last-modified link location origin pragma " +
  "proxy-status range referer server set-cookie te transfer-encoding upgrade user-agent vary via www-authenticate " +
  "x-client-trace-id x-custom x-envoy-attempt-count x-envoy-degraded x-envoy-internal x-envoy-original-path " +
  "x-envoy-upstream-rq-timeout-ms x-envoy-x x-forwarded-for x-forwarded-port x-real-ip"
).split(" ");
const twice = (map: number): Call[] => names.flatMap((name) => [add(map, name, "one"), add(map, name, "two")]);

export const headers: readonly Scenario[] = [
  {
    name: "missing, empty, repeated, any case",
    on: {
      request_headers: [
        get(0, "x-none"),
        get(0, "x-empty"),
        get(0, "X-DUP"),
        get(0, "host"),
        get(0, ":authority"),
        get(0, ""),
        list(0),
        mapSize(0),
      ],
    },
    request: {
      path: "/plain?a=b",
      headers: [
        ["X-Dup", "one"],
        ["x-empty", ""],
        ["x-dup", "two"],
        ["X-Raw", "a\xffb"],
      ],
    },
  },
  {
    name: "what the proxy takes from a request",
    on: { request_headers: [list(0)] },
    request: {
      headers: [
        ["Connection", "keep-alive, X-Hop"],
        ["Keep-Alive", "timeout=5"],
        ["X-Hop", "gone"],
        ["TE", "trailers, deflate"],
        ["x_under", "kept"],
        ["x-pad", "  padded \t"],
        ["Cookie", "a=1"],
        ["Cookie", "b=2"],
        ["X-Request-Id", "mine"],
        ["X-Forwarded-Proto", "https"],
      ],
    },
  },
  {
    name: "what a filter sees of a response",
    on: { response_headers: [list(2)], log: [list(2), get(2, "server")] },
    response: {
      body: "hi",
      headers: [
        ["X-A", "1"],
        ["Connection", "keep-alive"],
        ["x-a", "2"],
        ["Server", "mine"],
        ["Set-Cookie", "a"],
        ["Set-Cookie", "b"],
      ],
    },
  },
  { name: "all maps in on_request_headers", on: { request_headers: touchAll } },
  { name: "all maps in on_request_body", on: { request_body: inTurn(touchAll, []) }, request: { body: "abc" } },
  {
    name: "all maps in on_request_trailers",
    on: { request_trailers: touchAll },
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  { name: "all maps in on_response_headers", on: { response_headers: touchAll } },
  {
    name: "all maps in on_response_trailers",
    on: { response_trailers: touchAll },
    response: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  { name: "all maps in on_log", on: { log: touchAll } },
  { name: "all maps in on_done", on: { done: touchAll } },
  { name: "all maps in on_delete", on: { delete: touchAll } },
  { name: "all maps in on_context_create", on: { context_create: inTurn(touchAll, touchAll) } },
  {
    name: "add joins what a request has once",
    on: { request_headers: [...twice(0), add(0, ":path", "/more"), list(0), reply(200)] },
    request: { path: "/plain" },
  },
  {
    name: "add joins what a response has once",
    on: { response_headers: [...twice(2), list(2), setAll(2, [":status", "200"])] },
  },
  {
    name: "add joins what response trailers have once",
    on: { response_trailers: [...twice(3), list(3), setAll(3, ["x-t", "1"])] },
    response: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "replace moves to the end",
    on: {
      request_headers: [
        set(0, "x-a", "new"),
        set(0, ":method", "PUT"),
        set(0, ":x", "joins the pseudo headers"),
        list(0),
        remove(0, ":x"),
        remove(0, "x-none"),
        remove(0, "x-b"),
        list(0),
      ],
    },
    request: {
      headers: [
        ["x-a", "1"],
        ["x-b", "2"],
        ["x-a", "3"],
        ["x-c", "4"],
      ],
    },
  },
  {
    name: "set_pairs clears and adds",
    on: {
      request_headers: [
        setAll(
          0,
          ["X-A", "1"],
          [":path", "/new"],
          [":method", "GET"],
          [":authority", "a"],
          [":scheme", "http"],
          ["", "v"],
        ),
        list(0),
        remove(0, ""),
        list(0),
      ],
    },
  },
  {
    name: "set_pairs with what is no list",
    on: {
      response_headers: [
        ["set_header_map_pairs", 2, new Uint8Array([1, 0, 0, 0, 9])],
        list(2),
        get(2, ":status"),
        setAll(2, [":status", "201"], ["x-b", "2"]),
        list(2),
        ["set_header_map_pairs", 2, ""],
        mapSize(2),
        ["set_header_map_pairs", 2, new Uint8Array([0, 0])],
        setAll(2, [":status", "202"]),
      ],
    },
  },
  {
    name: "set_pairs with 1024 and with 1025 entries",
    on: {
      response_headers: [
        ["set_header_map_pairs", 2, pairs(...Array.from({ length: 1024 }, (_, i) => [`k${i}`, "v"] as const))],
        mapSize(2),
        ["set_header_map_pairs", 2, pairs(...Array.from({ length: 1025 }, (_, i) => [`k${i}`, "v"] as const))],
        mapSize(2),
        setAll(2, [":status", "200"]),
      ],
    },
  },
  {
    name: "a name with a space",
    on: { request_headers: [add(0, "bad name", "v"), get(0, "bad name")], response_headers: [list(2)] },
  },
  { name: "a name with a line feed", on: { request_headers: [add(0, "bad\nname", "v")] } },
  { name: "a value with a NUL", on: { request_headers: [add(0, "x-v", "a\0b"), get(0, "x-v")] } },
  { name: "a value with 0xff and a tab", on: { request_headers: [add(0, "x-v", "a\tb"), get(0, "x-v")] } },
  {
    name: "pseudo headers replaced",
    on: {
      request_headers: [set(0, ":path", "/new"), set(0, ":method", "DELETE"), set(0, "host", "other.test"), list(0)],
    },
  },
  { name: "status 204 with a body", on: { response_headers: [set(2, ":status", "204")] }, response: { body: "abc" } },
  { name: "status 999", on: { response_headers: [set(2, ":status", "999")] }, response: { body: "abc" } },
  { name: "status abc", on: { response_headers: [set(2, ":status", "abc")] }, response: { body: "abc" } },
  { name: "status added", on: { response_headers: [add(2, ":status", "404"), list(2)] } },
  { name: "status removed", on: { response_headers: [remove(2, ":status")] } },
  {
    name: "trailers made in the last body callback",
    on: {
      request_body: inTurn([add(1, "x-t", "early")], [get(1, "x-t"), add(1, "x-t", "1"), get(1, "x-t"), list(1)]),
      response_body: inTurn([mapSize(3)], [mapSize(3), get(3, "x-t"), add(3, "x-t", "2")]),
    },
    request: { body: ["abc"] },
    response: { body: ["def"] },
  },
  {
    name: "the request's map while a local reply passes",
    on: {
      request_headers: [add(0, "x-mine", "1"), reply(403, "no")],
      response_headers: [get(0, "x-mine"), get(0, ":path")],
    },
  },
  {
    name: "maps held by a pause and written from a tick",
    on: {
      request_headers: [soon, 1],
      tick: [
        ...later,
        get(0, ":path"),
        add(0, "x-late", "1"),
        ["continue_stream", 0],
        get(0, ":path"),
        add(0, "x-l", "2"),
      ],
    },
  },
  { name: "x-forwarded-proto removed", on: { request_headers: [remove(0, "x-forwarded-proto")] } },
  { name: "path removed", on: { request_headers: [remove(0, ":path")] } },
  { name: "authority removed", on: { request_headers: [remove(0, ":authority"), get(0, "host")] } },
  { name: "scheme removed", on: { request_headers: [remove(0, ":scheme")] } },
  { name: "method removed", on: { request_headers: [remove(0, ":method")] } },
  {
    name: "size of maps",
    on: { request_headers: [["get_header_map_size", 0, word], bufferSize(0)] },
    request: { headers: [["a", "b"]] },
  },
];
