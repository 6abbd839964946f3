// Group 1: the life of a filter and of its streams, and what happens when it fails.

import {
  bufferSize,
  type Call,
  close,
  data,
  get,
  goOn,
  inTurn,
  later,
  list,
  log,
  mapSize,
  property,
  read,
  remove,
  reply,
  type Scenario,
  set,
  size,
  soon,
  trap,
  word,
  write,
} from "../scenario.ts";

const configurations: readonly Call[] = [read(6), read(7), bufferSize(6), bufferSize(7)];
const two = [{}, {}];
/** What needs a stream, asked where there is none. */
const streamCalls: readonly Call[] = [
  get(0, ":path"),
  list(0),
  set(0, "x", "y"),
  remove(0, "x"),
  mapSize(0),
  ...[0, 1, 2, 3].flatMap((type) => [["get_buffer_bytes", type, 0, 9, size] as const, bufferSize(type)]),
  write(0, 0, 0, "x"),
  goOn(0),
  goOn(1),
  close(0),
  ["done"],
  ["get_status", word, data],
];

export const lifecycle: readonly Scenario[] = [
  {
    name: "configurations",
    on: {
      context_create: configurations,
      vm_start: configurations,
      configure: configurations,
      request_headers: configurations,
      log: configurations,
    },
    options: { config: "of the plugin", vmConfig: "of the VM" },
  },
  { name: "no configurations", on: { vm_start: configurations, configure: configurations } },
  {
    name: "what needs a stream, in a root context",
    on: { vm_start: streamCalls, configure: [...streamCalls, reply(403)] },
  },
  { name: "on_vm_start and on_configure answer 2", on: { vm_start: [2], configure: [2] } },
  { name: "on_vm_start answers 0", on: { vm_start: [0] } },
  { name: "on_configure answers 0", on: { configure: [0] } },
  {
    name: "on_configure answers 0 and failures are let through",
    on: { configure: [0] },
    options: { failurePolicy: "open" },
  },
  { name: "a trap in on_configure", on: { configure: [trap] } },
  { name: "a trap in on_context_create of the root", on: { context_create: [trap] } },
  { name: "GET with an answer of known length", response: { body: "hello" } },
  { name: "GET with a chunked answer", response: { body: ["hel", "lo"] } },
  { name: "GET answered with 204", response: { status: 204 } },
  { name: "HEAD", request: { method: "HEAD" }, response: { headers: [["content-length", "5"]] } },
  { name: "POST with content-length 0", request: { method: "POST", body: "" } },
  { name: "POST with an empty chunked body", request: { method: "POST", body: [] } },
  { name: "POST in one packet", request: { body: "abcdef" } },
  {
    name: "trailers both ways",
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
    response: { body: ["def"], trailers: [["x-u", "2"]] },
  },
  { name: "the client leaves while the upstream is asked", request: { leaves: 100 }, response: { after: 400 } },
  { name: "the client leaves while the request is held", on: { request_headers: [1] }, request: { leaves: 100 } },
  { name: "the client leaves in the middle of its body", request: { body: ["abc", "def", "ghi"], leaves: 90 } },
  { name: "the upstream breaks off in its body", response: { body: ["abc", "def"], fails: "after the body" } },
  {
    name: "the upstream closes before it answers",
    on: { response_headers: [list(2)], response_body: [read(1)] },
    response: { fails: "before the head" },
  },
  {
    name: "the upstream takes no connection",
    on: { response_headers: [list(2)], response_body: [read(1)] },
    response: { fails: "refused" },
  },
  { name: "a stream's on_done answers 0", on: { done: [["done"], 0] } },
  { name: "two requests", exchanges: two },
  ...(
    [
      "context_create",
      "request_headers",
      "request_body",
      "response_headers",
      "response_body",
      "log",
      "done",
      "delete",
    ] as const
  ).map((callback): Scenario => ({
    name: `a trap in on_${callback}`,
    on: { [callback]: callback === "context_create" ? inTurn([], [trap]) : [trap] },
    exchanges: [{ request: { body: ["abc"] }, response: { body: ["def", "ghi"] } }, {}],
  })),
  ...(["open", "fail_open"] as const).flatMap((failurePolicy): Scenario[] => [
    {
      name: `a trap in on_request_headers, ${failurePolicy}`,
      on: { request_headers: [trap] },
      options: { failurePolicy },
      exchanges: [{ request: { body: "abc" }, response: { body: "def" } }, { response: { body: "def" } }],
    },
    {
      name: `a trap in on_response_body, ${failurePolicy}`,
      on: { response_body: [trap] },
      options: { failurePolicy },
      exchanges: [{ response: { body: ["abc", "def"] } }, { response: { body: "def" } }],
    },
  ]),
  {
    name: "a trap in a tick",
    on: { request_headers: inTurn([soon], []), tick: [trap] },
    exchanges: [{ response: { after: 150 } }, {}],
  },
  {
    name: "a trap in a tick while the request is held",
    on: { request_headers: inTurn([soon, 1], []), tick: [...later, trap] },
    exchanges: two,
  },
  {
    name: "reloaded after a trap",
    on: { request_headers: inTurn([trap], [log("again")]) },
    options: { failurePolicy: "reload", reloadBackoffMs: 50 },
    exchanges: [{}, { request: { headers: [["x-second", "1"]] } }, {}],
  },
  {
    name: "a local reply, then a trap in the log",
    on: { request_headers: [reply(403, "no")], log: [trap] },
    exchanges: two,
  },
  {
    name: "details of a failed stream",
    on: { request_headers: [trap], log: [property("response", "code_details")] },
    request: { headers: [["content-type", "application/grpc"]] },
  },
];
