// Streams for any filter: a host that gives every host call something plausible, and every callback of a stream,
// a connection, their callouts and their root context, as far as the filter exports them.

import { encodePairs } from "../../src/encoding/pairs.ts";
import { type Answers, StubHost } from "./stub-host.ts";

const text = new TextEncoder();
const value = text.encode("some value");
const headers = encodePairs([
  [":status", "200"],
  ["a", "b"],
]);
/** As property: eight bytes of a small number. */
const number = Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0);

/** The callouts that a module has started and that were not answered. */
interface Pending {
  readonly http: number[];
  readonly grpc: number[];
  /** Names. */
  readonly dns: number[];
}

/** A host with such answers, and what runs a stream on it. */
export function generousHost(bytes: Uint8Array): { host: StubHost; stream(id: number): void } {
  const pending: Pending = { http: [], grpc: [], dns: [] };
  const host = new StubHost(bytes, '{"limit": 1}', answers(pending));
  host.content = text.encode("some bytes of a body");
  return { host, stream: (id) => stream(host, id, pending) };
}

function answers(pending: Pending): Answers {
  let calls = 0;
  const start = (list: number[]) => (host: StubHost, at: number) => {
    list.push(++calls);
    host.write(at, calls);
  };
  const [http, grpc, dns] = [start(pending.http), start(pending.grpc), start(pending.dns)];
  return {
    proxy_get_log_level: (host, at) => host.write(at, 2),
    proxy_get_current_time_nanoseconds: (host, at) => host.write(at, 1000),
    proxy_get_header_map_value: (host, _map, _key, _size, data, size) => host.give(value, data, size),
    proxy_get_header_map_pairs: (host, _map, data, size) => host.give(headers, data, size),
    proxy_get_header_map_size: (host, _map, at) => host.write(at, headers.length),
    proxy_get_property: (host, _path, _size, data, size) => host.give(number, data, size),
    proxy_get_buffer_status: (host, _buffer, at) => host.write(at, host.content.length),
    proxy_get_status: (host, code, data, size) => {
      host.write(code, 14);
      host.give(value, data, size);
    },
    proxy_http_call: (host, ...args) => http(host, args[9]!),
    proxy_grpc_call: (host, ...args) => grpc(host, args[11]!),
    proxy_grpc_stream: (host, ...args) => grpc(host, args[8]!),
    envoy_resolve_dns: (host, _name, _size, at) => dns(host, at!),
    proxy_get_shared_data: (host, _key, _size, data, size, cas) => {
      host.give(value, data, size);
      host.write(cas, 1);
    },
    proxy_register_shared_queue: (host, _name, _size, at) => host.write(at, 1),
    proxy_resolve_shared_queue: (host, _vm, _vmSize, _name, _size, at) => host.write(at, 1),
    proxy_dequeue_shared_queue: (host, _queue, data, size) => {
      host.give(value, data, size);
      // One item, and then there is none until the next stream.
      host.statuses["proxy_dequeue_shared_queue"] ??= 7;
    },
    proxy_define_metric: (host, _type, _name, _size, at) => host.write(at, 1),
    proxy_get_metric: (host, _metric, at) => host.write(at, 5),
    proxy_call_foreign_function: (host, _name, _size, _argument, _argumentSize, data, size) =>
      host.give(value, data, size),
  };
}

function stream(host: StubHost, id: number, pending: Pending): void {
  host.call("proxy_on_context_create", id, 1);
  http(host, id, pending);
  connection(host, id);
  for (const name of ["log", "done", "delete"]) host.call(`proxy_on_${name}`, id);
  // Callouts of the root context, and of a stream that has gone: a host may answer them, or not.
  if (id % 3) answer(host, pending);
  else for (const calls of [pending.http, pending.grpc, pending.dns]) calls.length = 0;
  host.call("proxy_on_tick", 1);
  if (host.statuses["proxy_dequeue_shared_queue"] === 7) delete host.statuses["proxy_dequeue_shared_queue"];
  host.call("proxy_on_queue_ready", 1, 1);
  host.call("envoy_on_stats_update", 1, host.content.length);
  host.call("proxy_on_foreign_function", 1, 1, host.content.length);
}

function http(host: StubHost, id: number, pending: Pending): void {
  const size = host.content.length;
  for (const way of ["request", "response"]) {
    host.call(`proxy_on_${way}_headers`, id, 2, 0);
    // In every other stream they come too late.
    if (id % 2) answer(host, pending);
    host.call(`proxy_on_${way}_body`, id, size, 0);
    host.call(`proxy_on_${way}_body`, id, size, 1);
    host.call(`proxy_on_${way}_trailers`, id, 1);
    host.call(`proxy_on_${way}_metadata`, id, 1);
  }
}

function connection(host: StubHost, id: number): void {
  const size = host.content.length;
  host.call("proxy_on_new_connection", id);
  host.call("proxy_on_downstream_data", id, size, 0);
  host.call("proxy_on_upstream_data", id, size, 1);
  host.call("proxy_on_upstream_connection_close", id, 1);
  host.call("proxy_on_downstream_connection_close", id, 2);
}

function answer(host: StubHost, { http, grpc, dns }: Pending): void {
  for (const name of dns.splice(0)) host.call("envoy_on_resolve_dns", 1, name, host.content.length);
  for (const call of http.splice(0)) host.call("proxy_on_http_call_response", 1, call, 2, 5, 0);
  for (const call of grpc.splice(0)) {
    host.call("proxy_on_grpc_receive_initial_metadata", 1, call, 2);
    host.call("proxy_on_grpc_receive", 1, call, 5);
    host.call("proxy_on_grpc_receive_trailing_metadata", 1, call, 2);
    host.call("proxy_on_grpc_close", 1, call, 0);
  }
}
