// The exports of a filter, in the order of the specification: each finds the context and calls what its author wrote.
// transform.mjs takes out those that no author's class overrides.
// Source: proxy-wasm/spec, abi-versions/v0.2.1/README.md, "Callbacks".

import { Action } from "./abi";
import { enter, leave } from "./callback";
import { setConfiguring } from "./configuration";
import { Context, requestFlow, responseFlow } from "./context";
import { deliverDns } from "./dns";
import { beginFlow, endFlow, endFlows, isContinued } from "./flow";
import { deliverItems, forgetSubscriptions, Queue } from "./queues";
import { deliverGrpc, GrpcEvent } from "./grpc";
import { deliverHttpCall } from "./http-call";
import { HttpContext } from "./http-context";
import { forgetCallsOf } from "./pending-calls";
import { beginConnection, create, find, remove } from "./registry";
import { RootContext } from "./root-context";
import { StatsUpdate } from "./stats-update";
import { StreamContext } from "./stream-context";
import { forgetTimersOf, runTimers } from "./timers";

export { malloc, malloc as proxy_on_memory_allocate } from "./memory";

/** Says which ABI this module speaks. Never called. transform.mjs gives it the name of an older version where asked. */
export function proxy_abi_version_0_2_1(): void {}

// Contexts

export function proxy_on_context_create(contextId: u32, parentContextId: u32): void {
  enter(contextId);
  create(contextId, parentContextId);
  leave();
}

export function proxy_on_done(contextId: u32): bool {
  enter(contextId);
  const context = find(contextId);
  endFlows(requestFlow(context));
  const done = changetype<Context>(context).onDone();
  leave();
  return done;
}

export function proxy_on_log(contextId: u32): void {
  enter(contextId);
  const context = find(contextId);
  endFlows(requestFlow(context));
  changetype<Context>(context).onLog();
  leave();
}

export function proxy_on_delete(contextId: u32): void {
  enter(contextId);
  changetype<Context>(find(contextId)).onDelete();
  forgetSubscriptions(contextId);
  forgetCallsOf(contextId);
  forgetTimersOf(contextId);
  remove(contextId);
  leave();
}

// Configuration

export function proxy_on_vm_start(contextId: u32, configurationSize: u32): bool {
  enter(contextId);
  const started = changetype<RootContext>(find(contextId)).onVmStart(configurationSize);
  leave();
  return started;
}

export function proxy_on_configure(contextId: u32, configurationSize: u32): bool {
  enter(contextId);
  setConfiguring(true);
  const configured = changetype<RootContext>(find(contextId)).onConfigure(configurationSize);
  setConfiguring(false);
  leave();
  return configured;
}

// Timers

export function proxy_on_tick(contextId: u32): void {
  enter(contextId);
  const context = find(contextId);
  if (!runTimers(contextId, context)) changetype<RootContext>(context).onTick();
  leave();
}

// Queues

export function proxy_on_queue_ready(contextId: u32, queue: u32): void {
  enter(contextId);
  const context = find(contextId);
  if (!deliverItems(contextId, queue, context)) changetype<RootContext>(context).onQueueReady(Queue.of(queue));
  leave();
}

// HTTP streams

export function proxy_on_request_headers(contextId: u32, count: u32, endOfStream: bool): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(requestFlow(context));
  const action = changetype<HttpContext>(context).onRequestHeaders(count, endOfStream);
  const answer = endRequest(contextId, action);
  leave();
  return answer;
}

export function proxy_on_request_body(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(requestFlow(context));
  const action = changetype<HttpContext>(context).receiveRequestBody(size, endOfStream);
  const answer = endRequest(contextId, action);
  leave();
  return answer;
}

export function proxy_on_request_trailers(contextId: u32, count: u32): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(requestFlow(context));
  const action = changetype<HttpContext>(context).receiveRequestTrailers(count);
  const answer = endRequest(contextId, action);
  leave();
  return answer;
}

export function proxy_on_response_headers(contextId: u32, count: u32, endOfStream: bool): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(responseFlow(context));
  const action = changetype<HttpContext>(context).onResponseHeaders(count, endOfStream);
  const answer = endResponse(contextId, action);
  leave();
  return answer;
}

export function proxy_on_response_body(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(responseFlow(context));
  const action = changetype<HttpContext>(context).receiveResponseBody(size, endOfStream);
  const answer = endResponse(contextId, action);
  leave();
  return answer;
}

export function proxy_on_response_trailers(contextId: u32, count: u32): u32 {
  enter(contextId);
  const context = find(contextId);
  beginFlow(responseFlow(context));
  const action = changetype<HttpContext>(context).receiveResponseTrailers(count);
  const answer = endResponse(contextId, action);
  leave();
  return answer;
}

