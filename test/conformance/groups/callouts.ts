// Group 5: calls to other services, over HTTP and gRPC.

import { type HeaderEntry } from "../../../src/http/header-map.ts";
import {
  add,
  type Call,
  context,
  data,
  get,
  goOn,
  inTurn,
  list,
  log,
  pairs,
  property,
  read,
  reply,
  type Scenario,
  set,
  size,
  soon,
  later,
  word,
} from "../scenario.ts";

/** An HTTP call, its id shown. */
function call(
  cluster: string,
  path: string,
  options: {
    headers?: readonly HeaderEntry[];
    body?: string;
    trailers?: readonly HeaderEntry[];
    timeout?: number;
  } = {},
): Call {
  const { headers = [], body = "", trailers = [], timeout = 400 } = options;
  const head = pairs([":method", "GET"], [":path", path], [":authority", "a.test"], ...headers);
  return ["http_call", cluster, head, body, trailers.length ? pairs(...trailers) : "", timeout, word];
}

const status: Call = ["get_status", word, data];
const answered = [status, list(6), read(4), list(7), get(6, ":status"), add(6, "x", "y"), set(0, "x", "y")];
const resume: readonly Call[] = [context(2), goOn(0)];
/** A gRPC call to the service. */
export const grpc = (method: string, timeout = 400): Call => [
  "grpc_call",
  "grpc",
  "s.S",
  method,
  pairs(["x-md", "v"]),
  "hello",
  timeout,
  word,
];
/** A gRPC stream. */
export const grpcStream = (cluster: string, method: string): Call => [
  "grpc_stream",
  cluster,
  "s.S",
  method,
  pairs(["x-md", "v"]),
  word,
];
/** What logs all that a gRPC call or stream hears. */
export const grpcDone = {
  grpc_receive: [read(5), status],
  grpc_close: [status, ...resume],
  grpc_receive_initial_metadata: [list(4), get(4, ":status"), get(4, "x-from")],
  grpc_receive_trailing_metadata: [get(5, "grpc-status"), get(5, "x-t"), get(5, "grpc-message")],
};

const calls: readonly Scenario[] = [
  {
    name: "an answer",
    on: { request_headers: [call("web", "/ok"), 1], http_call_response: [...answered, ...resume, list(6)] },
  },
  {
    name: "an answer with trailers",
    on: { request_headers: [call("web", "/trailers"), 1], http_call_response: [...answered, ...resume] },
  },
  {
    name: "an answer without a body",
    on: { request_headers: [call("web", "/empty"), 1], http_call_response: [...answered, ...resume] },
  },
  {
    name: "an answer of 503",
    on: {
      request_headers: [call("web", "/503"), 1],
      http_call_response: [get(6, ":status"), read(4), status, ...resume],
    },
  },
  {
    name: "what the service gets",
    on: {
      request_headers: [
        call("web", "/echo", {
          headers: [
            ["X-Up", "1"],
            ["x-up", "2"],
          ],
          body: "body",
          trailers: [["x-t", "1"]],
          timeout: 500,
        }),
        1,
      ],
      http_call_response: [read(4), ...resume],
    },
  },
  {
    name: "an answer of 200 kB",
    on: {
      request_headers: [call("web", "/big"), 1],
      http_call_response: [["get_buffer_bytes", 4, 0, -1, size], read(4, 199_990), ...resume],
    },
  },
  {
    name: "a timeout",
    on: {
      request_headers: [call("web", "/never", { timeout: 100 }), 1],
      http_call_response: [list(6), read(4), status, ...resume],
    },
  },
  {
    name: "no timeout",
    on: { request_headers: [call("web", "/late", { timeout: 0 }), 1], http_call_response: [read(4), ...resume] },
  },
  {
    name: "a service that closes before it answers",
    on: { request_headers: [call("web", "/drop"), 1], http_call_response: [list(6), read(4), status, ...resume] },
  },
  {
    name: "a service that breaks off",
    on: { request_headers: [call("web", "/break"), 1], http_call_response: [...answered, ...resume] },
  },
  {
    name: "a service that takes no connection",
    on: { request_headers: [call("dead", "/ok"), 1], http_call_response: [list(6), read(4), status, ...resume] },
  },
  {
    name: "no host",
    on: { request_headers: [call("nohost", "/ok"), call("web", "/ok"), 1], http_call_response: [status, ...resume] },
  },
  {
    name: "a full cluster",
    on: { request_headers: [call("full", "/ok"), call("web", "/ok"), 1], http_call_response: [status, ...resume] },
  },
  {
    name: "calls that are refused",
    on: {
      request_headers: [
        call("unknown", "/ok"),
        call("", "/ok"),
        call("web", "/ok", { timeout: -1 }),
        ["http_call", "web", pairs([":path", "/"], [":method", "GET"]), "", "", 100, word],
        ["http_call", "web", pairs([":path", "/"], [":authority", "a"]), "", "", 100, word],
        ["http_call", "web", pairs([":method", "GET"], [":authority", "a"]), "", "", 100, word],
        ["http_call", "web", "", "", "", 100, word],
        ["http_call", "web", "junk!", "", "", 100, word],
        ["http_call", "web", pairs([":method", "GET"], [":path", "/ok"], [":authority", "a"]), "", "", 100, -1],
        0,
      ],
    },
  },
  {
    name: "several calls at once",
    on: {
      request_headers: [call("web", "/late"), call("web", "/ok"), call("web", "/soon"), 1],
      http_call_response: inTurn([get(6, ":status")], [get(6, ":status")], [get(6, ":status"), ...resume]),
    },
  },
  {
    name: "a call from the answer of a call",
    on: {
      request_headers: [call("web", "/ok"), 1],
      http_call_response: inTurn([call("web", "/503")], [get(6, ":status"), ...resume]),
    },
  },
  {
    name: "a call whose stream has gone",
    on: { request_headers: [call("web", "/late")], http_call_response: [context(2), goOn(0), reply(500), read(4)] },
  },
  { name: "a call from on_log", on: { log: [call("web", "/ok")], http_call_response: [context(2), read(4)] } },
  {
    name: "a local reply from the answer, and no context chosen",
    on: {
      request_headers: [call("web", "/ok"), 1],
      http_call_response: [reply(500), get(0, ":path"), property("request", "path")],
    },
    request: { leaves: 300 },
  },
  {
    name: "a local reply from the answer",
    on: { request_headers: [call("web", "/ok"), 1], http_call_response: [context(2), reply(403, "no"), read(4)] },
  },
  {
    name: "a call while the body is held",
    on: { request_body: inTurn([call("web", "/last"), 1], [1]), http_call_response: [context(2), read(0), goOn(0)] },
    request: { body: ["abc", "def"] },
  },
  {
    name: "a call while the response is held",
    on: {
      response_headers: [call("web", "/ok"), 1],
      http_call_response: [context(2), set(2, "x-called", "1"), goOn(1)],
    },
    response: { body: "abc" },
  },
  {
    name: "a trap in the answer",
    on: { request_headers: inTurn([call("web", "/ok"), 1], []), http_call_response: [{ wat: "(unreachable)" }] },
    exchanges: [{}, {}],
  },
  {
    name: "a call from a tick",
    on: { request_headers: [soon, 1], tick: [...later, call("web", "/ok")], http_call_response: resume },
  },
  { name: "the status of no call", on: { request_headers: [status] } },
];

