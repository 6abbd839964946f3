// A callback of the host begins and ends, and host calls in between mean a context.

/// <reference path="./runtime.d.ts" />

import { Status } from "./abi";
import { collectSometimes } from "./collect";
import { proxy_set_effective_context } from "./env";
import { called, enterRegion, leaveRegion } from "./memory";

/** The context that host calls mean; 0 when that is not known. */
let current: u32 = 0;

/**
 * The number of the class whose one context stands for every stream, 0 when each has its own. transform.mjs answers it
 * where the contexts keep nothing of their streams: two calls less for each stream, and neither memory nor a table.
 */
export function sharedClass(): u32 {
  return 0;
}

/** The id of the context whose callback is running. */
export function calledContext(): u32 {
  return called;
}

/** A callback of this context begins. */
export function enter(context: u32): void {
  current = context;
  const outermost = enterRegion(context);
  if (isDefined(__begin_callback)) if (outermost) __begin_callback();
}

/** The callback ends. */
export function leave(): void {
  if (!leaveRegion()) {
    // The host gives the interrupted callback back what it had chosen.
    current = 0;
    return;
  }
  if (isDefined(__end_callback)) __end_callback();
  // `minimal` has no shadow stack: it can collect only while no function of the filter is active.
  if (ASC_RUNTIME == 1) collectSometimes();
}

/**
 * Makes the host calls to come mean this context, until the callback ends or another one is chosen; `false` when the
 * host does not know it any more. Source: proxy-wasm/spec v0.2.1, `proxy_set_effective_context`.
 */
export function focus(context: u32): bool {
  // A shared context is reached in its own callbacks only.
  return sharedClass() != 0 || context == current || choose(context);
}

function choose(context: u32): bool {
  if (proxy_set_effective_context(context) != Status.Ok) return false;
  current = context;
  return true;
}
