// Requests that the router sends again because a filter has asked for it: when it does, what goes out, and what filters
// see of it.

import type { HeaderEntry } from "../../../src/http/header-map.ts";
import {
  add,
  bufferSize,
  get,
  goOn,
  inTurn,
  later,
  list,
  type Exchange,
  property,
  type Response,
  type Scenario,
  type Script,
  set,
  soon,
} from "../scenario.ts";

/** What a filter sets for the router, whose names begin alike; without a timeout of the whole unless it says so. */
type Wishes = Readonly<Record<string, string>>;

const wish = (wishes: Wishes): ReturnType<typeof set>[] =>
  Object.entries({ "upstream-rq-timeout-ms": "0", ...wishes }).map(([name, value]) => set(0, `x-envoy-${name}`, value));
const shown = [
  property("response", "flags"),
  property("response", "code_details"),
  property("upstream", "request_attempt_count"),
  property("upstream", "transport_failure_reason"),
];
const asking = (wishes: Wishes): Script => ({
  request_headers: wish(wishes),
  response_headers: [get(2, ":status"), ...shown],
  log: [list(0), ...shown],
});

/** A request with these wishes, and what its tries come to in turn. */
function tried(name: string, wishes: Wishes, responses: readonly Response[], request?: Exchange["request"]): Scenario {
  return { name, on: asking(wishes), responses, ...(request && { request }) };
}

const busy: Response = { status: 503, headers: [["x-try", "1"]], body: "busy" };
const ok: Response = { headers: [["x-try", "2"]], body: "ok" };
const lost: Response = { fails: "before the head" };
const slow: Response = { after: 400, body: "slow" };
const quickly = { "upstream-rq-per-try-timeout-ms": "100" };
const answers = (status: number, ...headers: readonly HeaderEntry[]): Response => ({ status, headers });

