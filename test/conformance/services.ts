// What filters call in scenarios: the cluster `web` answers by the path, `grpc` by the method. `dead` takes no connection,
// `nohost` has no endpoint, `full` takes no request.

import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

import type { HeaderEntry } from "../../src/http/header-map.ts";
import {
  type HttpHeaders,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
  type VirtualClock,
} from "../../src/index.ts";
import { GAP, type Response } from "./scenario.ts";
import { parse, serialize } from "./wire.ts";

/** The answers of `web`, by path. A path that is not here never gets one; `/echo` gets its own request as the body. */
const web: Readonly<Record<string, Response>> = {
  "/ok": { headers: [["x-from", "web"]], body: "ok" },
  "/empty": {},
  "/503": { status: 503, body: "busy" },
  "/trailers": { headers: [["x-from", "web"]], body: ["o", "k"], trailers: [["x-t", "1"]] },
  "/twice": {
    headers: ["accept", "vary", "etag", "server", "date", "set-cookie", "x-a", "grpc-status"].flatMap(
      (name): HeaderEntry[] => [
        [name, "1"],
        [name, "2"],
      ],
    ),
    body: ["ok"],
    trailers: [
      ["grpc-status", "1"],
      ["grpc-status", "2"],
      ["vary", "1"],
      ["vary", "2"],
    ],
  },
  "/many": { headers: Array.from({ length: 101 }, (_, i): HeaderEntry => [`x-a${i}`, "v"]), body: ["ok"] },
  "/many-trailers": { body: ["ok"], trailers: Array.from({ length: 101 }, (_, i): HeaderEntry => [`x-a${i}`, "v"]) },
  "/bad": { headers: [["x y", "1"]], body: "ok" },
  "/199": { status: 199, body: "ok" },
  "/big": { body: "x".repeat(200_000) },
  "/drop": { fails: "before the head" },
  "/break": { body: ["abc", "def"], fails: "after the body" },
  "/soon": { body: "soon", after: 70 },
  "/late": { body: "late", after: 150 },
  "/last": { body: "last", after: 240 },
};

/** The servers behind the clusters, and the ports they listen on. */
export class Services {
  readonly #servers: (Server | Http2Server)[] = [];
  readonly #sockets = new Set<Socket>();

  async start(): Promise<{ name: string; port: number; http2?: boolean; full?: boolean }[]> {
    const [webPort, grpcPort, deadPort] = await Promise.all([
      this.#listen(createServer((socket) => serveWeb(socket))),
      this.#listen(createHttp2({ maxSendHeaderBlockLength: 1_000_000 }).on("stream", serveGrpc)),
      this.#listen(createServer()),
    ]);
    this.#servers.pop()!.close();
    return [
      { name: "web", port: webPort! },
      { name: "grpc", port: grpcPort!, http2: true },
      { name: "dead", port: deadPort! },
      { name: "nohost", port: 0 },
      { name: "full", port: webPort!, full: true },
    ];
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  async #listen(server: Server | Http2Server): Promise<number> {
    this.#servers.push(server);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket.on("close", () => this.#sockets.delete(socket)));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return (server.address() as AddressInfo).port;
  }
}

/** The same services for our host, which asks functions. */
export function hostServices(clock: VirtualClock): object {
  return {
    upstreams: { web: webFor(clock), dead: refuse, nohost: null, full: null },
    grpc: { grpc, dead: refuse, nohost: null },
  };
}

function webFor(clock: VirtualClock) {
  return async ({ method, path, authority, headers, text }: UpstreamRequest): Promise<UpstreamResponse | null> => {
    if (path === "/echo") {
      const lines = headers.entries().flatMap(([name, value]) => (name.startsWith(":") ? [] : [`${name}: ${value}`]));
      return { body: echo([`${method} ${path} HTTP/1.1`, ...[...lines, `host: ${authority}`].sort()], text()) };
    }
    const response = web[path];
    if (!response) return null;
    const { fails, after = 0, body, headers: own = [], ...rest } = response;
    if (fails === "before the head") throw new UpstreamError("connection termination");
    await new Promise<void>((done) => clock.after(after, done));
    const pieces = typeof body === "object" ? body : [body ?? ""];
    const framing: HeaderEntry[] = typeof body === "object" ? [["transfer-encoding", "chunked"]] : [];
    return { ...rest, headers: [...own, ...framing], body: fails ? breakOff(pieces) : pieces };
  };
}

async function* breakOff(pieces: readonly string[]): AsyncGenerator<string> {
  for (const piece of pieces) yield await Promise.resolve(piece);
  throw new UpstreamError("protocol error");
}

