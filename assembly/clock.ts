// The proxy's clock.

import { proxy_get_current_time_nanoseconds } from "./env";
import { answerData, beginCall } from "./memory";

/** Nanoseconds since the Unix epoch, by the proxy's wall clock; 0 when the host does not say. */
export function currentTimeNanoseconds(): u64 {
  beginCall();
  proxy_get_current_time_nanoseconds(answerData);
  return load<u64>(answerData);
}
