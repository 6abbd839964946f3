// A real gRPC server that filters call, over HTTP/2. Source: grpc/grpc doc/PROTOCOL-HTTP2.md.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";

import { encodeText } from "../encoding/bytes.ts";
import type { GrpcCallout, GrpcUpstream } from "../callouts/grpc.ts";
import { decodePercents, grpcFrame, parseGrpcStatus } from "../callouts/grpc-message.ts";
import { HeaderMap } from "../http/header-map.ts";
import { type Http2Sessions, reasonOf } from "./http2-sessions.ts";
import { asBytes, outgoing, pairs, pairsOfFields } from "./node-headers.ts";
import { failureOf, type OnFailure } from "./upstreams.ts";

const FRAME_HEAD = 5;

/** The longest message that is taken, as of an HTTP callout's answer. */
const MOST_BYTES = 32 * 1024 * 1024;

/** Where what goes wrong stays: it runs something and lives on. */
export type Boundary = (action: () => void) => void;

/** Answers gRPC calls and streams from the server at this URL; filters hear of what it says within `boundary`. */
export function grpcCluster(
  url: URL,
  { sessions, boundary, onFailure }: { sessions: Http2Sessions; boundary: Boundary; onFailure: OnFailure },
): GrpcUpstream {
  return (call) => {
    const head = new HeaderMap(
      "request",
      [...call.metadata].map(([name, value]) => [name, encodeText(value)] as const),
    );
    const stream = sessions.to(url).request(outgoing(head), { endStream: false });
    call.signal.addEventListener("abort", () => stream.close(constants.NGHTTP2_CANCEL));
    call.onMessage((message) => stream.write(grpcFrame(message)));
    call.onEnd(() => stream.end());
    receive(call, stream, boundary, onFailure);
  };
}

/** Tells a call what the server says. */
function receive(call: GrpcCallout, stream: ClientHttp2Stream, boundary: Boundary, onFailure: OnFailure): void {
  /** Does something with a call that is open still. */
  const open = (action: () => void): void => boundary(() => call.state === "open" && action());
  const fail = (error: NodeJS.ErrnoException): void =>
    open(() => {
      onFailure(error);
      call.fail(failureOf(error));
    });
  stream.on("error", (error) => fail(reasonOf(error)));
  stream.on("response", (head: IncomingHttpHeaders & { ":status"?: number }, _flags: number, ...rest: unknown[]) =>
    open(() => {
      const entries = pairsOfFields(rest[0] as string[]);
      if (head[":status"] !== 200) call.end({ httpStatus: Number(head[":status"]) });
      // A head that is the end as well says how it went.
      else if (head["grpc-status"] !== undefined) end(call, entries);
      else call.start(asBytes(entries.filter(([name]) => name !== "content-type")));
    }),
  );
  readFrames(
    stream,
    (message) => open(() => call.send(message)),
    (why) => {
      fail(Object.assign(new Error(why), tooBad));
      stream.close(constants.NGHTTP2_CANCEL);
    },
  );
  stream.on("trailers", (...args: unknown[]) => open(() => end(call, pairs(args[2] as string[]))));
  stream.on("close", () => open(() => call.fail(stream.rstCode ? "remote reset" : "connection termination")));
}

/** Reads messages, up to the first that is not taken. */
function readFrames(
  stream: ClientHttp2Stream,
  onMessage: (message: Uint8Array) => void,
  refuse: (why: string) => void,
): void {
  // Joined when a message is whole, and not for every piece of it.
  let pieces: Buffer[] = [];
  let [held, wanted] = [0, FRAME_HEAD];
  const join = (): Buffer => {
    if (pieces.length > 1) pieces = [Buffer.concat(pieces)];
    return pieces[0]!;
  };
  const read = (chunk: Buffer): void => {
    pieces.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = join();
      const size = bytes.readUInt32BE(1);
      if (bytes[0] || size > MOST_BYTES) {
        stream.off("data", read).resume();
        return refuse(bytes[0] ? "a compressed message, which was not offered" : "a message too long");
      }
      wanted = FRAME_HEAD + size;
      if (held < wanted) return;
      const message = Uint8Array.from(bytes.subarray(FRAME_HEAD, wanted));
      pieces = [bytes.subarray(wanted)];
      held -= wanted;
      wanted = FRAME_HEAD;
      onMessage(message);
    }
  };
  stream.on("data", read);
}

const tooBad = { code: "ERR_HTTP2_ERROR" };

function end(call: GrpcCallout, entries: readonly (readonly [string, string])[]): void {
  const known = new Map(entries);
  const others = entries.filter(([name]) => !/^(grpc-status|grpc-message|content-type)$/.test(name));
  call.end({
    status: parseGrpcStatus(known.get("grpc-status")),
    statusMessage: decodePercents(known.get("grpc-message") ?? ""),
    trailers: asBytes(others),
  });
}
