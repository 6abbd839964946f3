// When to collect with `--runtime minimal`, which leaves that to the program and does not tell how much is allocated.

/// <reference path="./runtime.d.ts" />

/** The most callbacks between two collections. */
const MOST_CALLBACKS: i32 = 256;
/** Up to so many pages, 2 MiB, memory may be tried for fewer collections. */
const RELAXED_PAGES: i32 = 32;

/** A collection visits every live context: so many of them may be visited for each callback. */
const CONTEXTS_PER_CALLBACK_SHIFT: i32 = 3;

let contexts: i32 = 0;
let interval: i32 = MOST_CALLBACKS;
let callbacks: i32 = 0;
let pages: i32 = memory.size();

/**
 * Collects after a number of callbacks, and whenever memory grew since the last time. Growth says that there was more
 * garbage than expected: the number is halved then. It creeps up again only while memory is small: otherwise memory
 * would double each time that the number has become too large.
 */
export function collectSometimes(): void {
  callbacks++;
  if (callbacks < contexts >> CONTEXTS_PER_CALLBACK_SHIFT) return;
  const grown = memory.size() != pages;
  if (callbacks < interval && !grown) return;
  if (grown) interval = max(callbacks >> 1, 1);
  else if (pages <= RELAXED_PAGES && interval < MOST_CALLBACKS) interval++;
  callbacks = 0;
  __collect();
  pages = memory.size();
}

/** Says how many contexts live. */
export function countContexts(live: i32): void {
  contexts = live;
}
