// How things go wrong: a host call that is refused, a module that cannot be loaded, what a real host does not survive.

import { Status } from "../assembly/abi.ts";

/** Why a host call answered something else than `Ok`, and what would have been right. */
export class Refusal {
  /** What the filter got, never `Ok`. */
  readonly status: Status;
  /** Why, and what would have been right, as a sentence. */
  readonly reason: string;

  /** Refuses with this status for this reason. */
  constructor(status: Status, reason: string) {
    this.status = status;
    this.reason = reason;
  }
}

/** A refusal that is a status in Envoy, and the end of the VM in hosts that take it for a misuse. */
export class Misuse extends Refusal {}

/** The refusal of what a real host does and this one does not; `proxy-wasm gaps` lists all of it. */
export class Gap extends Refusal {
  /** What is missing, as test/known-gaps.json has it. */
  readonly what: string;

  /** Refuses what is missing; the sentence says what that is. */
  constructor(what: string, sentence: string) {
    super(Status.Unimplemented, `${sentence} ("npx proxy-wasm gaps" lists what is missing, and why)`);
    this.what = what;
  }
}

/** The module cannot be loaded, or the filter refused its configuration; the message names the thing and the remedy. */
export class LoadError extends Error {
  /** Always `LoadError`. */
  override name = "LoadError";
}

/** What a test asked for cannot be: an exchange that never ends, a request without an upstream. */
export class StreamError extends Error {
  /** Always `StreamError`. */
  override name = "StreamError";
}

/** A filter keeps something of exchanges that are over. */
export class LeakError extends Error {
  /** Always `LeakError`. */
  override name = "LeakError";
}

/** The filter did what makes a real host crash or break the stream; the message says what and why. */
export class HostFault extends Error {
  /** `HostFault`, or `EnvoyFault`. */
  override name = "HostFault";
}

/** The filter did what makes a real Envoy crash or break the stream; the message says what and why. */
export class EnvoyFault extends HostFault {
  /** Always `EnvoyFault`. */
  override name = "EnvoyFault";
}
