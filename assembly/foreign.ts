// Functions that a proxy offers beyond the ABI, called by name with bytes. Envoy's own have types in ./envoy.

import { Status } from "./abi";
import { proxy_call_foreign_function } from "./env";
import { answerBytes, answerData, answerSize, beginCall, write, written } from "./memory";
import { checked } from "./status";

/** What Envoy's functions answer when they are used as they should. */
const EXPECTED: u32 =
  (1 << Status.Ok) |
  (1 << Status.NotFound) |
  (1 << Status.BadArgument) |
  (1 << Status.SerializationFailure) |
  (1 << Status.InternalFailure);

let lastStatus: u32 = Status.Ok;

/**
 * Calls a function of the proxy with these bytes and gives what it answers: no bytes when it answers nothing, `null`
 * when it refused, and `foreignFunctionStatus` says why. Which functions there are is the proxy's affair: Envoy's are in
 * `proxy-wasm/assembly/envoy`; ngx_wasm_module has `resolve_lua` only and stops a filter that calls another.
 * Source: proxy-wasm/spec v0.2.1, `proxy_call_foreign_function`.
 */
export function callForeignFunction(name: string, argument: Uint8Array | null = null): Uint8Array | null {
  const at = argument !== null ? argument.dataStart : 0;
  const size = argument !== null ? argument.byteLength : 0;
  return callForeign(changetype<usize>(name), at, size) == Status.Ok ? answerBytes() : null;
}

/**
 * What the proxy answered to the last call of a function: `NotFound` when it has none of that name, otherwise what that
 * function makes of its argument.
 */
export function foreignFunctionStatus(): Status {
  return lastStatus as Status;
}

/** Calls the function whose name is the string at `name` with `size` bytes at `argument`. */
export function callForeign(name: usize, argument: usize, size: usize): Status {
  beginCall();
  const at = write(name);
  lastStatus = proxy_call_foreign_function(at, written, argument, size, answerData, answerSize);
  return checked(changetype<usize>("proxy_call_foreign_function"), lastStatus, EXPECTED, memory.data(4));
}
