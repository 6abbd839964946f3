// What goes wrong between filter and host without stopping either: said once in the proxy's log, so that nothing fails
// in silence.

import { LogLevel, Status } from "./abi";
import { proxy_log } from "./env";
import { beginCall, reserve } from "./memory";
import { encode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

/** What a call that changes something answers when all is well. */
export const DONE: u32 = 1 << Status.Ok;
/** What a call that reads something answers when all is well: there is something, or there is not. */
export const FOUND_OR_NOT: u32 = (1 << Status.Ok) | (1 << Status.NotFound);

/** The names of `Status`, in the order of its values. */
const names =
  "Ok NotFound BadArgument SerializationFailure ParseFailure BadExpression InvalidMemoryAccess Empty CasMismatch ResultMismatch InternalFailure BrokenConnection Unimplemented unknown";
const MOST_STATUS: u32 = Status.Unimplemented;

/**
 * Gives back what a host call answered. What is not among `expected`, a bit for each status, is logged, each status
 * once: `proxy_set_buffer_bytes answered BadArgument`. `call` is the address of the call's name (a managed argument
 * would cost the caller a place on the shadow stack), `said` four bytes of its own: `memory.data(4)`.
 */
export function checked(call: usize, status: u32, expected: u32, said: usize): Status {
  // Ok is always expected.
  if (status) report(call, status, expected, said);
  return status as Status;
}

function report(call: usize, status: u32, expected: u32, said: usize): void {
  if (status > MOST_STATUS) status = MOST_STATUS + 1;
  else if ((1 << status) & expected) return;
  const bit: u32 = 1 << status;
  if (load<u32>(said) & bit) return;
  store<u32>(said, load<u32>(said) | bit);
  beginCall();
  const text = reserve(sizeOf(call) * MAX_BYTES_PER_UNIT + 64);
  let end = encode(changetype<usize>(" answered "), encode(call, text));
  // The name of the status is the word at its place.
  let name = changetype<usize>(names);
  const namesEnd = name + sizeOf(name);
  for (; name < namesEnd; name += 2) {
    const unit = load<u16>(name);
    if (unit == 0x20) status--;
    else if (!status) store<u8>(end++, unit);
  }
  proxy_log(LogLevel.Warn, text, end - text);
}

/** Logs the text at `message`, once; `said` is four bytes of its own: `memory.data(4)`. */
export function complain(message: usize, said: usize): void {
  if (load<u32>(said)) return;
  store<u32>(said, 1);
  beginCall();
  const text = reserve((sizeOf(message) >> 1) * MAX_BYTES_PER_UNIT);
  proxy_log(LogLevel.Error, text, encode(message, text) - text);
}