function refuse(): never {
  throw new UpstreamError("remote connection failure");
}

/** What our host offers to a function that answers gRPC. */
interface GrpcCall {
  readonly method: string;
  readonly metadata: HttpHeaders;
  readonly state: string;
  text(): string;
  onEnd(listener: () => void): void;
  start(metadata: Record<string, string>): void;
  send(message: string): void;
  end(answer: object): void;
  fail(reason: string): void;
}

function grpc(call: GrpcCall): void {
  const end = (messages: readonly string[], status: number): void => {
    call.start({ "x-from": "grpc", date: new Date(0).toUTCString() });
    for (const message of messages) call.send(message);
    call.end({ status, statusMessage: "100%", trailers: { "x-t": "1" } });
  };
  call.onEnd(() => {
    if (call.method === "Echo") end([`${call.text()}|${call.metadata.get("x-md")}`], 0);
    if (call.method === "Two") end(["one", "two"], 0);
    if (call.method === "Fail") end([], 7);
    if (call.method === "Drop") call.fail("remote reset");
    const much = tooMuch[call.method];
    if (!much) return;
    call.start({ "x-from": "grpc", date: new Date(0).toUTCString(), ...much.head });
    // Too much of it has broken the call off.
    if (call.state !== "open") return;
    call.send("one");
    call.end({ trailers: much.trailers });
  });
}

const manyHeaders = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-a${i}`, "v"]));
const largeHeader = { "x-a": "v".repeat(61 * 1024) };

/** The methods of `grpc` whose answers have more metadata than Envoy takes. */
const tooMuch: Readonly<Record<string, { head: Record<string, string>; trailers: Record<string, string> }>> = {
  Many: { head: manyHeaders, trailers: {} },
  ManyTrailers: { head: {}, trailers: manyHeaders },
  Large: { head: largeHeader, trailers: {} },
  LargeTrailers: { head: {}, trailers: largeHeader },
};

/** What `/echo` answers: the head, and the body. */
function echo(head: readonly string[], body: string): string {
  return [...head, body].join(" | ");
}

function serveWeb(socket: Socket): void {
  let bytes = "";
  socket.setEncoding("latin1").on("error", () => {});
  socket.on("data", (chunk) => {
    bytes += String(chunk);
    const next = parse(bytes, { closed: false });
    if (next?.message.end !== "complete") return;
    bytes = bytes.slice(next.length);
    const { head, body = "" } = next.message;
    const path = head[0]!.split(" ")[1]!;
    const response = path === "/echo" ? { body: echo(head, body) } : web[path];
    if (!response) return;
    const { status = 200, headers = [], body: content = "", trailers, fails, after = 0 } = response;
    if (fails === "before the head") return void socket.destroy();
    const pieces = serialize(`HTTP/1.1 ${status} OK`, headers, content, trailers);
    if (fails) pieces.pop();
    for (const [i, piece] of pieces.entries())
      setTimeout(() => socket.writable && socket.write(piece, "latin1"), after + GAP * i);
    if (fails) setTimeout(() => socket.destroy(), GAP * pieces.length);
  });
}

/** A gRPC message with its five bytes in front. */
function frame(text: string): Buffer {
  const bytes = Buffer.alloc(5 + text.length);
  bytes.writeUInt32BE(text.length, 1);
  bytes.write(text, 5, "latin1");
  return bytes;
}

/** The methods of `grpc`: Echo, Two, Fail, Drop; any other never answers. */
function serveGrpc(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  const method = String(headers[":path"]).split("/").at(-1);
  const received: Buffer[] = [];
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => received.push(chunk));
  const respond = (messages: readonly string[], status: string, head = {}, trailers = {}): void => {
    const own = { ":status": 200, "content-type": "application/grpc", "x-from": "grpc" };
    stream.respond({ ...own, ...head }, { waitForTrailers: true });
    stream.on("wantTrailers", () =>
      stream.sendTrailers({ "grpc-status": status, "grpc-message": "100%25", "x-t": "1", ...trailers }),
    );
    for (const message of messages) stream.write(frame(message));
    stream.end();
  };
  stream.on("end", () => {
    const message = Buffer.concat(received).subarray(5).toString("latin1");
    if (method === "Echo") respond([`${message}|${String(headers["x-md"])}`], "0");
    if (method === "Two") respond(["one", "two"], "0");
    if (method === "Fail") respond([], "7");
    if (method === "Drop") stream.close(2);
    const much = tooMuch[method ?? ""];
    if (much) respond(["one"], "0", much.head, much.trailers);
  });
}