// Both let the frame go on, which is all that a host knows. It says nothing of whether the message is held.

export function proxy_on_request_metadata(contextId: u32, count: u32): u32 {
  enter(contextId);
  changetype<HttpContext>(find(contextId)).onRequestMetadata(count);
  leave();
  return Action.Continue;
}

export function proxy_on_response_metadata(contextId: u32, count: u32): u32 {
  enter(contextId);
  changetype<HttpContext>(find(contextId)).onResponseMetadata(count);
  leave();
  return Action.Continue;
}

// TCP streams

export function proxy_on_new_connection(contextId: u32): u32 {
  enter(contextId);
  beginConnection(contextId);
  const action = changetype<StreamContext>(find(contextId)).onNewConnection();
  leave();
  return action;
}

export function proxy_on_downstream_data(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter(contextId);
  const action = changetype<StreamContext>(find(contextId)).onDownstreamData(size, endOfStream);
  leave();
  return action;
}

export function proxy_on_upstream_data(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter(contextId);
  const action = changetype<StreamContext>(find(contextId)).onUpstreamData(size, endOfStream);
  leave();
  return action;
}

export function proxy_on_downstream_connection_close(contextId: u32, peer: u32): void {
  enter(contextId);
  changetype<StreamContext>(find(contextId)).onDownstreamClose(peer);
  leave();
}

export function proxy_on_upstream_connection_close(contextId: u32, peer: u32): void {
  enter(contextId);
  changetype<StreamContext>(find(contextId)).onUpstreamClose(peer);
  leave();
}

// ABI 0.1.0 does not say whether headers end the stream; transform.mjs gives these the names of the ones above there.

export function proxy_on_request_headers_0_1_0(contextId: u32, count: u32): u32 {
  return proxy_on_request_headers(contextId, count, false);
}

export function proxy_on_response_headers_0_1_0(contextId: u32, count: u32): u32 {
  return proxy_on_response_headers(contextId, count, false);
}

// Found once more: a host might have deleted the context meanwhile.

function endRequest(contextId: u32, action: u32): u32 {
  return isContinued() ? endFlow(requestFlow(find(contextId)), action) : action;
}

function endResponse(contextId: u32, action: u32): u32 {
  return isContinued() ? endFlow(responseFlow(find(contextId)), action) : action;
}

// Callouts

export function proxy_on_http_call_response(
  contextId: u32,
  callId: u32,
  headers: u32,
  bodySize: u32,
  trailers: u32,
): void {
  enter(contextId);
  if (!deliverHttpCall(callId, headers, bodySize, trailers)) {
    changetype<RootContext>(find(contextId)).onHttpCallResponse(callId, headers, bodySize, trailers);
  }
  leave();
}

export function proxy_on_grpc_receive_initial_metadata(contextId: u32, callId: u32, count: u32): void {
  enter(contextId);
  if (!deliverGrpc(GrpcEvent.InitialMetadata, callId, count))
    changetype<RootContext>(find(contextId)).onGrpcReceiveInitialMetadata(callId, count);
  leave();
}

export function proxy_on_grpc_receive(contextId: u32, callId: u32, size: u32): void {
  enter(contextId);
  if (!deliverGrpc(GrpcEvent.Message, callId, size))
    changetype<RootContext>(find(contextId)).onGrpcReceive(callId, size);
  leave();
}

export function proxy_on_grpc_receive_trailing_metadata(contextId: u32, callId: u32, count: u32): void {
  enter(contextId);
  if (!deliverGrpc(GrpcEvent.TrailingMetadata, callId, count))
    changetype<RootContext>(find(contextId)).onGrpcReceiveTrailingMetadata(callId, count);
  leave();
}

export function proxy_on_grpc_close(contextId: u32, callId: u32, status: u32): void {
  enter(contextId);
  if (!deliverGrpc(GrpcEvent.Close, callId, status))
    changetype<RootContext>(find(contextId)).onGrpcClose(callId, status);
  leave();
}

// Foreign functions

export function proxy_on_foreign_function(contextId: u32, functionId: u32, size: u32): void {
  enter(contextId);
  changetype<Context>(find(contextId)).onForeignFunction(functionId, size);
  leave();
}

// Envoy's own

export function envoy_on_resolve_dns(contextId: u32, token: u32, size: u32): void {
  enter(contextId);
  deliverDns(token, size);
  leave();
}

export function envoy_on_stats_update(contextId: u32, size: u32): void {
  enter(contextId);
  changetype<RootContext>(find(contextId)).onStatsUpdate(StatsUpdate.of(contextId, size));
  leave();
}
