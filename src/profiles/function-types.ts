// Which functions a proxy offers to a module, with their types: all of `env`, by ABI version, and WASI.
// Source: proxy-wasm-cpp-host include/proxy-wasm/exports.h and src/wasm.cc; linked by a running Envoy 1.40.

import type { Signature } from "../module/module.ts";

/** The versions of the ABI that modules declare. */
export type AbiVersion = "0.1.0" | "0.2.0" | "0.2.1";

/** The exports that say which version of the ABI a module is made for. */
export const abiMarkers: Readonly<Record<string, AbiVersion>> = {
  proxy_abi_version_0_1_0: "0.1.0",
  proxy_abi_version_0_2_0: "0.2.0",
  proxy_abi_version_0_2_1: "0.2.1",
};

/** What the host knows of a function: its type, and for which versions it is there. */
export interface HostFunction {
  /** Its type. */
  readonly signature: Signature;
  /** The versions of the ABI that have it. */
  readonly versions: readonly AbiVersion[];
}

/** Every version. */
export const allVersions: readonly AbiVersion[] = ["0.1.0", "0.2.0", "0.2.1"];

/** A function with so many 32-bit parameters that answers a status. */
export function hostFunction(parameters: number, versions: readonly AbiVersion[] = allVersions): HostFunction {
  return { signature: `${Array<string>(parameters).fill("i32").join(" ")} -> i32`.trim(), versions };
}

const call = hostFunction;

/** The functions of the module `env`. */
export const envFunctions: Readonly<Record<string, HostFunction>> = {
  proxy_log: call(3),
  proxy_get_log_level: call(1, ["0.2.1"]),
  proxy_get_current_time_nanoseconds: call(1),
  proxy_set_tick_period_milliseconds: call(1),
  proxy_get_configuration: call(2, ["0.1.0"]),
  proxy_set_effective_context: call(1),
  proxy_done: call(0),
  proxy_get_buffer_bytes: call(5),
  proxy_get_buffer_status: call(3),
  proxy_set_buffer_bytes: call(5),
  proxy_get_header_map_size: call(2),
  proxy_get_header_map_pairs: call(3),
  proxy_set_header_map_pairs: call(3),
  proxy_get_header_map_value: call(5),
  proxy_add_header_map_value: call(5),
  proxy_replace_header_map_value: call(5),
  proxy_remove_header_map_value: call(3),
  proxy_get_property: call(4),
  proxy_set_property: call(4),
  proxy_continue_request: call(0, ["0.1.0"]),
  proxy_continue_response: call(0, ["0.1.0"]),
  proxy_clear_route_cache: call(0, ["0.1.0"]),
  proxy_continue_stream: call(1, ["0.2.0", "0.2.1"]),
  proxy_close_stream: call(1, ["0.2.0", "0.2.1"]),
  proxy_send_local_response: call(8),
  proxy_get_status: call(3),
  proxy_http_call: call(10),
  proxy_grpc_call: call(12),
  proxy_grpc_stream: call(9),
  proxy_grpc_send: call(4),
  proxy_grpc_cancel: call(1),
  proxy_grpc_close: call(1),
  proxy_get_shared_data: call(5),
  proxy_set_shared_data: call(5),
  proxy_register_shared_queue: call(3),
  proxy_resolve_shared_queue: call(5),
  proxy_enqueue_shared_queue: call(3),
  proxy_dequeue_shared_queue: call(3),
  proxy_define_metric: call(4),
  proxy_increment_metric: { signature: "i32 i64 -> i32", versions: allVersions },
  proxy_record_metric: { signature: "i32 i64 -> i32", versions: allVersions },
  proxy_get_metric: call(2),
  proxy_call_foreign_function: call(6),
  pthread_equal: call(2),
  emscripten_notify_memory_growth: { signature: "i32 ->", versions: allVersions },
  envoy_resolve_dns: call(3),
};

const i32 = (parameters: number): Signature => call(parameters).signature;

