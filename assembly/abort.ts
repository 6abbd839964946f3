// Why the filter stopped, said in the proxy's log before it does.

import { LogLevel } from "./abi";
import { proxy_log } from "./env";
import { beginCall, reserve } from "./memory";
import { encode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

/**
 * Logs `<message> at <file>:<line>:<column>` and traps. asc calls it for every failed assertion and every `throw`
 * (`"use": "abort=…"` in asconfig.json); hosts offer no `env.abort`, and a module that imports it does not load.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  // transform.mjs says by a line of 0 that calls are nested too deeply for the shadow stack.
  const unnamed = line ? changetype<usize>("abort") : changetype<usize>("stack overflow");
  const reason = changetype<usize>(message) ? changetype<usize>(message) : unnamed;
  const place = changetype<usize>(file) ? changetype<usize>(file) : changetype<usize>("?");
  beginCall();
  const text = reserve(((sizeOf(reason) + sizeOf(place)) >> 1) * MAX_BYTES_PER_UNIT + 32);
  let end = encode(reason, text);
  end = encode(place, encode(changetype<usize>(" at "), end));
  end = encodeNumber(column, encodeNumber(line, end));
  proxy_log(LogLevel.Critical, text, end - text);
  unreachable();
}

/** Writes `:` and the digits at `out`, and gives the address behind them. */
function encodeNumber(value: u32, out: usize): usize {
  let scale: u32 = 1;
  while (value / scale > 9) scale *= 10;
  store<u8>(out++, 0x3a);
  for (; scale; scale /= 10) store<u8>(out++, 0x30 + ((value / scale) % 10));
  return out;
}
