// Continue, close, answer.

import { Status, StreamType } from "../../assembly/abi.ts";
import { Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { decodePairs } from "../encoding/pairs.ts";
import { type Family, unknownValue } from "./families.ts";

export const streamCalls: Family = ({ vm, host }) => {
  const { limits } = host;
  const { title } = host.proxy.profile;
  const resumes = host.proxy.profile.resumes === "when asked";
  const hasLineFeed = host.proxy.profile.localReplies === "nginx";
  return {
    proxy_continue_stream(stream: number) {
      if (!resumes && stream > StreamType.HttpResponse) {
        return new Refusal(Status.InternalFailure, `${title} continues no stream of type ${stream}`);
      }
      if (stream > StreamType.Upstream) return unknownValue("stream type", stream, StreamType.Upstream);
      if (stream === StreamType.HttpRequest) vm.context!.continueRequest();
      if (stream === StreamType.HttpResponse) vm.context!.continueResponse();
      if (stream === StreamType.Downstream) vm.context!.continueReading();
      if (stream !== StreamType.Upstream) return undefined;
      return new Refusal(Status.Unimplemented, "Envoy cannot continue the upstream's side of a TCP stream");
    },

    proxy_close_stream(stream: number) {
      if (stream > StreamType.Upstream) return unknownValue("stream type", stream, StreamType.Upstream);
      if (stream === StreamType.HttpRequest || stream === StreamType.HttpResponse) vm.context!.closeStream();
      else vm.context!.closeConnection();
      return undefined;
    },

    proxy_continue_request() {
      vm.context!.continueRequest();
      return undefined;
    },

    proxy_continue_response() {
      vm.context!.continueResponse();
      return undefined;
    },

    proxy_clear_route_cache() {
      // There is one route here, so its cache is always clear.
      return undefined;
    },

    proxy_send_local_response(
      status: number,
      details: number,
      detailsSize: number,
      body: number,
      bodySize: number,
      headers: number,
      headersSize: number,
      grpcStatus: number,
    ) {
      const { memory } = vm;
      if (!memory.has(details, detailsSize)) return memory.outside("the details", details, detailsSize);
      if (!memory.has(body, bodySize)) return memory.outside("the body", body, bodySize);
      if (!memory.has(headers, headersSize)) return memory.outside("the headers", headers, headersSize);
      if (detailsSize + bodySize > limits.bodyBytes) {
        return beyond("bodyBytes", "the bytes of the reply's details and body", detailsSize + bodySize, limits);
      }
      const refusal = vm.context!.sendLocalReply({
        status: status & 0xffff,
        details: memory.text(details, detailsSize).replace(/[ \t-\r]/g, "_"),
        headers: decodePairs(memory.view(headers, headersSize), host.limits),
        body: hasLineFeed ? withLineFeed(memory.view(body, bodySize)) : memory.copy(body, bodySize),
        grpcStatus: grpcStatus <= 16 ? grpcStatus : undefined,
      });
      vm.stopped = !refusal;
      return refusal;
    },
  };
};

/** nginx ends a reply's body with a line feed, if there is one. */
function withLineFeed(body: Uint8Array): Uint8Array {
  if (!body.length) return new Uint8Array();
  const longer = new Uint8Array(body.length + 1);
  longer.set(body);
  longer[body.length] = 0x0a;
  return longer;
}
