// nginx with ngx_wasm_module, and Kong Gateway, which is built with it.
// Source: Kong/ngx_wasm_module 3bed278, src/common/proxy_wasm, src/http, src/wasm/wasi, docs/PROXY_WASM.md, t/03-proxy_wasm.

import { BufferType, MapType, Status } from "../../assembly/abi.ts";
import { allVersions, envFunctions, type HostFunction, hostFunction, wasiFunctions } from "./function-types.ts";
import { envoy } from "./envoy.ts";
import type { HostProfile, TextForm } from "./profile.ts";

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Functions of `env` that it does not have at all. */
const missing = new Set(
  words(`proxy_get_buffer_status proxy_get_header_map_size pthread_equal emscripten_notify_memory_growth
    envoy_resolve_dns`),
);

/** It asks no marker which functions a module may import. */
const common: Record<string, HostFunction> = Object.fromEntries(
  Object.entries(envFunctions)
    .filter(([name]) => !missing.has(name))
    .map(([name, { signature }]) => [name, { signature, versions: allVersions }]),
);

/** Names of an older draft of the ABI that link, and end the VM. */
const draft: Record<string, HostFunction> = {
  ...each(0, "proxy_context_finalize"),
  ...each(
    1,
    `proxy_delete_timer proxy_resume_stream proxy_resume_downstream proxy_resume_upstream proxy_resume_http_stream
     proxy_cancel_grpc_call proxy_close_grpc_call proxy_delete_metric`,
  ),
  ...each(2, "proxy_get_metric_value"),
  ...each(
    3,
    `proxy_create_timer proxy_send_grpc_stream_message proxy_dequeue_shared_queue_item
     proxy_enqueue_shared_queue_item`,
  ),
  ...each(4, "proxy_open_shared_kvstore proxy_open_shared_queue proxy_delete_shared_queue proxy_create_metric"),
  ...each(5, "proxy_get_map_values proxy_set_map_values proxy_call_custom_function"),
  ...each(
    6,
    `proxy_get_shared_kvstore_key_values proxy_set_shared_kvstore_key_values proxy_add_shared_kvstore_key_values
     proxy_remove_shared_kvstore_key proxy_delete_shared_kvstore`,
  ),
  ...each(9, "proxy_open_grpc_stream"),
  ...each(12, "proxy_dispatch_grpc_call"),
  proxy_set_metric_value: { signature: "i32 i64 -> i32", versions: allVersions },
  proxy_increment_metric_value: { signature: "i32 i64 -> i32", versions: allVersions },
};

/** Names of that draft that work. */
const aliases = {
  proxy_get_buffer: "proxy_get_buffer_bytes",
  proxy_set_buffer: "proxy_set_buffer_bytes",
  proxy_send_http_response: "proxy_send_local_response",
  proxy_dispatch_http_call: "proxy_http_call",
};

const properties: Record<string, TextForm> = {
  ...forms(
    "text",
    `request.path request.url_path request.scheme request.method request.useragent request.protocol request.query
     request.id request.referer request.total_size request.headers.* response.code response.size
     response.total_size response.headers.* connection.id connection.requested_server_name connection.tls_version
     connection.subject_local_certificate connection.mtls plugin_name`,
  ),
  ...forms("address", "source.address upstream.address destination.address"),
  ...forms("text", "request.host request.size source.port upstream.port destination.port"),
  ...forms("seconds", "request.time request.duration"),
  ...forms("root id", "plugin_root_id"),
};

/**
 * nginx with ngx_wasm_module, at its defaults: no zones for shared data and queues, request bodies up to 16 KiB in memory
 * (`client_body_buffer_size`), 4 × 4 KiB for a response that is held (`wasm_response_body_buffers`).
 *
 * What it does otherwise than said here: names of headers keep the case in which they were sent, and `:authority` is the
 * server's name and port, not what the client asked for (`host` tells that); a request body can be set in
 * on_request_headers already, which here answers Unimplemented; with a filter that fails, streams that are open move to
 * a new instance, while here they fail; a callout that is under way when its stream ends is dropped here; a tick that is
 * stopped comes once more, and one that is stopped and set anew in its callback comes twice as often; headers that mean
 * the connection are shown; an instance for each stream or filter (`proxy_wasm_isolation`) is not played, nor
 * subrequests, nor Lua (`resolve_lua`, getters of properties). What nginx itself does to messages, such as error pages
 * but for the 500, limits of bodies, redirects, is not played either.
 */
