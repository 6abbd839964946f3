// Whether a stream may be continued or answered just now. Hosts take such a call at any time, and Envoy crashes, or sends
// a request twice, when the stream is not in the state for it: so the SDK keeps that state and refuses the call. Two
// bytes of a context hold it, one for each direction.

import { Status } from "./abi";
import { complain } from "./status";

/** The state of a direction: it goes its way. */
const FLOWING: u32 = 0;
/** The filter holds it. */
const HELD: u32 = 1;
/** A callback of it is running. */
const CALLED: u32 = 2;
/** A callback of it is running, and has continued it. */
const LET_GO: u32 = 3;
/** The stream was answered or closed. */
const ANSWERED: u32 = 4;
/** The stream is over. */
const OVER: u32 = 5;

// What only some filters need; transform.mjs answers `false` for the others, and the compiler drops the rest.

/** Whether anything continues a stream. */
export function isContinued(): bool {
  return true;
}

/** Whether anything answers or closes a stream, in a filter that has callbacks of its end. */
export function isAnswered(): bool {
  return true;
}

/** A callback of the direction whose state is at `state` begins. */
export function beginFlow(state: usize): void {
  if (isContinued()) store<u8>(state, CALLED);
}

/** The callback ends with this action; gives the one for the host. */
export function endFlow(state: usize, action: u32): u32 {
  const now = load<u8>(state) as u32;
  if (now == ANSWERED) return action;
  if (now == LET_GO) action = 0;
  store<u8>(state, action ? HELD : FLOWING);
  return action;
}

/** The stream whose states are at `states` is over. */
export function endFlows(states: usize): void {
  if (isContinued() || isAnswered()) store<u16>(states, OVER | (OVER << 8));
}

/**
 * Whether the host is to be asked to continue the direction whose state is at `state`. `Ok` when it is, `Empty` when
 * its own callback will do it by its action, `BadArgument` when it cannot be continued.
 */
export function mayContinue(state: usize): Status {
  const now = load<u8>(state) as u32;
  if (now == HELD) {
    store<u8>(state, FLOWING);
    return Status.Ok;
  }
  if (now == CALLED || now == LET_GO) {
    store<u8>(state, LET_GO);
    return Status.Empty;
  }
  complain(
    changetype<usize>(
      "not continued: the filter does not hold it. Envoy crashes then, or sends the message twice. " +
        "Continue once what a callback answered with Action.Pause, and nothing that was answered or closed",
    ),
    memory.data(4),
  );
  return Status.BadArgument;
}

/** What the host has answered to continuing a held direction; one that it refuses stays held. */
export function continued(state: usize, status: Status): Status {
  if (status != Status.Ok) store<u8>(state, HELD);
  return status;
}

/** Whether the direction whose state is at `state` is held, or in a callback that may hold it. */
export function isWaiting(state: usize): bool {
  return (load<u8>(state) as u32) - HELD <= LET_GO - HELD;
}

/** Whether the stream whose states are at `states` can still be answered or closed; it counts as answered then. */
export function mayAnswer(states: usize): bool {
  if (isAnswered() && load<u8>(states) == OVER) {
    complain(
      changetype<usize>(
        "not answered or closed: the stream is over. Envoy crashes then. Do it in a request or response callback",
      ),
      memory.data(4),
    );
    return false;
  }
  if (isContinued()) store<u16>(states, ANSWERED | (ANSWERED << 8));
  return true;
}

/** What the host has answered to answering or closing a stream; one that it refuses stays what it was `before`. */
export function answered(states: usize, before: u32, status: Status): Status {
  if (isContinued() && status != Status.Ok) store<u16>(states, before);
  return status;
}
