// A real server that filters call over HTTP/2 without TLS.

import { constants, type IncomingHttpHeaders } from "node:http2";

import { encodeText } from "../encoding/bytes.ts";
import type { CalloutUpstream } from "../callouts/callouts.ts";
import { HeaderMap } from "../http/header-map.ts";
import type { HeadersInit } from "../http/http-headers.ts";
import { UpstreamError } from "../callouts/upstream.ts";
import { pathPrefix } from "./address.ts";
import { followAnswer, type Http2Sessions } from "./http2-sessions.ts";
import { asBytes, outgoing, pairs, pairsOfFields } from "./node-headers.ts";
import { failureOf, type OnFailure } from "./upstreams.ts";

/** Answers callouts from the server at this URL. Its path is put in front of the callout's. */
export function http2Cluster(url: URL, sessions: Http2Sessions, onFailure: OnFailure): CalloutUpstream {
  return (callout) =>
    new Promise((resolve, reject) => {
      const entries = [...callout.headers].map(([name, value]) => [name, encodeText(value)] as const);
      const path = pathPrefix(url) + callout.path;
      const head = { ...outgoing(new HeaderMap("request", entries)), ":path": path };
      const stream = sessions.to(url).request(head, { endStream: !callout.body.length });
      callout.signal.addEventListener("abort", () => stream.close(constants.NGHTTP2_CANCEL));
      const isWhole = followAnswer(stream, (error) => {
        if (!callout.signal.aborted) onFailure(error);
        reject(new UpstreamError(failureOf(error)));
      });
      let trailers: HeadersInit | undefined;
      stream.on("trailers", (...args: unknown[]) => (trailers = asBytes(pairs(args[2] as string[]))));
      stream.on("response", (answer: IncomingHttpHeaders & { ":status"?: number }, ...rest: unknown[]) => {
        resolve({
          status: Number(answer[":status"]),
          headers: asBytes(pairsOfFields(rest[1] as string[])),
          body: bodyOf(stream, isWhole),
          // Known when the body has been read, which comes first.
          get trailers() {
            return trailers!;
          },
        });
      });
      if (callout.body.length) stream.end(callout.body);
    });
}

async function* bodyOf(stream: AsyncIterable<Buffer>, isWhole: () => boolean): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw new UpstreamError(failureOf(error as NodeJS.ErrnoException));
  }
  if (!isWhole()) throw new UpstreamError("remote reset");
}
