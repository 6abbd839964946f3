// Group 11: foreign functions.

import { type Call, data, get, inTurn, property, type Scenario, set, size } from "../scenario.ts";

const call = (name: string, argument: string | Uint8Array = ""): Call => [
  "call_foreign_function",
  name,
  argument,
  data,
];
const number = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const expression = (text: string): readonly Call[] => [call("expr_create", text)];
const evaluate = (token: number): Call => call("expr_evaluate", number(token));
/** A length-delimited field. */
const field = (tag: number, text: string): number[] => [(tag << 3) | 2, text.length, ...Buffer.from(text)];

export const foreign: readonly Scenario[] = [
  {
    name: "unknown ones",
    on: { request_headers: ["", "nope", "resolve_dns", "get_log_level", "Compress"].map((name) => call(name, "x")) },
  },
  {
    name: "compress",
    on: {
      request_headers: [call("compress"), call("compress", "zzzz")],
    },
  },
  {
    name: "compress 1000 bytes",
    on: { request_headers: [["call_foreign_function", "compress", "x".repeat(1000), size]] },
  },
  {
    name: "uncompress",
    on: {
      request_headers: [
        call("uncompress", new Uint8Array([0x78, 0x9c, 0xab, 0xaa, 0xaa, 0xaa, 0x02, 0x00, 0x04, 0xc8, 0x01, 0xe9])),
        call("uncompress"),
        call("uncompress", "junk"),
      ],
    },
  },
  {
    name: "no places for the answer",
    on: {
      request_headers: [
        ["call_foreign_function", "compress", "zzzz", 0, 0],
        ["call_foreign_function", "compress", "zzzz", -4, -4],
        ["call_foreign_function", "nope", "", -4, -4],
      ],
    },
  },
  {
    name: "verify_signature and sign with junk",
    on: {
      request_headers: [call("verify_signature"), call("verify_signature", "junk"), call("sign"), call("sign", "junk")],
    },
  },
  {
    name: "clear_route_cache",
    on: { request_headers: [set(0, ":path", "/new"), call("clear_route_cache"), get(0, ":path")] },
  },
  {
    name: "expressions",
    on: {
      request_headers: [
        ...expression("request.path + '!'"),
        ...expression("1 + 1 == 2"),
        ...expression(""),
        ...expression("1 +"),
        evaluate(0),
        evaluate(1),
        evaluate(9),
        call("expr_evaluate", "x"),
        call("expr_delete", number(0)),
        evaluate(0),
        call("expr_delete", number(77)),
        call("expr_delete", "x"),
      ],
    },
  },
  {
    name: "expressions that fail",
    on: {
      request_headers: [
        ...expression("1 / 0"),
        ...expression("request.headers['none']"),
        ...expression("nope.nope"),
        ...expression("null"),
        evaluate(0),
        evaluate(1),
        evaluate(2),
        evaluate(3),
      ],
    },
  },
  {
    name: "what expressions give",
    on: {
      request_headers: [
        ...[
          "1.5",
          "true",
          "'text'",
          "b'\\x00\\x01'",
          "duration('1s')",
          "[1,2]",
          "{'a':1}",
          "size('äö')",
          "'a' in ['a']",
          "request.headers['x-a']",
        ].flatMap((text) => expression(text)),
        ...Array.from({ length: 10 }, (_, i) => evaluate(i)),
      ],
    },
    request: { headers: [["x-a", "v"]] },
  },
  {
    name: "expressions of a header after it went on",
    on: { request_headers: expression("request.path"), response_headers: [evaluate(0)], log: [evaluate(0)] },
  },
  {
    name: "declare_property",
    on: {
      configure: [
        call("declare_property", new Uint8Array([...field(1, "typed"), 0x10, 1, 0x18, 1])),
        call("declare_property"),
        call("declare_property", "junk"),
      ],
      request_headers: [["set_property", "typed", "one"], ["set_property", "typed", "two"], property("typed")],
    },
  },
  {
    name: "set_envoy_filter_state",
    on: {
      request_headers: [
        call("set_envoy_filter_state"),
        call("set_envoy_filter_state", "junk!"),
        call("set_envoy_filter_state", new Uint8Array([...field(1, "envoy.tcp_proxy.cluster"), ...field(2, "web")])),
        property("filter_state", "envoy.tcp_proxy.cluster"),
      ],
    },
  },
  {
    name: "an argument outside of memory",
    on: {
      request_headers: [
        ["call_foreign_function", "compress", -1, 4, data],
        ["call_foreign_function", -1, 4, "", data],
      ],
    },
  },
  { name: "in on_log", on: { log: [call("compress", "zzzz"), ...expression("request.path"), evaluate(0)] } },
  {
    name: "twice",
    on: {
      request_headers: inTurn(expression("request.path"), [...expression("request.path"), evaluate(0), evaluate(1)]),
    },
    exchanges: [{ request: { path: "/one" } }, { request: { path: "/two" } }],
  },
];
