// Group 12: streams that are continued, closed, or meant from elsewhere.

import {
  add,
  close,
  context,
  get,
  goOn,
  inTurn,
  later,
  list,
  property,
  type Scenario,
  soon,
  tick,
} from "../scenario.ts";

const details = { log: [property("response", "code_details")] };

export const streams: readonly Scenario[] = [
  {
    name: "numbers that stand for no stream",
    on: { request_headers: [goOn(2), goOn(3), goOn(4), goOn(99), goOn(-1), close(2), close(3), close(4), close(-1)] },
  },
  {
    name: "contexts chosen and not",
    on: {
      request_headers: [
        context(1),
        get(0, ":path"),
        context(99),
        get(0, ":path"),
        context(-1),
        context(0),
        get(0, ":path"),
      ].concat([context(2), ["done"], context(1), ["done"]]),
    },
  },
  {
    name: "the request continued in on_request_headers, and Continue",
    on: { request_headers: [goOn(0), get(0, ":path"), property("request", "path"), 0] },
    fault: /upstream twice/,
  },
  {
    name: "the request continued in on_request_headers, and Pause",
    on: { request_headers: [goOn(0), get(0, ":path"), 1] },
  },
  {
    name: "the request continued in on_request_body",
    on: { request_body: [goOn(0), 0] },
    request: { body: ["abc", "def"] },
  },
  {
    name: "the request continued in on_response_headers",
    on: { response_headers: [goOn(0), get(0, ":path"), get(2, ":status")] },
  },
  {
    name: "the request continued in a tick after it went on",
    on: { request_headers: [soon], tick: [...later, goOn(0), goOn(0)] },
    response: { after: 150 },
  },
  {
    name: "the response continued in on_response_headers, and Continue",
    on: { response_headers: [goOn(1), 0] },
    response: { body: "abc" },
    fault: /head twice/,
  },
  {
    name: "the response continued in on_response_headers, and Pause",
    on: { response_headers: [goOn(1), get(2, ":status"), 1] },
    response: { body: "abc" },
  },
  {
    name: "the response continued in on_response_body",
    on: { response_body: inTurn([goOn(1)], []) },
    response: { body: ["abc", "def"] },
  },
  { name: "the response continued in on_request_headers", on: { request_headers: [goOn(1)] }, fault: /crashes/ },
  {
    name: "the response continued from a tick before it came",
    on: { request_headers: [soon, 1], tick: [...later, goOn(1)] },
    fault: /crashes/,
  },
  {
    name: "continued in on_log and on_done",
    on: { log: [goOn(0), goOn(1)], done: [goOn(0), goOn(1)], delete: [goOn(0)] },
  },
  { name: "closed in on_request_headers", on: { ...details, request_headers: [close(0), get(0, ":path"), 0] } },
  { name: "closed in on_request_headers by the response's number", on: { ...details, request_headers: [close(1), 1] } },
  {
    name: "closed in on_request_body",
    on: { ...details, request_body: [close(0)] },
    request: { body: ["abc", "def"] },
  },
  {
    name: "closed in on_response_headers",
    on: { ...details, response_headers: [close(1)] },
    response: { body: "abc" },
  },
  {
    name: "closed in on_response_body",
    on: { ...details, response_body: inTurn([], [close(1)]) },
    response: { body: ["abc", "def", "ghi"] },
  },
  {
    name: "closed from a tick",
    on: { ...details, request_headers: [soon, 1], tick: [...later, close(0), get(0, ":path")] },
  },
  { name: "closed in on_log", on: { log: inTurn([close(0)], []) }, fault: /crashes/ },
  { name: "closed in on_done", on: { done: [close(1)] }, fault: /crashes/ },
  {
    name: "another stream's headers, from a tick",
    on: {
      request_headers: [soon, 1],
      tick: [
        tick(0),
        context(2),
        add(0, "x-tick", "1"),
        list(0),
        goOn(0),
        get(0, "x-tick"),
        context(0),
        get(0, "x-tick"),
      ],
    },
  },
];
