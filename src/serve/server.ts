// Filters in front of real HTTP: every request passes them on its way to the upstream and back, as it comes.

import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { FilterChain } from "../filter-chain.ts";
import type { PropertyOptions } from "../properties/property-options.ts";
import { bothServers } from "./accept.ts";
import { addressText, urlOf } from "./address.ts";
import type { Downstream } from "./downstream.ts";
import { ServedExchange } from "./exchange.ts";
import type { Exchange, ExchangeObserver } from "./observer.ts";
import { hello } from "./hello.ts";
import type { UpstreamConnector } from "./upstreams.ts";

/** How to serve. */
export interface ServeOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** The address to listen on, `127.0.0.1` by default. */
  readonly host?: string;
  /** Where requests go that the filters let through; a built-in hello by default. */
  readonly upstream?: UpstreamConnector;
  /** Gives who watches an exchange that begins, or undefined. */
  readonly observe?: () => ExchangeObserver | undefined;
  /** Hears of every exchange when it is over. */
  readonly onExchange?: (exchange: Exchange) => void;
  /** Hears of what went wrong in a way that is the filter's fault, or ours. */
  readonly onError?: (error: Error) => void;
}

/** A server that listens. */
export interface RunningServer {
  /** Its address, such as `http://localhost:8080`. */
  readonly url: string;
  /** How many exchanges are under way. */
  readonly open: number;
  /** Lets exchanges to come pass other filters; those under way finish with theirs. */
  use(filters: FilterChain): void;
  /** Stops listening, and ends when open exchanges have. */
  close(): Promise<void>;
  /** Breaks off what is under way. */
  destroy(): void;
}

/** Starts a server; rejects when it cannot listen. */
export async function serve(filters: FilterChain, options: ServeOptions): Promise<RunningServer> {
  const { upstream = hello, onExchange, onError } = options;
  let current = filters;
  let open = 0;
  let closing = false;
  const { server, goAway, destroy } = bothServers((client: Downstream) => {
    open++;
    const exchange = new ServedExchange(client, {
      upstream,
      observer: options.observe?.(),
      properties: connectionProperties(client),
      onError: (error) => onError?.(error),
      onEnd: (ended) => {
        open--;
        // The connection is kept alive for a request that nobody would take any more.
        if (closing) setImmediate(goAway);
        onExchange?.(ended);
      },
    });
    exchange.start(current);
  });
  await listen(server, options.port, options.host ?? "127.0.0.1");
  const { address, port } = server.address() as AddressInfo;
  return {
    url: urlOf(address, port),
    get open() {
      return open;
    },
    use(next) {
      current = next;
    },
    close: () =>
      new Promise((resolve) => {
        closing = true;
        server.close(() => resolve());
        goAway();
      }),
    destroy,
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      // Such as too many open files: whoever could not be accepted may try again.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** What is known of a connection; of the one to the upstream nothing is. */
function connectionProperties({ socket, protocol }: Downstream): PropertyOptions {
  let known = connectionsKnown.get(socket);
  if (!known) {
    known = Object.freeze<PropertyOptions>({
      "connection.id": connections++,
      "source.address": addressOf(socket.remoteAddress, socket.remotePort),
      "destination.address": addressOf(socket.localAddress, socket.localPort),
      "request.protocol": protocol,
      "upstream.address": null,
      "upstream.local_address": null,
    });
    connectionsKnown.set(socket, known);
  }
  return known;
}

const connectionsKnown = new WeakMap<Socket, PropertyOptions>();
let connections = 0;

function addressOf(host: string | undefined, port: number | undefined): string | null {
  return host === undefined || port === undefined ? null : addressText(host, port);
}
