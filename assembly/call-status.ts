// What the proxy says of the callout whose callback is running.

import { Status } from "./abi";
import { proxy_get_status } from "./env";
import { answerData, answerSize, answerText, beginCall, reserve } from "./memory";
import { checked, DONE } from "./status";

/** The status of a callout. */
export class CallStatus {
  constructor(
    /** A gRPC status code; for an HTTP callout 0, or 11 (`BrokenConnection`) when the connection broke. */
    readonly code: u32,
    /** The message that came with it; `""` when there is none. */
    readonly message: string,
  ) {}
}

/**
 * The status of the callout whose callback is running; `null` when the host does not say. Envoy keeps the code of an
 * earlier failure: it means something only where a call has failed. ngx_wasm_module has the call and stops the filter.
 * Source: proxy-wasm/spec v0.2.1, `proxy_get_status`; a running Envoy 1.40.
 */
export function callStatus(): CallStatus | null {
  beginCall();
  const code = reserve(sizeof<u32>());
  const status = proxy_get_status(code, answerData, answerSize);
  checked(changetype<usize>("proxy_get_status"), status, DONE, memory.data(4));
  return status == Status.Ok ? new CallStatus(load<u32>(code), answerText()) : null;
}