/** The functions of `wasi_snapshot_preview1`, which stand under `wasi_unstable` too. */
export const wasiFunctions: Readonly<Record<string, Signature>> = {
  args_get: i32(2),
  args_sizes_get: i32(2),
  clock_res_get: i32(2),
  clock_time_get: "i32 i64 i32 -> i32",
  environ_get: i32(2),
  environ_sizes_get: i32(2),
  fd_advise: "i32 i64 i64 i32 -> i32",
  fd_allocate: "i32 i64 i64 -> i32",
  fd_close: i32(1),
  fd_datasync: i32(1),
  fd_fdstat_get: i32(2),
  fd_fdstat_set_flags: i32(2),
  fd_fdstat_set_rights: "i32 i64 i64 -> i32",
  fd_filestat_get: i32(2),
  fd_filestat_set_size: "i32 i64 -> i32",
  fd_filestat_set_times: "i32 i64 i64 i32 -> i32",
  fd_pread: "i32 i32 i32 i64 i32 -> i32",
  fd_prestat_dir_name: i32(3),
  fd_prestat_get: i32(2),
  fd_pwrite: "i32 i32 i32 i64 i32 -> i32",
  fd_read: i32(4),
  fd_readdir: "i32 i32 i32 i64 i32 -> i32",
  fd_renumber: i32(2),
  fd_seek: "i32 i64 i32 i32 -> i32",
  fd_sync: i32(1),
  fd_tell: i32(2),
  fd_write: i32(4),
  path_create_directory: i32(3),
  path_filestat_get: i32(5),
  path_filestat_set_times: "i32 i32 i32 i32 i64 i64 i32 -> i32",
  path_link: i32(6),
  path_open: "i32 i32 i32 i32 i32 i64 i64 i32 i32 -> i32",
  path_readlink: i32(6),
  path_remove_directory: i32(3),
  path_rename: i32(6),
  path_symlink: i32(4),
  path_unlink_file: i32(3),
  poll_oneoff: i32(4),
  proc_exit: "i32 ->",
  random_get: i32(2),
  sched_yield: i32(0),
  sock_accept: i32(3),
  sock_recv: i32(6),
  sock_send: i32(5),
  sock_shutdown: i32(2),
};

const contextCall = (parameters: number): Signature => `${Array<string>(parameters).fill("i32").join(" ")} ->`;

/** The types of the callbacks that a proxy looks up. Headers callbacks have one parameter less in ABI 0.1.0. */
export const callbackSignatures: Readonly<Record<string, Signature>> = {
  _initialize: "->",
  _start: "->",
  main: i32(2),
  __main_void: i32(0),
  malloc: i32(1),
  proxy_on_memory_allocate: i32(1),
  proxy_on_context_create: contextCall(2),
  proxy_on_vm_start: i32(2),
  proxy_on_configure: i32(2),
  proxy_on_tick: contextCall(1),
  proxy_on_new_connection: i32(1),
  proxy_on_downstream_data: i32(3),
  proxy_on_upstream_data: i32(3),
  proxy_on_downstream_connection_close: contextCall(2),
  proxy_on_upstream_connection_close: contextCall(2),
  proxy_on_request_headers: i32(3),
  proxy_on_request_body: i32(3),
  proxy_on_request_trailers: i32(2),
  proxy_on_request_metadata: i32(2),
  proxy_on_response_headers: i32(3),
  proxy_on_response_body: i32(3),
  proxy_on_response_trailers: i32(2),
  proxy_on_response_metadata: i32(2),
  proxy_on_http_call_response: contextCall(5),
  proxy_on_grpc_receive_initial_metadata: contextCall(3),
  proxy_on_grpc_receive: contextCall(3),
  proxy_on_grpc_receive_trailing_metadata: contextCall(3),
  proxy_on_grpc_close: contextCall(3),
  proxy_on_queue_ready: contextCall(2),
  proxy_on_foreign_function: contextCall(3),
  envoy_on_resolve_dns: contextCall(3),
  envoy_on_stats_update: contextCall(2),
  proxy_on_done: i32(1),
  proxy_on_log: contextCall(1),
  proxy_on_delete: contextCall(1),
};
