// What a running Envoy did otherwise than it was described: one scenario for each correction that no other group has.

import {
  data,
  get,
  goOn,
  inTurn,
  log,
  long,
  property,
  remove,
  reply,
  type Scenario,
  set,
  soon,
  trap,
  word,
  write,
} from "../scenario.ts";

export const corrections: readonly Scenario[] = [
  {
    name: "1: FAIL_OPEN does not save streams that are in flight",
    on: { request_headers: inTurn([soon], []), tick: [trap] },
    options: { failurePolicy: "open" },
    exchanges: [{ response: { after: 200, body: "abc" } }, { response: { body: "abc" } }],
  },
  {
    name: "2: request properties are gone when the headers are",
    on: {
      request_headers: [property("request", "path")],
      request_body: [property("request", "path"), property("request", "headers")],
      response_headers: [property("request", "path"), property("response", "headers", "content-length")],
      response_body: [property("response", "headers", "content-length")],
      log: [property("request", "path"), property("response", "headers", "content-length")],
      done: [property("request", "path")],
    },
    request: { body: ["abc"] },
    response: { body: "abc" },
  },
  {
    name: "3: the canary and the main thread's VM count too",
    options: { mainThread: true },
    on: {
      configure: [
        ["define_metric", 0, "correction.3", word],
        ["increment_metric", 4, 1n],
      ],
      request_headers: [["get_metric", 4, long]],
    },
  },
  {
    name: "4: a gRPC stream to no host calls back inside the call",
    on: {
      request_headers: [["grpc_stream", "nohost", "s", "m", "", word], log("after")],
      grpc_receive_initial_metadata: [],
      grpc_receive_trailing_metadata: [get(5, "grpc-status")],
      grpc_close: [],
    },
  },
  {
    name: "5: a gRPC call that fails at once is closed afterwards",
    on: { request_headers: [["grpc_call", "nohost", "s", "m", "", "", 100, word], log("after")], grpc_close: [] },
  },
  { name: "6: a local reply in on_log crashes", on: { log: inTurn([reply(403)], []) }, fault: /crashes/ },
  {
    name: "7: an unpaused request continued goes out twice",
    on: { request_headers: [goOn(0)] },
    fault: /upstream twice/,
  },
  {
    name: "8: only the method is missed",
    on: {
      request_headers: inTurn(
        [remove(0, ":path")],
        [remove(0, ":authority")],
        [remove(0, ":scheme")],
        [remove(0, ":method")],
      ),
    },
    exchanges: [{}, {}, {}, {}],
  },
  {
    name: "9: a line break in a response's header splits the head",
    on: { response_headers: [set(2, "x-v", "a\r\nx-injected: b")] },
    fault: /splits/,
  },
  {
    name: "9: a line break in a request's header is refused",
    on: { request_headers: [set(0, "x-v", "a\r\nx-injected: b"), get(0, "x-v")] },
  },
  {
    name: "10: no room for a foreign function's answer crashes",
    parts: { malloc: '(func (export "malloc") (param i32) (result i32) (i32.const 0))' },
    on: { request_headers: [["call_foreign_function", "compress", "zzzz", data]] },
    fault: /crashes/,
  },
  {
    name: "11: a forbidden call in malloc fails the call, and then the VM",
    parts: {
      imports: '(import "env" "proxy_get_current_time_nanoseconds" (func $bad (param i32) (result i32)))',
      malloc:
        '(func (export "malloc") (param i32) (result i32) (drop (call $bad (i32.const 64))) (i32.const 0x100000))',
    },
    on: { request_headers: [get(0, ":path"), set(0, "x", "y"), get(0, "x-none")] },
  },
  {
    name: "12: a root context's lines have no plugin name",
    on: { configure: [log("root")], request_headers: [log("stream")] },
    options: { name: "plugin", rootId: "root" },
    wholeLog: true,
  },
  {
    name: "13: a filter behind the one that replies sees nothing of it",
    on: { request_headers: [reply(403, "no")] },
    second: { on: { request_headers: [log("never")] }, name: "second" },
    wholeLog: true,
  },
  {
    name: "13: a filter in front of the one that replies sees it",
    on: { response_headers: [get(2, ":status")] },
    second: { on: { request_headers: [reply(403, "no")] }, name: "second" },
    wholeLog: true,
  },
  {
    name: "14: metrics keep their prefix",
    on: {
      request_headers: [
        ["define_metric", 0, "correction.14", word],
        ["define_metric", 1, "correction.14 gauge=b", word],
        ["increment_metric", 4, 3n],
        ["record_metric", 5, 7n],
      ],
    },
    stats: "wasmcustom.correction.14",
  },
  {
    name: "15: a message as a whole is not to be had",
    on: { request_headers: ["request", "filter_state", "source", "xds"].map((name) => property(name)) },
  },
  {
    name: "16: a gRPC call that takes too long",
    on: {
      request_headers: [["grpc_call", "grpc", "s", "Never", "", "", 100, word]],
      grpc_close: [["get_status", word, data]],
    },
    response: { after: 200 },
  },
  {
    name: "17: an unknown foreign function writes nothing",
    on: {
      request_headers: [
        ["call_foreign_function", "nope", "", data],
        ["call_foreign_function", "uncompress", "junk", data],
      ],
    },
  },
  {
    name: "18: a root context that is not done goes with its VM, without on_delete",
    on: { done: inTurn([], [0]), tick: [["done"]] },
    removed: true,
  },
  {
    name: "18: a root context that is done is deleted",
    on: {},
    removed: true,
  },
  {
    name: "19: a buffer's beginning can be replaced",
    on: { request_body: inTurn([["get_buffer_bytes", 0, 5, 0xffffffff, data], write(0, 0, 1, "X")], []) },
    request: { body: ["abc"] },
  },
];
