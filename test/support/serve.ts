// Serves a filter for a test, in this process: real HTTP on loopback, everything closed when the test is over.

import { createServer as createHttp1, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";

import { type FilterChain, type FilterOptions, loadFilter, SystemClock } from "../../src/index.ts";
import { connectTo } from "../../src/serve/connect.ts";
import type { Exchange } from "../../src/serve/observer.ts";
import { type RunningServer, serve, type ServeOptions } from "../../src/serve/server.ts";

const closers: (() => unknown)[] = [];

/** Closes what was opened: for `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Has something closed at the end. */
export function closeLater(close: () => unknown): void {
  closers.push(close);
}

/** Listens on a port of the loopback address that is free, and gives it. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

/** An upstream that speaks HTTP/1.1. */
export async function startUpstream(listener: RequestListener): Promise<URL> {
  const server = createHttp1(listener);
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${port}`);
}

/** A server with what it has told. */
export interface Started extends RunningServer {
  readonly port: number;
  readonly exchanges: Exchange[];
  readonly errors: Error[];
}

/** Serves a module, or filters. */
export async function start(
  module: Uint8Array | FilterChain,
  upstream?: URL,
  options: FilterOptions & Partial<ServeOptions> = {},
): Promise<Started> {
  const filters =
    module instanceof Uint8Array ? await loadFilter(module, { clock: new SystemClock(), ...options }) : module;
  const exchanges: Exchange[] = [];
  const errors: Error[] = [];
  const server = await serve(filters, {
    port: 0,
    ...(upstream && { upstream: connectTo(upstream) }),
    ...(options.observe && { observe: options.observe }),
    onExchange: (exchange) => void exchanges.push(exchange),
    onError: (error) => void errors.push(error),
  });
  closers.push(async () => {
    server.destroy();
    await server.close();
  });
  return Object.assign(server, { port: Number(new URL(server.url).port), exchanges, errors });
}

/** Sends text by hand and gives what comes back, byte for byte, until the server closes. */
export function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let answer = "";
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}
