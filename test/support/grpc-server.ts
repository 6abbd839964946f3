// A gRPC server by hand: HTTP/2, five bytes in front of each message, the status in the trailers.

import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

/** One call that has come in. */
export interface ServerCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they came. */
  readonly rawHeaders: readonly string[];
  /** The messages so far, as text. */
  readonly messages: string[];
  readonly stream: ServerHttp2Stream;
  /** Whether the client has said that it sends nothing more. */
  ended: boolean;
  /** How the stream was reset, or undefined. */
  resetCode: number | undefined;
  /** Sends the head. */
  head(headers?: Record<string, string>): void;
  send(message: string): void;
  /** Ends the call with trailers. */
  end(status: number, message?: string, trailers?: Record<string, string>): void;
}

/** What a server does with a call when it comes, and with each message of it. */
export interface ServerBehaviour {
  opened?(call: ServerCall): void;
  message(call: ServerCall, message: string): void;
}

/** A server that listens. */
export interface GrpcServer {
  readonly port: number;
  readonly calls: ServerCall[];
  close(): void;
}

/** Starts a server on a free port of the loopback address. */
export async function startGrpcServer(behaviour: ServerBehaviour): Promise<GrpcServer> {
  const server: Http2Server = createServer();
  const calls: ServerCall[] = [];
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers, _flags, rawHeaders: string[] = []) => {
    const call = newCall(stream, headers, rawHeaders);
    calls.push(call);
    behaviour.opened?.(call);
    let rest = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const size = rest.readUInt32BE(1);
        const message = rest.subarray(5, 5 + size).toString();
        rest = rest.subarray(5 + size);
        call.messages.push(message);
        behaviour.message(call, message);
      }
    });
    stream.on("end", () => (call.ended = true));
    stream.on("close", () => (call.resetCode = stream.rstCode));
    stream.on("error", () => {});
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    close: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

function newCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[]): ServerCall {
  let trailers: Record<string, string> = {};
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  const call: ServerCall = {
    path: headers[":path"] ?? "",
    headers,
    rawHeaders,
    messages: [],
    stream,
    ended: false,
    resetCode: undefined,
    head: (more = {}) => {
      if (stream.headersSent) return;
      stream.respond({ ":status": 200, "content-type": "application/grpc", ...more }, { waitForTrailers: true });
    },
    send: (message) => {
      call.head();
      const text = Buffer.from(message);
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(text.length, 1);
      stream.write(Buffer.concat([frame, text]));
    },
    end: (status, message, more = {}) => {
      call.head();
      trailers = { "grpc-status": String(status), ...(message !== undefined && { "grpc-message": message }), ...more };
      stream.end();
    },
  };
  return call;
}