export const retries: readonly Scenario[] = [
  tried("a 503, then a 200", { "retry-on": "5xx" }, [busy, ok]),
  tried("a 503 each time", { "retry-on": "5xx" }, [busy]),
  tried("a 404 is no 5xx", { "retry-on": "5xx" }, [answers(404), ok]),
  tried("a 599 is a 5xx", { "retry-on": "5xx" }, [answers(599), ok]),
  tried("a 600 is no 5xx", { "retry-on": "5xx" }, [answers(600), ok]),
  tried("a 502 of a gateway", { "retry-on": "gateway-error" }, [answers(502), answers(504), ok]),
  tried("a 500 of no gateway", { "retry-on": "gateway-error" }, [answers(500), ok]),
  tried("a 409", { "retry-on": "retriable-4xx" }, [answers(409), ok]),
  tried("a 429 is not retriable by itself", { "retry-on": "retriable-4xx" }, [answers(429), ok]),
  tried(
    "a status that the filter names",
    { "retry-on": "retriable-status-codes", "retriable-status-codes": "404,418" },
    [answers(418), ok],
  ),
  tried(
    "statuses with blanks and other words",
    { "retry-on": "retriable-status-codes", "retriable-status-codes": "x,, +418 ,-1", "max-retries": "2" },
    [answers(418), answers(200)],
  ),
  tried("a status that counts only with its word", { "retry-on": "5xx", "retriable-status-codes": "418" }, [
    answers(418),
    ok,
  ]),
  tried(
    "a header that the filter names",
    { "retry-on": "retriable-headers", "retriable-header-names": "x-no, X-Again " },
    [answers(200, ["x-again", ""]), ok],
  ),
  tried("a header that is not there", { "retry-on": "retriable-headers", "retriable-header-names": "x-again" }, [
    answers(503),
    ok,
  ]),
  tried("several words", { "retry-on": "x, retriable-4xx ,,5xx" }, [answers(409), answers(503), ok]),
  tried("words that are none", { "retry-on": "x,500,5XX" }, [busy, ok]),
  tried("no word", { "retry-on": "" }, [busy, ok]),
  tried("no word, but a number", { "max-retries": "3" }, [busy, ok]),

  tried("three more times", { "retry-on": "5xx", "max-retries": "3" }, [busy, busy, busy, ok]),
  tried("no more time", { "retry-on": "5xx", "max-retries": "0" }, [busy, ok]),
  tried("a number of times that is none", { "retry-on": "5xx", "max-retries": "many" }, [busy, ok]),
  tried("a number of times that is too great", { "retry-on": "5xx", "max-retries": "4294967296" }, [busy, ok]),
  tried("no more time, and none wanted", { "retry-on": "5xx", "max-retries": "0" }, [ok]),

  tried("no connection", { "retry-on": "connect-failure", "max-retries": "2" }, [{ fails: "refused" }]),
  tried("no connection, before the request", { "retry-on": "reset-before-request" }, [{ fails: "refused" }]),
  tried("no connection for a 5xx", { "retry-on": "5xx" }, [{ fails: "refused" }]),
  tried("no connection for a 4xx", { "retry-on": "retriable-4xx" }, [{ fails: "refused" }]),
  tried("a connection that breaks", { "retry-on": "reset" }, [lost, ok]),
  tried("a connection that breaks each time", { "retry-on": "reset" }, [lost]),
  tried("a connection that breaks, then a 503", { "retry-on": "reset" }, [lost, busy]),
  tried("a connection that breaks is no failure to connect", { "retry-on": "connect-failure" }, [lost, ok]),
  tried("a connection that breaks after the request", { "retry-on": "reset-before-request" }, [lost, ok]),
  tried("a connection that breaks is a gateway's error", { "retry-on": "gateway-error" }, [lost, ok]),
  tried("a connection that breaks is no refused stream", { "retry-on": "refused-stream" }, [lost, ok]),
  tried("a response that breaks in its middle", { "retry-on": "5xx,reset" }, [
    { body: ["a", "b"], fails: "after the body" },
    ok,
  ]),
  tried("a response that is none", { "retry-on": "reset" }, [{ headers: [["x y", "1"]] }, ok]),

  tried("a try that takes too long", { "retry-on": "5xx", ...quickly }, [slow, ok]),
  tried("each try takes too long", { "retry-on": "gateway-error", ...quickly }, [slow]),
  tried("a try that takes too long is a reset", { "retry-on": "reset", ...quickly }, [slow, ok]),
  tried("a try that takes too long has begun", { "retry-on": "reset-before-request,connect-failure", ...quickly }, [
    slow,
    ok,
  ]),
  tried(
    "each try takes too long, with another answer",
    { "retry-on": "5xx", "upstream-rq-timeout-alt-response": "1", ...quickly },
    [slow],
  ),
  tried("a try takes too long, and the next one fails", { "retry-on": "5xx", ...quickly }, [slow, lost]),
  tried("all tries take too long together", { "retry-on": "5xx", "upstream-rq-timeout-ms": "1100" }, [
    busy,
    { after: 1400 },
  ]),
  {
    ...tried("what is left of the time", {}, [busy, ok]),
    on: { request_headers: [set(0, "x-envoy-retry-on", "5xx")], log: [list(0)] },
  },

  tried("a call that is unavailable", { "retry-grpc-on": "unavailable" }, [answers(200, ["grpc-status", "14"]), ok]),
  tried("a call that fails in another way", { "retry-grpc-on": "cancelled,internal" }, [
    answers(200, ["grpc-status", "14"]),
    ok,
  ]),
  tried(
    "each way of a call to fail",
    { "retry-grpc-on": "cancelled, deadline-exceeded, internal, resource-exhausted, unavailable", "max-retries": "9" },
    [...["1", "4", "8", "13", "14"].map((status) => answers(200, ["grpc-status", status])), ok],
  ),
  tried("a call that fails in its trailers", { "retry-grpc-on": "unavailable" }, [
    { body: ["a"], trailers: [["grpc-status", "14"]] },
    ok,
  ]),
  tried("a word of calls among the others", { "retry-on": "unavailable" }, [answers(200, ["grpc-status", "14"]), ok]),

  tried("a limited rate", { "retry-on": "envoy-ratelimited" }, [answers(429, ["x-envoy-ratelimited", "true"]), ok]),
  tried("a limited rate is no 5xx", { "retry-on": "5xx" }, [answers(503, ["x-envoy-ratelimited", "true"]), ok]),
  tried("a rate that is not limited", { "retry-on": "envoy-ratelimited" }, [answers(429), ok]),
  tried("an overloaded upstream", { "retry-on": "5xx" }, [answers(503, ["x-envoy-overloaded", "true"]), ok]),

  tried("a body of known length", { "retry-on": "5xx" }, [busy, ok], { body: "hello" }),
  tried("a body in pieces, with trailers", { "retry-on": "5xx" }, [busy, ok], {
    body: ["one", "two"],
    trailers: [["x-t", "1"]],
  }),
  tried("an empty body in pieces", { "retry-on": "5xx" }, [busy, ok], { body: [] }),
  tried("a body and three more times", { "retry-on": "5xx", "max-retries": "3" }, [busy, busy, busy], {
    body: "hello",
  }),
  {
    ...tried("a body that a filter changes", { "retry-on": "5xx" }, [busy, ok], { body: ["one", "two"] }),
    on: {
      ...asking({ "retry-on": "5xx" }),
      request_body: [["set_buffer_bytes", 0, 0, 99, "new"], bufferSize(0)],
    },
  },
  {
    ...tried("a body just as large as the buffer", { "retry-on": "5xx" }, [busy, ok], { body: "x".repeat(1000) }),
    options: { bufferBytes: 1000 },
  },
  {
    ...tried("a body larger than the buffer", { "retry-on": "5xx" }, [busy, ok], { body: "x".repeat(1001) }),
    options: { bufferBytes: 1000 },
  },
  {
    ...tried("pieces larger than the buffer", { "retry-on": "5xx" }, [busy, ok], {
      body: ["x".repeat(600), "y".repeat(600)],
    }),
    options: { bufferBytes: 1000 },
  },
  {
    ...tried("a held body of half the buffer", { "retry-on": "5xx" }, [busy, ok], {
      body: ["x".repeat(250), "y".repeat(250)],
    }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([1], [1], [0]) },
    options: { bufferBytes: 1000 },
  },
  {
    ...tried("a held body of more than half the buffer", { "retry-on": "5xx" }, [busy, ok], {
      body: ["x".repeat(250), "y".repeat(251)],
    }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([1], [1], [0]) },
    options: { bufferBytes: 1000 },
  },
  {
    ...tried("a body whose second piece is held", { "retry-on": "5xx" }, [busy, ok], { body: ["one", "two", "six"] }),
    on: {
      ...asking({ "retry-on": "5xx" }),
      request_body: inTurn([bufferSize(0)], [bufferSize(0), 1], [bufferSize(0)]),
    },
    fault: /and sends it once more/,
  },
  {
    ...tried("a body whose end is held", { "retry-on": "5xx" }, [busy, ok], { body: ["one"] }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([], [soon, 1]), tick: [...later, goOn(0)] },
    fault: /and sends it once more/,
  },
  {
    ...tried("a body whose trailers are held", { "retry-on": "5xx" }, [busy, ok], {
      body: ["one"],
      trailers: [["x-t", "1"]],
    }),
    on: { ...asking({ "retry-on": "5xx" }), request_trailers: [soon, 1], tick: [...later, goOn(0)] },
    fault: /and sends it once more/,
  },
  {
    ...tried("a body that goes on by itself", { "retry-on": "5xx" }, [busy, ok], { body: ["one", "two"] }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([], [goOn(0)], []) },
    fault: /and sends it once more/,
  },
  {
    ...tried("a held body goes on, and a later piece too", { "retry-on": "5xx" }, [busy, ok], {
      body: ["one", "two", "six"],
    }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([1], [0], []) },
  },
  {
    ...tried("a body whose trailers a filter makes", { "retry-on": "5xx" }, [busy, ok], { body: ["one"] }),
    on: { ...asking({ "retry-on": "5xx" }), request_body: inTurn([], [add(1, "x-t", "1")]) },
  },
  tried("a 503 before the end of the request", { "retry-on": "5xx" }, [{ ...busy, early: true }, ok], {
    body: ["one", "two"],
  }),
  tried("a 503 before the end of the request each time", { "retry-on": "5xx" }, [{ ...busy, early: true }], {
    body: ["one", "two"],
  }),
  {
    ...tried(
      "a 503 before the end of a large request",
      { "retry-on": "5xx", "max-retries": "2" },
      [
        { ...busy, early: true },
        { after: 120, early: true },
      ],
      {
        body: ["x".repeat(600), "y".repeat(600)],
      },
    ),
    options: { bufferBytes: 1000 },
  },
  tried("an answer to HEAD", { "retry-on": "5xx" }, [busy, ok], { method: "HEAD" }),
  {
    name: "a filter hears of one response",
    on: {
      request_headers: wish({ "retry-on": "5xx" }),
      response_headers: [list(2), property("response", "code"), property("response", "flags")],
      response_body: [bufferSize(1)],
      log: [list(0), list(2), property("response", "code"), property("upstream", "request_attempt_count")],
    },
    responses: [busy, ok],
  },
  {
    name: "a filter answers in place of the second response",
    on: {
      request_headers: wish({ "retry-on": "5xx" }),
      response_headers: [["send_local_response", 418, "", "mine", "", -1]],
      log: [...shown],
    },
    responses: [busy],
  },
  {
    name: "what a filter sets later counts no more",
    on: { request_headers: wish({}), response_headers: [set(0, "x-envoy-retry-on", "5xx")], log: [...shown] },
    responses: [busy, ok],
  },
];
