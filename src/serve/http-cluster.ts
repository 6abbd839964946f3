// A real server that filters call over HTTP/1.1.

import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

import { encodeText } from "../encoding/bytes.ts";
import type { CalloutRequest, CalloutUpstream } from "../callouts/callouts.ts";
import type { HeadersInit } from "../http/http-headers.ts";
import { UpstreamError, type UpstreamResponse } from "../callouts/upstream.ts";
import { pathPrefix } from "./address.ts";
import { asBytes, pairs } from "./node-headers.ts";
import { failureOf, type OnFailure } from "./upstreams.ts";

/** Answers callouts from the server at this URL. Its path is put in front of the callout's. */
export function httpCluster(url: URL, onFailure: OnFailure): CalloutUpstream {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return (callout) =>
    new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        // Nobody waits any more: that is no failure of the server's.
        if (!callout.signal.aborted) onFailure(error);
        reject(new UpstreamError(failureOf(error)));
      };
      const request = send(url, {
        method: callout.method,
        path: pathPrefix(url) + callout.path,
        headers: requestLines(callout),
        setHost: false,
        signal: callout.signal,
      } as Parameters<typeof httpRequest>[1] & object);
      request.on("error", fail);
      request.on("response", (response) => resolve(answer(response, fail)));
      request.end(callout.body);
    });
}

function answer(response: IncomingMessage, fail: (error: NodeJS.ErrnoException) => void): UpstreamResponse {
  let trailers: HeadersInit | undefined;
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response) yield chunk as Buffer;
      if (response.rawTrailers.length) trailers = asBytes(pairs(response.rawTrailers));
    } catch (error) {
      fail(error as NodeJS.ErrnoException);
      throw new UpstreamError("connection termination");
    }
  }
  return {
    status: response.statusCode ?? 502,
    headers: asBytes(pairs(response.rawHeaders)),
    body: body(),
    // Known when the body has been read, which comes first.
    get trailers() {
      return trailers!;
    },
  };
}

function requestLines({ headers, authority }: CalloutRequest): string[] {
  const lines = ["host", encodeText(authority)];
  for (const [name, value] of headers) if (!name.startsWith(":")) lines.push(name, encodeText(value));
  return lines;
}
