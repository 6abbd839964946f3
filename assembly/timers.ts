// Several timers on the one tick that a proxy gives each root context: the tick's period is always the time until the
// next timer is due. A timer holds no object, since what it calls gets the root context as an argument.

import { focus } from "./callback";
import { currentTimeNanoseconds } from "./clock";
import { proxy_set_tick_period_milliseconds } from "./env";
import { checked, DONE } from "./status";

// A timer is a block of the heap.
const NEXT: usize = 0;
/** The id of the root context. */
const OWNER: usize = 4;
/** The number that `cancelTimer` takes. */
const NUMBER: usize = 8;
/** The address of the function: `(self: RootContext) => void`. */
const HANDLER: usize = 12;
/** When it is due, in nanoseconds of the proxy's clock. */
const DUE: usize = 16;
/** The milliseconds that it waits. */
const WAIT: usize = 24;
const REPEATS: usize = 28;
const SIZE: usize = 32;

const MILLISECOND: u64 = 1_000_000;
/** A tick may come a little early by the clock, because proxies measure periods by another one. */
const EARLY: u64 = 500_000;

/** The timers of all root contexts, the newest first. */
let first: usize = 0;
let newest: u32 = 0;
/**
 * The address of `runDue` once there was a timer. Where nothing starts one, asc does not compile that function, and drops
 * what depends on this.
 */
let runner: usize = 0;

function use(run: (owner: u32, context: usize) => bool): void {
  runner = changetype<usize>(run);
}

/** Starts a timer and gives its number. `handler` is the address of a function that takes the root context. */
export function startTimer(owner: u32, milliseconds: u32, handler: usize, repeats: bool): u32 {
  use(runDue);
  const timer = heap.alloc(SIZE);
  const wait = max(milliseconds, 1);
  store<usize>(timer, first, NEXT);
  store<u32>(timer, owner, OWNER);
  store<u32>(timer, ++newest, NUMBER);
  store<usize>(timer, handler, HANDLER);
  store<u64>(timer, currentTimeNanoseconds() + (wait as u64) * MILLISECOND, DUE);
  store<u32>(timer, wait, WAIT);
  store<u32>(timer, repeats as u32, REPEATS);
  first = timer;
  schedule(owner);
  return newest;
}

/** Takes a timer back; `false` when it is not there any more. */
export function stopTimer(owner: u32, number: u32): bool {
  let link: usize = 0;
  for (let timer = first; timer; link = timer, timer = load<usize>(timer, NEXT)) {
    if (load<u32>(timer, OWNER) != owner || load<u32>(timer, NUMBER) != number) continue;
    remove(timer, link);
    schedule(owner);
    return true;
  }
  return false;
}

/** Runs what is due of the root context at `context`; `false` when it has no timers, and the tick is not theirs. */
export function runTimers(owner: u32, context: usize): bool {
  // A function's type would be a class that every filter knows; its place in the table stands in its first four bytes.
  return runner ? call_indirect<bool>(load<u32>(runner), owner, context) : false;
}

function runDue(owner: u32, context: usize): bool {
  if (!has(owner)) return false;
  const now = currentTimeNanoseconds();
  for (let timer = dueBefore(owner, now + EARLY); timer; timer = dueBefore(owner, now + EARLY)) {
    const handler = load<usize>(timer, HANDLER);
    if (load<u32>(timer, REPEATS)) {
      const wait = (load<u32>(timer, WAIT) as u64) * MILLISECOND;
      const next = load<u64>(timer, DUE) + wait;
      // What was missed is not made up for.
      store<u64>(timer, next > now + EARLY ? next : now + wait, DUE);
    } else {
      remove(timer, before(timer));
    }
    // It may start and stop timers, so nothing of the list is kept over the call.
    changetype<(self: usize) => void>(handler)(context);
  }
  schedule(owner);
  return true;
}

/** The root context has gone, and its timers go too. */
export function forgetTimersOf(owner: u32): void {
  if (!runner) return;
  let link: usize = 0;
  for (let timer = first; timer;) {
    const next = load<usize>(timer, NEXT);
    if (load<u32>(timer, OWNER) == owner) remove(timer, link);
    else link = timer;
    timer = next;
  }
}

/** Makes the proxy tick when the next timer of this root context is due. */
function schedule(owner: u32): void {
  const now = currentTimeNanoseconds();
  let period: u64 = 0;
  for (let timer = first; timer; timer = load<usize>(timer, NEXT)) {
    if (load<u32>(timer, OWNER) != owner) continue;
    const wait = (load<u32>(timer, WAIT) as u64) * MILLISECOND;
    let due = load<u64>(timer, DUE);
    // The clock was set back: without this, the timer would wait for it to come here again.
    if (due > now + wait) store<u64>(timer, (due = now + wait), DUE);
    const left = due > now ? (due - now + MILLISECOND - 1) / MILLISECOND : 1;
    if (!period || left < period) period = left;
  }
  if (!focus(owner)) return;
  const status = proxy_set_tick_period_milliseconds(period as u32);
  checked(changetype<usize>("proxy_set_tick_period_milliseconds"), status, DONE, memory.data(4));
}

function has(owner: u32): bool {
  for (let timer = first; timer; timer = load<usize>(timer, NEXT)) {
    if (load<u32>(timer, OWNER) == owner) return true;
  }
  return false;
}

/** The timer that is due first, the older of two; 0 when none is by then. */
function dueBefore(owner: u32, end: u64): usize {
  let found: usize = 0;
  for (let timer = first; timer; timer = load<usize>(timer, NEXT)) {
    if (load<u32>(timer, OWNER) != owner || load<u64>(timer, DUE) > end) continue;
    if (!found || load<u64>(timer, DUE) <= load<u64>(found, DUE)) found = timer;
  }
  return found;
}

/** The timer before this one in the list; 0 for the first. */
function before(timer: usize): usize {
  let link: usize = 0;
  for (let other = first; other != timer; other = load<usize>(other, NEXT)) link = other;
  return link;
}

function remove(timer: usize, link: usize): void {
  const next = load<usize>(timer, NEXT);
  if (link) store<usize>(link, next, NEXT);
  else first = next;
  heap.free(timer);
}
