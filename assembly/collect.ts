// When to collect with `--runtime minimal`, which leaves that to the program and does not tell how much is allocated.

/// <reference path="./runtime.d.ts" />

/** The most callbacks between two collections. */
const MOST_CALLBACKS: i32 = 256;

let interval: i32 = MOST_CALLBACKS;
let callbacks: i32 = 0;
let pages: i32 = memory.size();

/**
 * Collects after a number of callbacks, and whenever memory grew since the last time. Growth says that there was more
 * garbage than expected: the number is halved then, and creeps up again while memory stays as it is.
 */
export function collectSometimes(): void {
  callbacks++;
  const grown = memory.size() != pages;
  if (callbacks < interval && !grown) return;
  interval = grown ? max(callbacks >> 1, 1) : min(interval + 1, MOST_CALLBACKS);
  callbacks = 0;
  __collect();
  pages = memory.size();
}
