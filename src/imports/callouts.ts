// HTTP callouts, and how the last callout failed.

import type { Family } from "./families.ts";
import { isRefusal } from "./families.ts";
import { beyond } from "../limits.ts";
import { decodePairs } from "../encoding/pairs.ts";

export const calloutCalls: Family = ({ vm, host: { limits } }) => ({
  proxy_http_call(
    cluster: number,
    clusterSize: number,
    headers: number,
    headersSize: number,
    body: number,
    bodySize: number,
    trailers: number,
    trailersSize: number,
    timeoutMs: number,
    returnCall: number,
  ) {
    const { memory } = vm;
    if (!memory.has(cluster, clusterSize)) return memory.outside("the cluster", cluster, clusterSize);
    if (!memory.has(headers, headersSize)) return memory.outside("the headers", headers, headersSize);
    if (!memory.has(body, bodySize)) return memory.outside("the body", body, bodySize);
    // Envoy checks the trailers, and does not send them.
    if (!memory.has(trailers, trailersSize)) return memory.outside("the trailers", trailers, trailersSize);
    const given = clusterSize + bodySize;
    if (given > limits.calloutRequestBytes) {
      return beyond("calloutRequestBytes", "the bytes of the callout", given, limits);
    }
    const wrong = memory.writeNumber(returnCall, 0);
    if (wrong) return wrong;
    const caller = vm.context!;
    const callout = caller.root.inbox.httpCall(
      {
        cluster: memory.text(cluster, clusterSize),
        headers: decodePairs(memory.view(headers, headersSize), limits),
        body: memory.copy(body, bodySize),
        timeoutMs: timeoutMs | 0,
      },
      caller,
    );
    return isRefusal(callout) ? callout : memory.writeNumber(returnCall, callout.id);
  },

  proxy_get_status(returnCode: number, returnMessage: number, returnMessageSize: number) {
    const { statusCode, statusMessage } = vm.context!.root.inbox;
    return (
      vm.memory.writeNumber(returnCode, statusCode) ?? vm.memory.give(statusMessage, returnMessage, returnMessageSize)
    );
  },
});
