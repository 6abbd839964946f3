// Group 4: answers that the filter gives by itself.

import {
  add,
  bufferSize,
  close,
  get,
  goOn,
  inTurn,
  later,
  list,
  log,
  property,
  read,
  reply,
  type Scenario,
  set,
  soon,
  tick,
  trap,
  write,
} from "../scenario.ts";

const denied = reply(403, "denied", { details: "my det\tails", headers: [["X-R", "1"]] });
const seen = { response_headers: [list(2)], response_body: [read(1)], log: [property("response", "code_details")] };
const grpc = [["content-type", "application/grpc"]] as const;

export const localReply: readonly Scenario[] = [
  { name: "in on_request_headers", on: { ...seen, request_headers: [denied, log("still here"), 1] } },
  {
    name: "in on_request_body",
    on: { ...seen, request_body: inTurn([denied], [read(0)]) },
    request: { body: ["abc"] },
  },
  {
    name: "in on_request_trailers",
    on: { ...seen, request_trailers: [denied] },
    request: { body: ["abc"], trailers: [["x-t", "1"]] },
  },
  {
    name: "from a tick while the request is held",
    on: { ...seen, request_headers: [soon, 1], tick: [...later, denied] },
  },
  {
    name: "from a tick while the upstream is asked",
    on: { ...seen, request_headers: [soon], tick: [...later, denied] },
    response: { after: 200 },
  },
  {
    name: "from a tick without a stream",
    on: { request_headers: [soon], tick: [denied, set(0, "x", "y"), tick(0)] },
    response: { after: 120 },
  },
  { name: "in on_response_headers", on: { ...seen, response_headers: [list(2), denied] }, response: { body: "abc" } },
  { name: "in on_response_body", on: { response_body: [denied] }, response: { body: "abc" } },
  {
    name: "in on_response_body of held headers",
    on: { response_headers: [1], response_body: [denied] },
    options: { allowOnHeadersStopIteration: true },
    response: { body: "abc" },
  },
  {
    name: "from a tick while the response is held",
    on: { response_headers: [soon, 1], tick: [...later, denied] },
    response: { body: "abc" },
  },
  {
    name: "in on_context_create",
    on: { ...seen, context_create: inTurn([], [denied]), request_headers: [get(0, ":path")] },
  },
  {
    name: "without a body",
    on: {
      ...seen,
      request_headers: [
        reply(403, "", {
          headers: [
            ["content-type", "text/x"],
            ["content-length", "9"],
            ["x-r", "1"],
          ],
        }),
      ],
    },
  },
  {
    name: "with headers of its own",
    on: {
      ...seen,
      request_headers: [
        reply(200, "hello", {
          headers: [
            ["Content-Type", "text/html"],
            ["content-length", "99"],
            [":status", "500"],
            ["server", "mine"],
            ["x-a", "1"],
            ["X-A", "2"],
            ["date", "then"],
          ],
        }),
      ],
    },
  },
  ...[0, 100, 199, 204, 304, 600, 1000, 70000, -1].map((status): Scenario => ({
    name: `with status ${status}`,
    on: { response_headers: [get(2, ":status")], request_headers: [reply(status, "body")] },
  })),
  { name: "to HEAD", on: { ...seen, request_headers: [denied] }, request: { method: "HEAD" } },
  { name: "to HEAD without a body", on: { ...seen, request_headers: [reply(403)] }, request: { method: "HEAD" } },
  { name: "twice", on: { ...seen, request_headers: [denied, reply(404, "second")] } },
  {
    name: "again in on_response_headers",
    on: { ...seen, request_headers: [denied], response_headers: [reply(500, "again")] },
  },
  {
    name: "edited in the response callbacks",
    on: {
      request_headers: [denied],
      response_headers: [set(2, ":status", "418"), add(2, "x-more", "1"), set(2, "content-length", "7")],
      response_body: [write(1, 0, 0xffffffff, "changed"), bufferSize(1)],
    },
  },
  { name: "held in on_response_headers", on: { request_headers: [denied], response_headers: [1] } },
  { name: "and continued", on: { ...seen, request_headers: [denied, goOn(0)] } },
  { name: "and closed", on: { ...seen, request_headers: [denied, close(0)] } },
  { name: "and a trap", on: { ...seen, request_headers: [denied, trap] } },
  ...[-1, 0, 7, 16, 17, 99].map((status): Scenario => ({
    name: `to gRPC with grpc-status ${status}`,
    on: { ...seen, request_headers: [reply(403, "denied it~\n%", { headers: [["x-r", "1"]], grpc: status })] },
    request: { method: "POST", headers: grpc, body: ["abc"] },
  })),
  {
    name: "to gRPC without a message",
    on: { ...seen, request_headers: [reply(200)] },
    request: { method: "POST", headers: grpc },
  },
  { name: "in on_log", on: { log: inTurn([denied], []) }, fault: /crashes/ },
  { name: "in on_done", on: { done: [denied] }, fault: /crashes/ },
  {
    name: "before the request is complete",
    on: { ...seen, request_headers: [denied] },
    request: { body: ["abc", "def", "ghi"] },
  },
];
