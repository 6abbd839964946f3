// The end of a VM.

import type { Trace } from "../trace.ts";

/** The filter stopped at an instruction that cannot be executed; the VM runs nothing any more. */
export class Trap extends Error {
  /** Always `Trap`. */
  override name = "Trap";
  /** The export that was running, such as `proxy_on_request_headers`. */
  readonly callback: string;
  /** What happened before, in the context that it was running for. */
  readonly trace: Trace;

  constructor(message: string, callback: string, trace: Trace, options?: ErrorOptions) {
    super(message, options);
    this.callback = callback;
    this.trace = trace;
  }
}
