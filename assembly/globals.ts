// What JavaScript has as globals and asc would import from a browser: `console`, `Date.now`, `performance.now`,
// `Math.random`, `crypto.getRandomValues`, `process`, `trace`. Here they are made of what proxies offer; library.mjs puts
// these functions in place of asc's own bindings. A filter that uses none contains none.

import { LogLevel } from "./abi";
import { log } from "./log";
import { answerData, answerSize, beginCall, reserve } from "./memory";
import { decode } from "./utf8";
import { clock_time_get, environ_get, environ_sizes_get, random_get } from "./wasi_snapshot_preview1";

const WALL_CLOCK: u32 = 0;
const MONOTONIC_CLOCK: u32 = 1;
/** The most bytes that Envoy gives at once. */
const MOST_RANDOM_BYTES: usize = 65_536;
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/** `trace`: logs at level trace the message and the first `count` of the numbers. */
export function trace(
  message: string,
  count: i32 = 0,
  a0: f64 = 0,
  a1: f64 = 0,
  a2: f64 = 0,
  a3: f64 = 0,
  a4: f64 = 0,
): void {
  let line = message;
  if (count > 0) line += " " + a0.toString();
  if (count > 1) line += ", " + a1.toString();
  if (count > 2) line += ", " + a2.toString();
  if (count > 3) line += ", " + a3.toString();
  if (count > 4) line += ", " + a4.toString();
  log(LogLevel.Trace, line);
}

/** `Date.now`: milliseconds since the Unix epoch; 0 when the host does not say. */
export function dateNow(): f64 {
  return (read(WALL_CLOCK) / 1_000_000) as f64;
}

/** `performance.now`: milliseconds, with their fraction, on a clock that is never set back; only differences mean something. */
export function performanceNow(): f64 {
  return (read(MONOTONIC_CLOCK) as f64) / NANOSECONDS_PER_MILLISECOND;
}

/** `process.hrtime`: nanoseconds on a clock that is never set back; only differences mean something. */
export function hrtime(): u64 {
  return read(MONOTONIC_CLOCK);
}

/** What `Math.random` starts from. */
export function seed(): f64 {
  beginCall();
  if (random_get(answerData, sizeof<f64>())) return reinterpret<f64>(read(WALL_CLOCK));
  return load<f64>(answerData);
}

/** `crypto.getRandomValues`: fills an array with random bytes. Aborts when the host gives none: keys are made of them. */
export function getRandomValues(array: Uint8Array): void {
  let at = array.dataStart;
  const end = at + array.byteLength;
  while (at < end) {
    const size = min(end - at, MOST_RANDOM_BYTES);
    if (random_get(at, size)) throw new Error("crypto.getRandomValues: the proxy gave no random bytes");
    at += size;
  }
}

/** `process.env`: the environment variables that the plugin's configuration gives; empty when the host does not say. */
export function environment(): Map<string, string> {
  const variables = new Map<string, string>();
  beginCall();
  if (environ_sizes_get(answerData, answerSize)) return variables;
  const count = load<u32>(answerData) as usize;
  const size = load<u32>(answerSize) as usize;
  const entries = reserve(count * sizeof<usize>() + size);
  if (environ_get(entries, entries + count * sizeof<usize>())) return variables;
  for (let i: usize = 0; i < count; i++) {
    const entry = load<usize>(entries + i * sizeof<usize>());
    let nameEnd = entry;
    while (load<u8>(nameEnd) && load<u8>(nameEnd) != 0x3d) nameEnd++;
    let end = nameEnd;
    while (load<u8>(end)) end++;
    const value = min(nameEnd + 1, end);
    variables.set(decode(entry, nameEnd - entry), decode(value, end - value));
  }
  return variables;
}

/** `process.exit`: a filter has no process to end; it aborts, so that the proxy counts it as failed. */
export function processExit(code: i32): void {
  throw new Error("process.exit(" + code.toString() + ")");
}

/** Nanoseconds on a clock; 0 when the host does not say. */
function read(clock: u32): u64 {
  beginCall();
  return clock_time_get(clock, 1, answerData) ? 0 : load<u64>(answerData);
}