export const nginx: HostProfile = {
  ...envoy,
  title: "nginx (ngx_wasm_module)",
  env: {
    ...common,
    ...draft,
    ...Object.fromEntries(Object.entries(aliases).map(([name, same]) => [name, common[same]!])),
    proxy_get_log_level: { signature: "i32 i32 -> i32", versions: allVersions },
  },
  aliases,
  wasi: Object.fromEntries(
    words(`args_get args_sizes_get clock_time_get environ_get environ_sizes_get fd_close fd_fdstat_get
      fd_fdstat_set_flags fd_prestat_get fd_prestat_dir_name fd_read fd_seek fd_write path_open proc_exit random_get
      sched_yield poll_oneoff`).map((name) => [name, wasiFunctions[name]!]),
  ),
  wasiModules: ["wasi_snapshot_preview1"],
  wasiErrors: {
    ...Object.fromEntries(
      words("fd_close fd_fdstat_get fd_fdstat_set_flags fd_prestat_get fd_read fd_seek").map((name) => [name, 8]),
    ),
    ...Object.fromEntries(words("fd_prestat_dir_name sched_yield poll_oneoff").map((name) => [name, 58])),
    path_open: 20,
  },
  notImplemented: [
    ...Object.keys(draft),
    ...words(`proxy_get_log_level proxy_done proxy_continue_response proxy_clear_route_cache proxy_close_stream
      proxy_get_status proxy_grpc_call proxy_grpc_stream proxy_grpc_send proxy_grpc_cancel proxy_grpc_close
      proxy_resolve_shared_queue proc_exit`),
  ],
  providesMemory: false,
  requiredExports: ["proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"],
  neverCalled: words(`proxy_on_new_connection proxy_on_downstream_data proxy_on_upstream_data
    proxy_on_downstream_connection_close proxy_on_upstream_connection_close proxy_on_request_trailers
    proxy_on_response_trailers proxy_on_request_metadata proxy_on_response_metadata proxy_on_queue_ready
    proxy_on_grpc_receive_initial_metadata proxy_on_grpc_receive proxy_on_grpc_receive_trailing_metadata
    proxy_on_grpc_close envoy_on_resolve_dns envoy_on_stats_update`),
  missingSettings: ["allowOnHeadersStopIteration", "failurePolicy", "mainThread", "reloadBackoffMs"],
  rootId: "crc32",
  endsRoots: false,
  startsReplacement: false,
  logCallbacks: ["on_done", "on_log"],
  endCallbacks: ["on_delete"],
  hostCallsBelongTo: "running",
  startCallsCrash: true,
  restrictsAllocator: false,
  trapsMisuse: true,
  allocatesNothing: true,
  noRoom: Status.InternalFailure,
  mapWrites: {
    [MapType.HttpRequestHeaders]: ["on_request_headers", "on_request_body", "on_http_call_response"],
    [MapType.HttpResponseHeaders]: [
      "on_request_headers",
      "on_request_body",
      "on_response_headers",
      "on_http_call_response",
    ],
  },
  mapReads: [MapType.HttpRequestHeaders, MapType.HttpResponseHeaders],
  mostPairs: 100,
  readOnlyHeaders: [":scheme", ":authority"],
  joinsHeaders: false,
  escapesHeaders: true,
  addsEnvoyHeaders: false,
  server: "nginx",
  missingMapValue: Status.NotFound,
  missingMapPairs: Status.BadArgument,
  countsPseudoHeaders: false,
  responseTimeoutMs: 60_000n,
  endsWithHeaders: false,
  passesTrailers: false,
  readsWholeRequest: true,
  readableRequestBytes: 16 * 1024,
  responseBody: "nginx",
  responseBufferBytes: 4 * 4096,
  readsFromStart: false,
  bodyReads: {
    [BufferType.HttpRequestBody]: ["on_request_headers", "on_request_body", "on_log"],
    [BufferType.HttpResponseBody]: ["on_response_body"],
    [BufferType.HttpCallResponseBody]: ["on_http_call_response", "on_log"],
  },
  bodyWrites: {
    [BufferType.HttpRequestBody]: ["on_request_headers", "on_request_body"],
    [BufferType.HttpResponseBody]: ["on_response_body"],
  },
  keepsConfiguration: true,
  actions: "continue or pause",
  localReplies: "nginx",
  failurePolicy: "reload",
  reloadBackoffMs: 0,
  failureStatus: 500,
  failsResponsesOpen: true,
  calloutsFrom: ["on_request_headers", "on_request_body", "on_tick", "on_http_call_response"],
  calloutHeaders: [":method", ":path"],
  calloutTarget: "host",
  calloutFailure: ":dispatch_status",
  calloutIds: [0, 1],
  resumes: "after callouts",
  properties: { names: properties, own: "wasmx", variables: "ngx" },
  foreignFunctions: [],
  foreignContext: "running",
  metrics: "nginx",
  sharedDataZones: [],
  casZeroOverwrites: false,
  queueZones: [],
  strictTicks: true,
};

/**
 * Kong Gateway: nginx as above, where the properties that filters set begin with `kong`. Its zones for shared data are
 * those of `nginx_wasm_shm_kv_…` in kong.conf; give them as `sharedDataZones`. What Kong itself tells as `kong.…`
 * (`kong.route_id`, …) is what the option `properties` says.
 * Source: Kong/kong build/openresty, kong/templates/nginx.lua, kong/conf_loader.
 */
export const kong: HostProfile = {
  ...nginx,
  title: "Kong Gateway (ngx_wasm_module)",
  properties: { names: properties, own: "kong", variables: "ngx" },
};

function each(parameters: number, names: string): Record<string, HostFunction> {
  return Object.fromEntries(words(names).map((name) => [name, hostFunction(parameters)]));
}

function forms(form: TextForm, names: string): Record<string, TextForm> {
  return Object.fromEntries(words(names).map((name) => [name, form]));
}
