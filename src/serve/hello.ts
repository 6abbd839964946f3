// The upstream that is built in.

import { responseHeaders } from "../http/connection.ts";
import type { HeaderEntry } from "../http/header-map.ts";
import type { UpstreamConnector } from "./upstreams.ts";

/** Answers "Hello, world!" to everything. */
export const hello: UpstreamConnector = (feed) => {
  const text = Buffer.from("Hello, world!");
  const entries: HeaderEntry[] = [
    ["content-length", String(text.length)],
    ["content-type", "text/plain"],
  ];
  // An upstream never answers while the request is still being handed over.
  const answer = (): void => {
    setImmediate(() =>
      feed((stream) => {
        stream.responseHeaders(
          responseHeaders(200, entries, undefined, stream.upstreamProtocol, stream.profile),
          false,
        );
        stream.responseData(text, true);
      }),
    );
  };
  return {
    // Whoever asks for another protocol waits for the answer before it sends anything.
    headers: (headers, endOfStream) => (endOfStream || headers.get("upgrade") !== undefined) && answer(),
    data: (_data, endOfStream) => endOfStream && answer(),
    trailers: answer,
    reset: () => {},
  };
};
