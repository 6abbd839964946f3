// Where `serve` sends what the filter lets through: a real server, or one built in that says hello.

import { type IncomingMessage, type OutgoingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

import type { Body } from "./body.ts";
import { responseHeaders } from "./connection.ts";
import { type HeaderEntry, HeaderMap } from "./header-map.ts";
import type { HttpStream, Peer } from "./http-stream.ts";
import type { FlowControl } from "./valve.ts";

/** Does something with a stream; what goes wrong in it ends the stream and not the server. */
export type Feed = (action: (stream: HttpStream) => void) => void;

/** Makes the peer that receives the request of a stream, and feeds the response back. */
export type UpstreamConnector = (feed: Feed, source: FlowControl) => Peer;

/** The upstream that answers "Hello, world!" to everything. */
export const hello: UpstreamConnector = (feed) => {
  const text = Buffer.from("Hello, world!");
  const entries: HeaderEntry[] = [
    ["content-type", "text/plain"],
    ["content-length", String(text.length)],
  ];
  // An upstream never answers while the request is still being handed over.
  const answer = (): void => {
    setImmediate(() =>
      feed((stream) => {
        stream.responseHeaders(responseHeaders(200, entries, stream.profile.addsEnvoyHeaders ? 0 : undefined), false);
        stream.responseData(text, true);
      }),
    );
  };
  return {
    headers: (_headers, endOfStream) => endOfStream && answer(),
    data: (_data, endOfStream) => endOfStream && answer(),
    trailers: answer,
    reset: () => {},
  };
};

/** The server at this URL. Its path is put in front of the request's. */
export function connectTo(url: URL): UpstreamConnector {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const prefix = url.pathname.replace(/\/$/, "");
  return (feed, source) => {
    const started = performance.now();
    let request: ReturnType<typeof httpRequest> | undefined;
    let response: IncomingMessage | undefined;
    const fail = (error: NodeJS.ErrnoException): void => {
      const refused = /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)$/.test(error.code ?? "");
      feed((stream) => stream.upstreamReset(refused ? "remote connection failure" : "connection termination"));
    };
    return {
      headers(headers, endOfStream) {
        request = send(url, {
          method: headers.get(":method") ?? "GET",
          path: prefix + (headers.get(":path") ?? "/"),
          headers: requestLines(headers, endOfStream),
          setHost: false,
        } as Parameters<typeof httpRequest>[1] & object);
        request.on("error", fail);
        request.on("drain", () => source.resume());
        request.on("response", (incoming) => {
          response = incoming;
          receive(feed, incoming, headers.get(":method") === "HEAD", started);
        });
        if (endOfStream) request.end();
        else sendHead(request);
      },
      data(data: Body, endOfStream) {
        if (data.length && !request?.write(data.bytes())) source.pause();
        if (endOfStream) request?.end();
      },
      trailers(trailers) {
        request?.addTrailers(trailers.entries.map(([name, value]): [string, string] => [name, value]));
        request?.end();
      },
      reset() {
        request?.off("error", fail).on("error", () => {});
        request?.destroy();
      },
      watermark(above) {
        if (above) response?.pause();
        else response?.resume();
      },
    };
  };
}

/** Feeds a response into its stream as it arrives. */
function receive(feed: Feed, incoming: IncomingMessage, isHead: boolean, started: number): void {
  const status = incoming.statusCode ?? 502;
  const entries = pairs(incoming.rawHeaders);
  const length = entries.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  const empty = isHead || status === 204 || status === 304 || length === "0";
  const time = Math.round(performance.now() - started);
  feed((stream) => {
    const saysTime = stream.profile.addsEnvoyHeaders && stream.request.complete;
    stream.responseHeaders(responseHeaders(status, entries, saysTime ? time : undefined), empty);
  });
  incoming.on("data", (chunk: Buffer) => !empty && feed((stream) => stream.responseData(chunk, false)));
  incoming.on("end", () => {
    if (empty) return;
    const trailers = pairs(incoming.rawTrailers);
    feed((stream) => {
      if (trailers.length) stream.responseTrailers(new HeaderMap("trailers", trailers));
      else stream.responseData(new Uint8Array(), true);
    });
  });
  incoming.on("error", () => feed((stream) => stream.upstreamReset("connection termination")));
}

/** Sends the head now. Unlike `flushHeaders`, which writes it as UTF-8, this keeps its bytes. */
export function sendHead(message: OutgoingMessage): void {
  message.write(new Uint8Array());
}

/** Node's flat list of names and values, as entries. Both are ByteStrings. */
export function pairs(raw: readonly string[]): HeaderEntry[] {
  const entries: HeaderEntry[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) entries.push([raw[i]!, raw[i + 1]!]);
  return entries;
}

function requestLines(headers: HeaderMap, endOfStream: boolean): string[] {
  const lines = ["host", headers.get(":authority") ?? ""];
  for (const [name, value] of headers.entries) if (!name.startsWith(":")) lines.push(name, value);
  // Node does so by itself, but not for methods that seldom have a body, which would then go out without an end.
  if (!endOfStream && headers.get("content-length") === undefined) lines.push("transfer-encoding", "chunked");
  return lines;
}
