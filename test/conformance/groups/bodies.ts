// Group 3: bodies, and what the answers of the callbacks do.

import {
  add,
  bufferSize,
  type Call,
  get,
  goOn,
  inTurn,
  later,
  list,
  read,
  remove,
  type Request,
  type Response,
  type Scenario,
  set,
  size,
  soon,
  type Step,
  write,
} from "../scenario.ts";

const threeChunks: Request = { body: ["abc", "defg", "hi"] };
const threeBack: Response = { body: ["abc", "defg", "hi"] };
const show: readonly Call[] = [bufferSize(0), read(0)];
const every = (answer: number, ...more: readonly Step[]): readonly Step[] => [...show, ...more, answer];
/** Holds every piece with an answer, and lets the last one go. */
const holdThen = (answer: number) => inTurn(every(answer), every(answer), every(answer), every(0));
const holdBack = (answer: number) => {
  const piece = [bufferSize(1), read(1), answer];
  return inTurn(piece, piece, piece, [bufferSize(1), read(1), 0]);
};
const end = 0xffffffff;

export const bodies: readonly Scenario[] = [
  {
    name: "reading with any start and length",
    on: {
      request_body: inTurn(
        [
          read(0),
          read(0, 1, 2),
          read(0, 5),
          read(0, 6),
          read(0, end),
          read(0, 0, 0),
          read(0, 0x80000000, 0x80000000),
        ].concat([read(0, 1, end), bufferSize(0)]),
        [],
      ),
    },
    request: { body: "abcdef" },
  },
  {
    name: "buffers of other kinds",
    on: {
      request_headers: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99].flatMap((type) => [
        ["get_buffer_bytes", type, 0, 9, size] as const,
        bufferSize(type),
        write(type, 0, 0, "x"),
      ]),
    },
    options: { config: "plugin", vmConfig: "vm" },
  },
  ...[
    ["prepends", write(0, 0, 0, "NEW")],
    ["replaces all", write(0, 0, end, "NEW")],
    ["replaces a prefix", write(0, 0, 2, "NEW")],
    ["appends", write(0, 3, 0, "NEW")],
    ["appends far behind the end", write(0, end, 7, "NEW")],
    ["is refused in the middle", write(0, 1, 1, "NEW")],
    ["empties", write(0, 0, end, "")],
  ].map(([name, call]): Scenario => ({
    name: `writing ${name as string}`,
    on: { request_body: inTurn([call as Call, ...show], []) },
    request: { body: ["abc"] },
  })),
  {
    name: "several writes add up",
    on: { request_body: inTurn([write(0, 0, 1, "X"), write(0, end, 0, "Y"), write(0, 0, 0, "Z"), ...show], []) },
    request: { body: ["abc"] },
  },
  {
    name: "a write into the empty last piece",
    on: { request_body: inTurn([0], [write(0, 0, 0, "TAIL")]), response_body: inTurn([0], [write(1, 0, 0, "tail")]) },
    request: { body: ["abc"] },
    response: { body: ["def"] },
  },
  { name: "held with 1", on: { request_body: holdThen(1) }, request: threeChunks },
  { name: "held with 2", on: { request_body: holdThen(2) }, request: threeChunks },
  { name: "dropped with 3", on: { request_body: holdThen(3) }, request: threeChunks },
  { name: "dropped with 4", on: { request_body: holdThen(4) }, request: threeChunks },
  { name: "dropped with -1", on: { request_body: holdThen(-1) }, request: threeChunks },
  { name: "a response held with 1", on: { response_body: holdBack(1) }, response: threeBack },
  { name: "a response held with 2", on: { response_body: holdBack(2) }, response: threeBack },
  { name: "a response dropped with 3", on: { response_body: holdBack(3) }, response: threeBack },
  {
    name: "replaced while it is held",
    on: { request_body: inTurn(every(1, write(0, 0, end, "ONE")), every(1), every(1), every(0)) },
    request: threeChunks,
  },
  {
    name: "held to the end and let go in the trailers",
    on: {
      request_body: [1],
      request_trailers: [bufferSize(0), read(0), write(0, end, 0, "!"), get(0, ":path"), list(1)],
    },
    request: { ...threeChunks, trailers: [["x-t", "1"]] },
  },
  {
    name: "held to the end and continued from a tick",
    on: {
      request_body: inTurn([1], [1], [1], [soon, 1]),
      tick: [...later, ...show, write(0, 0, end, "LATE"), ...show, goOn(0), ...show],
    },
    request: threeChunks,
  },
  {
    name: "a response held to the end and continued from a tick",
    on: {
      response_body: inTurn([1], [1], [1], [soon, 1]),
      tick: [...later, bufferSize(1), write(1, end, 0, "LATE"), goOn(1), bufferSize(1)],
    },
    response: threeBack,
  },
  {
    name: "continued from a tick in the middle",
    on: { request_body: inTurn([1], [soon, 1], [...show, 1], [...show, 0]), tick: [...later, ...show, goOn(0)] },
    request: threeChunks,
  },
  ...[1, 2, 3, 4, 5, -1].map((answer): Scenario => ({
    name: `headers answered with ${answer}`,
    on: {
      request_headers: [soon, answer],
      request_body: show,
      tick: [...later, bufferSize(0), get(0, ":path"), goOn(0)],
    },
    request: threeChunks,
  })),
  ...[1, 3, 4].map((answer): Scenario => ({
    name: `a response's headers answered with ${answer}`,
    on: {
      response_headers: [soon, answer],
      response_body: [bufferSize(1), read(1)],
      tick: [...later, bufferSize(1), get(2, ":status"), goOn(1), set(2, "x-late", "1")],
    },
    response: threeBack,
  })),
  ...[1, 3, 4].map((answer): Scenario => ({
    name: `headers answered with ${answer} before a body beyond the limit`,
    on: { request_headers: [soon, answer], request_body: [bufferSize(0)], tick: [...later, goOn(0)] },
    options: { bufferBytes: 1024 },
    request: { body: "x".repeat(5000) },
  })),
  {
    name: "a body beyond the limit held with 1",
    on: { request_body: [bufferSize(0), 1] },
    options: { bufferBytes: 20 },
    request: { body: ["x".repeat(15), "y".repeat(15), "z".repeat(15)] },
  },
  {
    name: "a response beyond the limit held with 1",
    on: { response_body: [bufferSize(1), 1] },
    options: { bufferBytes: 20 },
    response: { body: ["x".repeat(15), "y".repeat(15), "z".repeat(15)] },
  },
  {
    name: "a response beyond the limit held with 1 and its headers too",
    on: { response_headers: [1], response_body: [bufferSize(1), 1] },
    options: { bufferBytes: 20, allowOnHeadersStopIteration: true },
    response: { body: ["x".repeat(15), "y".repeat(15), "z".repeat(15)] },
  },
  {
    name: "headers held alone",
    on: {
      request_headers: [1],
      request_body: inTurn([add(0, "x-b", "1"), ...show, 1], [add(0, "x-b", "2"), ...show, 0], [get(0, "x-b"), 0]),
    },
    options: { allowOnHeadersStopIteration: true },
    request: threeChunks,
  },
  {
    name: "a response's headers held alone",
    on: { response_headers: [1], response_body: inTurn([set(2, "x-b", "1"), 1], [remove(2, "x-b"), 1], [0]) },
    options: { allowOnHeadersStopIteration: true },
    response: threeBack,
  },
  {
    name: "headers without a body held alone",
    on: { request_headers: [soon, 1], tick: [...later, goOn(0)] },
    options: { allowOnHeadersStopIteration: true },
  },
  {
    name: "a request longer than its length says",
    on: { request_body: inTurn([write(0, end, 0, "MORE")], []) },
    request: { body: "abc" },
    fault: /content-length/,
  },
  {
    name: "a request shorter than its length says",
    on: { request_body: inTurn([write(0, 0, end, "a")], []) },
    request: { body: "abc" },
    fault: /content-length/,
  },
  {
    name: "a response longer than its length says",
    on: { response_body: inTurn([write(1, end, 0, "MORE")], []) },
    response: { body: "abc" },
    fault: /content-length/,
  },
  {
    name: "a response shorter than its length says",
    on: { response_body: inTurn([write(1, 0, end, "a")], []) },
    response: { body: "abc" },
    fault: /content-length/,
  },
  {
    name: "a length removed before the body is written",
    on: {
      request_headers: [remove(0, "content-length")],
      request_body: inTurn([write(0, end, 0, "MORE")], []),
      response_headers: [remove(2, "content-length")],
      response_body: inTurn([write(1, 0, end, "a")], []),
    },
    request: { body: "abc" },
    response: { body: "abc" },
  },
];
