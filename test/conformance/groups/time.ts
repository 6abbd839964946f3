// Group 9: time, ticks, the log.

import { add, context, goOn, inTurn, later, log, type Scenario, tick, volatile, word } from "../scenario.ts";

export const time: readonly Scenario[] = [
  {
    name: "a tick set by a stream",
    on: { request_headers: [tick(30), 1], tick: inTurn([], [], [context(2), tick(0), goOn(0)]) },
  },
  {
    name: "a period changed in the tick",
    on: { request_headers: [tick(30), 1], tick: inTurn([tick(60)], [tick(20)], [...later, goOn(0)]) },
  },
  {
    name: "a tick stopped before it came",
    on: { request_headers: [tick(60)], response_headers: [tick(0)], tick: [log("never")] },
    response: { after: 20 },
  },
  {
    name: "a tick set again before it came",
    on: { request_headers: [tick(80), tick(30), 1], tick: [...later, goOn(0)] },
  },
  { name: "a tick with the period -1", on: { request_headers: [tick(-1)] } },
  {
    name: "the clock",
    on: {
      request_headers: [
        ["get_current_time_nanoseconds", volatile],
        ["get_current_time_nanoseconds", -1],
        ["get_current_time_nanoseconds", -8],
      ],
    },
  },
  {
    name: "the log's level",
    on: {
      request_headers: [
        ["get_log_level", word],
        ["get_log_level", -1],
      ],
    },
  },
  {
    name: "levels",
    on: { request_headers: [0, 1, 2, 3, 4, 5].map((level) => log(`level ${level}`, level)) },
    wholeLog: true,
  },
  {
    name: "levels that are none",
    parts: {
      functions: `(func $try (param i32) (result i32) (call $log (local.get 0) (i32.const 64) (i32.const 0)))`,
    },
    on: {
      request_headers: [6, 99, -1].map((level) => ({
        wat: `(call $number (i64.extend_i32_u (call $try (i32.const ${level})))) (call $line)`,
      })),
    },
  },
  {
    name: "what stands in front of a line",
    on: { context_create: [log("hello")], request_headers: [context(1), log("as root"), context(0), log("as stream")] },
    wholeLog: true,
  },
  {
    name: "what stands in front of a line with a root id",
    on: { request_headers: [context(1), log("as root")] },
    options: { rootId: "root", name: "name" },
    wholeLog: true,
  },
  { name: "what stands in front of a line from the start", on: { _initialize: [log("start")] }, wholeLog: true },
  { name: "an empty line", on: { request_headers: [log(""), log("after")] }, wholeLog: true },
  {
    name: "a tick's stream is gone",
    on: { request_headers: [tick(100)], tick: [context(2), tick(0), add(0, "x", "y")] },
  },
  {
    name: "a tick goes on while nothing happens",
    on: { request_headers: [tick(40), 1], tick: inTurn([], [context(2)], [context(2), goOn(0)], [tick(0)]) },
  },
];
