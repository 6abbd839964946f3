// Group 8: shared data and queues. Both belong to the process; a VM id of its own keeps each scenario's apart. The numbers
// of values and queues are counted over all, so they are not shown.

import { type Call, data, inTurn, type Scenario, size, soon, tick, volatile, word } from "../scenario.ts";

const put = (key: string, value: string, cas = 0): Call => ["set_shared_data", key, value, cas];
const take = (key: string): Call => ["get_shared_data", key, data, volatile];
const register = (name: string): Call => ["register_shared_queue", name, volatile];

export const shared: readonly Scenario[] = [
  { name: "data that is not there", on: { request_headers: [take("none")] } },
  { name: "data", on: { request_headers: [put("k", "one"), take("k"), put("k", "two"), take("k"), take("K")] } },
  {
    name: "data without a key, without a value",
    on: {
      request_headers: [put("", "v"), take(""), put("k", ""), take("k"), put("a\0b", "nul"), take("a\0b"), take("a")],
    },
  },
  {
    name: "data that was changed since",
    on: {
      request_headers: [
        put("k", "one", 999_999),
        take("k"),
        put("k", "two", 999_999),
        put("k", "three", 888_888),
        take("k"),
      ],
    },
  },
  {
    name: "data of the last request",
    on: { request_headers: inTurn([put("k", "first")], [take("k"), put("k", "second")], [take("k")]) },
    exchanges: [{}, {}, {}],
  },
  {
    name: "100 kB of data",
    on: { request_headers: [put("k", "x".repeat(100_000)), ["get_shared_data", "k", size, volatile]] },
  },
  { name: "data put by the configuration", on: { configure: [put("k", "configured")], request_headers: [take("k")] } },
  {
    name: "data in on_log, on_done and on_delete",
    on: { log: [put("k", "log")], done: [take("k")], delete: [take("k")] },
  },
  {
    name: "data answers outside of memory",
    on: {
      request_headers: [
        put("k", "v"),
        ["get_shared_data", "k", -4, -4, -4],
        ["get_shared_data", "none", -4, -4, -4],
        take("k"),
      ],
    },
  },
  {
    name: "a queue",
    wholeLog: true,
    on: {
      configure: [["register_shared_queue", "q", word]],
      request_headers: [
        ["enqueue_shared_queue", 1, "one"],
        ["enqueue_shared_queue", 1, ""],
      ],
      queue_ready: [["dequeue_shared_queue", 1, data]],
    },
  },
  {
    name: "a queue that is empty, and one that is none",
    wholeLog: true,
    on: {
      request_headers: [
        ["register_shared_queue", "q", word],
        ["dequeue_shared_queue", 1, data],
        ["dequeue_shared_queue", 0, data],
        ["dequeue_shared_queue", 99, data],
        ["dequeue_shared_queue", -1, data],
        ["enqueue_shared_queue", 99, "x"],
      ],
    },
  },
  {
    name: "a queue registered twice",
    wholeLog: true,
    on: {
      request_headers: [
        ["register_shared_queue", "q", word],
        ["register_shared_queue", "q", word],
        ["register_shared_queue", "", word],
        ["register_shared_queue", "r", word],
      ],
    },
  },
  {
    name: "a queue found by name",
    wholeLog: true,
    on: {
      request_headers: [
        ["resolve_shared_queue", "", "q", word],
        ["register_shared_queue", "q", word],
        ["resolve_shared_queue", "", "q", word],
        ["resolve_shared_queue", "vm", "q", word],
        ["resolve_shared_queue", "other", "q", word],
      ],
    },
  },
  {
    name: "a queue emptied before its notice",
    wholeLog: true,
    on: {
      request_headers: [
        ["register_shared_queue", "q", word],
        ["enqueue_shared_queue", 1, "a"],
        ["enqueue_shared_queue", 1, "b"],
        ["dequeue_shared_queue", 1, data],
        ["dequeue_shared_queue", 1, data],
      ],
      queue_ready: [["dequeue_shared_queue", 1, data]],
    },
  },
  {
    name: "a queue answer outside of memory keeps the item",
    wholeLog: true,
    on: {
      request_headers: [
        ["register_shared_queue", "q", word],
        ["enqueue_shared_queue", 1, "a"],
        ["dequeue_shared_queue", 1, -4, -4],
        ["dequeue_shared_queue", 1, data],
      ],
    },
  },
  {
    name: "a queue filled from a tick",
    wholeLog: true,
    on: {
      request_headers: [["register_shared_queue", "q", word], soon],
      tick: [tick(0), ["enqueue_shared_queue", 1, "t"]],
      queue_ready: [
        ["dequeue_shared_queue", 1, data],
        ["enqueue_shared_queue", 99, "x"],
      ],
    },
    response: { after: 120 },
  },
  { name: "registering", on: { request_headers: [register("q"), register("q")] } },
];
