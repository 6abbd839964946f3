// Answers that a host call should not give, said once each in the proxy's log, so that nothing fails in silence.

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
  "Ok NotFound BadArgument SerializationFailure ParseFailure BadExpression InvalidMemoryAccess Empty CasMismatch " +
  "ResultMismatch InternalFailure BrokenConnection Unimplemented";

/**
 * Gives back what a host call answered. What is not among `expected`, a bit for each status, is logged, each status
 * once: `proxy_set_buffer_bytes answered BadArgument (2)`. `call` is the address of the call's name (a managed
 * argument would cost the caller a place on the shadow stack), `seen` four bytes of its own: `memory.data(4)`.
 */
export function checked(call: usize, status: u32, expected: u32, seen: usize): Status {
  if (!((1 << (status & 31)) & expected)) report(call, status, seen);
  return status as Status;
}

function report(call: usize, status: u32, seen: usize): void {
  const bit: u32 = 1 << (status & 31);
  if (load<u32>(seen) & bit) return;
  store<u32>(seen, load<u32>(seen) | bit);
  beginCall();
  const text = reserve(((sizeOf(call) + sizeOf(changetype<usize>(names))) >> 1) * MAX_BYTES_PER_UNIT);
  let end = encode(changetype<usize>(" answered "), encode(call, text));
  end = encode(changetype<usize>(nameOf(status) + " (" + status.toString() + ")"), end);
  proxy_log(LogLevel.Warn, text, end - text);
}

/** The name of a status; `an unknown status` when there is none. */
function nameOf(status: u32): string {
  let at: i32 = 0;
  for (let skipped: u32 = 0; skipped < status; skipped++) {
    const space = names.indexOf(" ", at);
    if (space < 0) return "an unknown status";
    at = space + 1;
  }
  const end = names.indexOf(" ", at);
  return names.substring(at, end < 0 ? names.length : end);
}
