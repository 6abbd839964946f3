// Group 1 too: connections in place of streams.

import {
  bufferSize,
  close,
  context,
  goOn,
  inTurn,
  later,
  log,
  read,
  type Scenario,
  soon,
  trap,
  write,
} from "../scenario.ts";

const tcp = { client: ["abc", "defg"], upstream: ["one", "two"] };
const sized = [bufferSize(2), bufferSize(3)];

export const connections: readonly Scenario[] = [
  { name: "what passes", tcp, on: { downstream_data: [read(2)], upstream_data: [read(3)] } },
  {
    name: "buffers in every callback",
    tcp,
    on: { new_connection: sized, downstream_data: sized, upstream_data: sized, log: sized },
  },
  { name: "held, and let go with the next piece", tcp, on: { downstream_data: inTurn([1], [read(2), 0]) } },
  {
    name: "the upstream's held, and let go with the next piece",
    tcp,
    on: { upstream_data: inTurn([1], [read(3), 0]) },
  },
  {
    name: "written to",
    tcp,
    on: {
      downstream_data: inTurn([write(2, 0, 0, "<")], [write(2, 0, 0xffffffff, "all")], [write(2, 0, 0, "end")]),
      upstream_data: inTurn([write(3, 0, 1, "O")], [write(3, 99, 0, ">")], []),
    },
  },
  {
    name: "a connection held and continued from a tick",
    tcp,
    on: { new_connection: [soon, 1], tick: [...later, goOn(2)] },
  },
  {
    name: "data held and continued from a tick",
    tcp,
    on: { downstream_data: inTurn([soon, 1], []), tick: [...later, bufferSize(2), write(2, 0, 0, "+"), goOn(2)] },
  },
  {
    name: "numbers of streams",
    tcp,
    on: { new_connection: [goOn(0), goOn(1), goOn(3), goOn(4), close(0), close(1), close(4)] },
  },
  { name: "closed in new_connection", tcp, on: { new_connection: [close(2)] } },
  { name: "closed in downstream_data", tcp, on: { downstream_data: [close(2), 1] } },
  { name: "closed by the upstream's number in upstream_data", tcp, on: { upstream_data: [close(3)] } },
  { name: "closed from a tick", tcp, on: { new_connection: [soon], tick: [...later, close(2)] } },
  { name: "a trap in downstream_data", on: { downstream_data: [trap] }, exchanges: [{ tcp }, { tcp }] },
  {
    name: "a trap in new_connection, open",
    on: { new_connection: [trap] },
    options: { failurePolicy: "open" },
    exchanges: [{ tcp }, { tcp }],
  },
  { name: "an upstream that takes no connection", tcp, response: { fails: "refused" } },
  {
    name: "a tick without a connection",
    tcp,
    on: { new_connection: [soon], tick: [...later, context(0), bufferSize(2), log("still there")] },
  },
  // The same calls for HTTP crash Envoy when nothing is held, and at a stream's end. For TCP they do nothing.
  ...["downstream_connection_close", "upstream_connection_close", "done", "log"].flatMap((callback) => [
    { name: `closed in ${callback}`, tcp, on: { [callback]: [close(2)] } },
    { name: `closed by the upstream's number in ${callback}`, tcp, on: { [callback]: [close(3)] } },
    { name: `continued in ${callback}`, tcp, on: { [callback]: [goOn(2)] } },
  ]),
  ...["new_connection", "downstream_data", "upstream_data"].map((callback) => ({
    name: `continued in ${callback}, which goes on`,
    tcp,
    on: { [callback]: [goOn(2), 0] },
  })),
  {
    name: "continued from a tick while nothing is held",
    tcp,
    on: { new_connection: [soon], tick: [...later, goOn(2)] },
  },
  {
    name: "continued from a tick between two pieces",
    tcp,
    on: { downstream_data: inTurn([soon], []), tick: [...later, goOn(2)] },
  },
  {
    name: "a held connection continued twice from a tick",
    tcp,
    on: { new_connection: [soon, 1], tick: [...later, goOn(2), goOn(2)] },
  },
  {
    name: "held data continued twice from a tick",
    tcp,
    on: { downstream_data: inTurn([soon, 1], []), tick: [...later, goOn(2), goOn(2)] },
  },
  {
    name: "held data continued from a tick while the upstream's is held",
    tcp,
    on: { upstream_data: inTurn([soon, 1], []), tick: [...later, goOn(2)] },
  },
  { name: "closed twice in downstream_data", tcp, on: { downstream_data: [close(2), close(2)] } },
  { name: "closed and continued in downstream_data", tcp, on: { downstream_data: [close(2), goOn(2), 1] } },
  { name: "continued and closed in new_connection", tcp, on: { new_connection: [goOn(2), close(2), 1] } },
  {
    name: "closed and continued from a tick",
    tcp,
    on: { downstream_data: inTurn([soon, 1], []), tick: [...later, close(2), goOn(2)] },
  },
  {
    name: "continued and closed at every end, without an upstream",
    tcp,
    response: { fails: "refused" },
    on: {
      downstream_connection_close: [goOn(2), close(2)],
      done: [goOn(2), close(2)],
      log: [goOn(2), close(2)],
    },
  },
];
