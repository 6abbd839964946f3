// Which callbacks a filter exports: those that a class of it overrides, or that a part of the SDK in it needs. The proxy
// never crosses the boundary for the others.

import { bases, isContext, SDK } from "./contexts.mjs";

/** What a `BodyContext` calls while a body passes. */
const bodyHooks = (which) => [`onWhole${which}Body`, `on${which}Chunk`, `on${which}Text`];

/** The method, or methods, of a context class behind an export. Exports that are not listed are always needed. */
const methods = {
  proxy_on_done: "onDone",
  proxy_on_log: "onLog",
  proxy_on_tick: "onTick",
  proxy_on_queue_ready: "onQueueReady",
  proxy_on_request_headers: "onRequestHeaders",
  proxy_on_request_body: ["onRequestBody", ...bodyHooks("Request")],
  proxy_on_request_trailers: ["onRequestTrailers", ...bodyHooks("Request")],
  proxy_on_response_headers: "onResponseHeaders",
  proxy_on_response_body: ["onResponseBody", ...bodyHooks("Response")],
  proxy_on_response_trailers: ["onResponseTrailers", ...bodyHooks("Response")],
  proxy_on_request_metadata: "onRequestMetadata",
  proxy_on_response_metadata: "onResponseMetadata",
  proxy_on_new_connection: "onNewConnection",
  proxy_on_downstream_data: "onDownstreamData",
  proxy_on_upstream_data: "onUpstreamData",
  proxy_on_downstream_connection_close: "onDownstreamClose",
  proxy_on_upstream_connection_close: "onUpstreamClose",
  proxy_on_http_call_response: "onHttpCallResponse",
  proxy_on_grpc_receive_initial_metadata: "onGrpcReceiveInitialMetadata",
  proxy_on_grpc_receive: "onGrpcReceive",
  proxy_on_grpc_receive_trailing_metadata: "onGrpcReceiveTrailingMetadata",
  proxy_on_grpc_close: "onGrpcClose",
  proxy_on_foreign_function: "onForeignFunction",
  envoy_on_resolve_dns: "onResolveDns",
  envoy_on_stats_update: "onStatsUpdate",
};

/** Exports that some hosts insist on (ngx_wasm_module), with what they mean when no class overrides them: accepted. */
const accepting = { proxy_on_vm_start: "onVmStart", proxy_on_configure: "onConfigure" };

/** Functions of the SDK that need callbacks, whether or not a class overrides them. */
const needing = {
  [`${SDK}timers/startTimer`]: ["onTick"],
  [`${SDK}queues/subscribeTexts`]: ["onQueueReady"],
  [`${SDK}queues/subscribeBytes`]: ["onQueueReady"],
  [`${SDK}dns/startDns`]: ["onResolveDns"],
  [`${SDK}http-call/startHttpCall`]: ["onHttpCallResponse"],
  [`${SDK}grpc/startGrpcCall`]: ["onGrpcReceive", "onGrpcClose"],
  [`${SDK}grpc/startGrpcStream`]: [
    "onGrpcReceiveInitialMetadata",
    "onGrpcReceive",
    "onGrpcReceiveTrailingMetadata",
    "onGrpcClose",
  ],
};

/** The callbacks of a filter that do something, by the names of their methods. */
export function calledMethods(instances) {
  const called = new Set();
  for (const [name, element] of instances) {
    const method = /#(on\w+)$/.exec(name)?.[1];
    if (method && isContext(element.parent) && !bases.has(element.parent.internalName)) called.add(method);
    if (Object.hasOwn(needing, name)) for (const method of needing[name]) called.add(method);
  }
  return called;
}

/** Takes out the exports whose methods are not among these. */
export function pruneExports(module, called) {
  for (const [name, behind] of Object.entries(methods)) {
    if (![behind].flat().some((method) => called.has(method))) module.removeExport(name);
  }
}

/** Exports, in place of methods that are not among these and that hosts insist on, a function that says yes. */
export function acceptTheRest(module, binaryen, called) {
  const { i32, createType } = binaryen;
  module.addFunction("accept", createType([i32, i32]), i32, [], module.i32.const(1));
  for (const [name, method] of Object.entries(accepting)) {
    if (called.has(method)) continue;
    module.removeExport(name);
    module.addFunctionExport("accept", name);
  }
}