const grpcCalls: readonly Scenario[] = [
  {
    name: "gRPC: an answer",
    on: { ...grpcDone, request_headers: [grpc("Echo"), 1], grpc_receive: [read(5), status, ...resume] },
  },
  { name: "gRPC: an error", on: { ...grpcDone, request_headers: [grpc("Fail"), 1] } },
  { name: "gRPC: a timeout", on: { ...grpcDone, request_headers: [grpc("Never", 100), 1] } },
  {
    name: "gRPC: no host",
    on: { ...grpcDone, request_headers: [["grpc_call", "nohost", "s.S", "Echo", "", "", 100, word], log("after"), 1] },
  },
  {
    name: "gRPC: an unknown cluster",
    on: {
      ...grpcDone,
      request_headers: [["grpc_call", "unknown", "s.S", "Echo", "", "", 100, word], grpcStream("unknown", "Echo")],
    },
  },
  {
    name: "gRPC: a stream",
    on: {
      ...grpcDone,
      request_headers: [grpcStream("grpc", "Two"), ["grpc_send", 6, "hello", 1], ["grpc_send", 6, "more", 0], 1],
    },
  },
  {
    name: "gRPC: a stream that is closed",
    on: {
      ...grpcDone,
      request_headers: [grpcStream("grpc", "Two"), ["grpc_send", 6, "hello", 0], ["grpc_close", 6], 1],
    },
  },
  {
    name: "gRPC: a stream that is cancelled",
    on: {
      ...grpcDone,
      request_headers: [
        grpcStream("grpc", "Never"),
        ["grpc_cancel", 6],
        ["grpc_cancel", 6],
        ["grpc_send", 6, "x", 0],
        ["grpc_close", 6],
      ],
    },
  },
  {
    name: "gRPC: a stream without a host",
    on: { ...grpcDone, request_headers: [grpcStream("nohost", "Two"), log("after"), 1] },
  },
  {
    name: "gRPC: a stream that is reset",
    on: { ...grpcDone, request_headers: [grpcStream("grpc", "Drop"), ["grpc_send", 6, "hello", 1], 1] },
  },
  {
    name: "gRPC: a server that takes no connection",
    on: { ...grpcDone, request_headers: [grpcStream("dead", "Two"), 1] },
  },
  {
    name: "gRPC: ids of the wrong kind, and unknown ones",
    on: {
      request_headers: [4, 5, 6, 7, 998, 0].flatMap((id): Call[] => [
        ["grpc_send", id, "x", 0],
        ["grpc_cancel", id],
        ["grpc_close", id],
      ]),
    },
  },
  {
    name: "gRPC: a call that is cancelled",
    on: { ...grpcDone, request_headers: [grpc("Never"), ["grpc_cancel", 5], ["grpc_close", 5]] },
  },
];

export const callouts: readonly Scenario[] = [...calls, ...grpcCalls];
