// What a host gives along with a callback, beside its numbers.

import { BufferType, Status } from "./abi";
import { focus } from "./callback";
import { proxy_get_buffer_bytes } from "./env";
import { answerBytes, answerData, answerSize, beginCall } from "./memory";
import { checked, FOUND_OR_NOT } from "./status";

/** What was given with the running callback of this context; `null` when the host has none. */
export function callDataOf(contextId: u32): Uint8Array | null {
  return focus(contextId) && askCallData(0, usize.MAX_VALUE) ? answerBytes() : null;
}

/** Asks for at most `size` bytes of it from `start` on, for the context that host calls mean; they are the answer. */
export function askCallData(start: usize, size: usize): bool {
  beginCall();
  const status = proxy_get_buffer_bytes(BufferType.CallData, start, size, answerData, answerSize);
  return checked(changetype<usize>("proxy_get_buffer_bytes"), status, FOUND_OR_NOT, memory.data(4)) == Status.Ok;
}
