// Group 7: metrics.

import { type Call, inTurn, long, type Scenario, word } from "../scenario.ts";

const [counter, gauge, histogram] = [0, 1, 2];
const define = (type: number, name: string): Call => ["define_metric", type, name, word];
const increment = (id: number, by: bigint): Call => ["increment_metric", id, by];
const record = (id: number, value: bigint): Call => ["record_metric", id, value];
const show = (id: number): Call => ["get_metric", id, long];

/** Metrics outlive their VM and are shared by all, so every scenario has names of its own. */
export const metrics: readonly Scenario[] = [
  {
    name: "a counter",
    on: { request_headers: [define(counter, "m1.c"), show(4), increment(4, 3n), show(4), record(4, 10n), show(4)] },
  },
  {
    name: "a counter by nothing, and by less",
    on: {
      request_headers: [
        define(counter, "m2.c"),
        increment(4, 0n),
        increment(4, -1n),
        increment(4, 1n),
        record(4, 0n),
        record(4, -1n),
        show(4),
      ],
    },
  },
  {
    name: "a gauge",
    on: {
      request_headers: [
        define(gauge, "m3.g"),
        show(5),
        record(5, 100n),
        show(5),
        increment(5, -30n),
        show(5),
        increment(5, 0n),
        increment(5, -200n),
        show(5),
        record(5, -1n),
        show(5),
      ],
    },
  },
  {
    name: "a histogram",
    on: { request_headers: [define(histogram, "m4.h"), record(6, 10n), record(6, -1n), increment(6, 1n), show(6)] },
  },
  {
    name: "the same name twice",
    on: {
      request_headers: [
        define(counter, "m5.c"),
        define(counter, "m5.c"),
        increment(4, 3n),
        increment(8, 4n),
        show(4),
        show(8),
      ],
    },
  },
  {
    name: "the same name as another type",
    on: {
      request_headers: [
        define(counter, "m6"),
        define(gauge, "m6"),
        define(histogram, "m6"),
        define(counter, "m6.b"),
        increment(4, 1n),
        record(5, 7n),
        show(4),
        show(5),
        show(8),
      ],
    },
  },
  {
    name: "types that are none",
    on: { request_headers: [define(3, "m7"), define(99, "m7"), define(-1, "m7"), define(counter, "m7")] },
  },
  {
    name: "names of any kind",
    on: {
      request_headers: [
        define(counter, ""),
        define(counter, "with space"),
        define(counter, "a=b;c"),
        define(gauge, "/:"),
        define(counter, "ü"),
      ],
    },
  },
  {
    name: "ids that are none",
    on: {
      request_headers: [0, 1, 2, 3, 4, 5, 6, 7, 400, 401, 402, 403, -1].flatMap((id) => [
        increment(id, 1n),
        increment(id, 0n),
        record(id, 1n),
        show(id),
      ]),
    },
  },
  {
    name: "a counter over two requests",
    on: { request_headers: inTurn([define(counter, "m10.c"), increment(4, 1n)], [increment(4, 1n), show(4)]) },
    exchanges: [{}, {}],
  },
  {
    name: "answers outside of memory",
    on: {
      request_headers: [
        ["define_metric", counter, "m11.c", -1],
        define(counter, "m11.c"),
        increment(8, 2n),
        ["get_metric", 8, -4],
        show(8),
      ],
    },
  },
  {
    name: "counted by every VM",
    options: { mainThread: true },
    on: { configure: [define(counter, "m12.c"), increment(4, 1n)], request_headers: [show(4)] },
  },
  {
    name: "in on_log and on_done",
    on: { log: [define(counter, "m13.c"), increment(4, 1n)], done: [increment(4, 1n), show(4)] },
  },
];
