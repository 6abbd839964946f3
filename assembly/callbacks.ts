// The exports of a filter, in the order of the specification: each finds the context and calls what its author wrote.
// transform.mjs takes out those that no author's class overrides.
// Source: proxy-wasm/spec, abi-versions/v0.2.1/README.md, "Callbacks".

import { Context, HttpContext, RootContext } from "./context";
import { enter, leave } from "./memory";
import { create, find, remove } from "./registry";

export { malloc, malloc as proxy_on_memory_allocate } from "./memory";

/** Says which ABI this module speaks. Never called. */
export function proxy_abi_version_0_2_1(): void {}

// Contexts

export function proxy_on_context_create(contextId: u32, parentContextId: u32): void {
  enter();
  create(contextId, parentContextId);
  leave();
}

export function proxy_on_done(contextId: u32): bool {
  enter();
  const done = find<Context>(contextId).onDone();
  leave();
  return done;
}

export function proxy_on_log(contextId: u32): void {
  enter();
  find<Context>(contextId).onLog();
  leave();
}

export function proxy_on_delete(contextId: u32): void {
  enter();
  find<Context>(contextId).onDelete();
  remove(contextId);
  leave();
}

// Configuration

export function proxy_on_vm_start(contextId: u32, configurationSize: u32): bool {
  enter();
  const started = find<RootContext>(contextId).onVmStart(configurationSize);
  leave();
  return started;
}

export function proxy_on_configure(contextId: u32, configurationSize: u32): bool {
  enter();
  const configured = find<RootContext>(contextId).onConfigure(configurationSize);
  leave();
  return configured;
}

// Timers

export function proxy_on_tick(contextId: u32): void {
  enter();
  find<RootContext>(contextId).onTick();
  leave();
}

// HTTP streams

export function proxy_on_request_headers(contextId: u32, count: u32, endOfStream: bool): u32 {
  enter();
  const action = find<HttpContext>(contextId).onRequestHeaders(count, endOfStream);
  leave();
  return action;
}

export function proxy_on_request_body(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter();
  const action = find<HttpContext>(contextId).onRequestBody(size, endOfStream);
  leave();
  return action;
}

export function proxy_on_request_trailers(contextId: u32, count: u32): u32 {
  enter();
  const action = find<HttpContext>(contextId).onRequestTrailers(count);
  leave();
  return action;
}

export function proxy_on_response_headers(contextId: u32, count: u32, endOfStream: bool): u32 {
  enter();
  const action = find<HttpContext>(contextId).onResponseHeaders(count, endOfStream);
  leave();
  return action;
}

export function proxy_on_response_body(contextId: u32, size: u32, endOfStream: bool): u32 {
  enter();
  const action = find<HttpContext>(contextId).onResponseBody(size, endOfStream);
  leave();
  return action;
}

export function proxy_on_response_trailers(contextId: u32, count: u32): u32 {
  enter();
  const action = find<HttpContext>(contextId).onResponseTrailers(count);
  leave();
  return action;
}
