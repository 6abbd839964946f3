// One TCP connection inside the proxy: what a client sends passes the filters to the upstream, what the upstream sends
// passes them in reverse order to the client. Behind the filters stands what Envoy's `tcp_proxy` does: it connects to
// the upstream, half-closes each side when the other has ended, and closes both when one is gone.
// Source: the rules, not the code, of Envoy source/common/network/filter_manager_impl.cc, connection_impl.cc,
// source/common/tcp_proxy/tcp_proxy.cc; corrections from a running Envoy 1.40.

import { Action, PeerType } from "../../assembly/abi.ts";
import { Body } from "../http/body.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { Limits } from "../limits.ts";
import type { StreamSources } from "../properties/properties.ts";
import type { GivenProperties, PropertyOptions } from "../properties/property-options.ts";
import type { StreamInfo } from "../properties/stream-info.ts";

/** A filter in the chain of a connection. */
export interface ConnectionFilter {
  /** A client has connected. */
  newConnection(): Action;
  /** Bytes from the client that have not gone on; the filter may keep the buffer in mind while it holds them. */
  downstreamData(data: Body, endOfStream: boolean): Action;
  /** Bytes from the upstream that have not gone on. */
  upstreamData(data: Body, endOfStream: boolean): Action;
  /** The client's connection is closed, and the filter's part in it over; no call of it follows. */
  closed(peer: PeerType): void;
  /** The host calls it on its own account. */
  foreignFunction?(functionId: number, argument: Uint8Array): void;
}

/** One end of the connection: receives what the proxy sends there. */
export interface TcpPeer {
  /** Bytes arrive; with `endOfStream` they are the last. */
  data(bytes: Uint8Array, endOfStream: boolean): void;
  /** The connection to this end is closed. */
  close(): void;
}

/** What a connection needs to know. */
export interface TcpStreamOptions {
  readonly downstream: TcpPeer;
  readonly upstream: TcpPeer;
  /** What the host bounds. */
  readonly limits: Limits;
  /** Knows when what arrives has been dealt with. */
  readonly dispatcher: Dispatcher;
  /** Where what happens is written down. */
  readonly info: StreamInfo;
  /** The properties that no connection tells. */
  readonly given: GivenProperties;
}

/** What only HTTP has. */
const httpOnly: PropertyOptions = {
  "request.protocol": null,
  "xds.route_name": null,
  "xds.route_metadata": null,
  "xds.virtual_host_name": null,
  "xds.virtual_host_metadata": null,
};

/** One of the two senders. */
class Sender {
  /** What was read and has not gone on. */
  readonly buffer: Body = new Body();
  /** Whether the last byte has been read. */
  ended = false;
  /** Whether its end has gone on to the other side. */
  endSent = false;
  /** Whether a filter holds what it sends. */
  held = false;
  /** What it has sent and the proxy has not read. */
  readonly #unread: Uint8Array[] = [];
  #endUnread = false;

  send(bytes: Uint8Array, endOfStream: boolean): void {
    this.#unread.push(bytes);
    this.#endUnread ||= endOfStream;
  }

  /** Reads what was sent, unless too much is held already; whether there was anything. */
  read(limit: number): boolean {
    if (this.buffer.length > limit || this.ended) return false;
    const isNews = this.#endUnread || this.#unread.some((bytes) => bytes.length);
    for (const bytes of this.#unread.splice(0)) this.buffer.append(bytes);
    this.ended = this.#endUnread;
    return isNews;
  }
}

interface Entry {
  readonly filter: ConnectionFilter;
  initialized: boolean;
}

/** A connection on its way through a chain of filters. */
export class TcpStream {
  /** Whether the client's connection is closed. */
  closed = false;
  /** What is known of it besides its bytes. */
  readonly info: StreamInfo;
  /** The properties that no connection tells. */
  readonly given: GivenProperties;
  readonly #client = new Sender();
  readonly #server = new Sender();
  readonly #entries: Entry[] = [];
  readonly #options: TcpStreamOptions;
  /** Until the upstream is connected, nothing is read from the client. */
  #connected = false;
  #busy = 0;
  #newlyConnected = false;

  /** Each maker gives a filter, in the order of the client's data, or undefined to be left out. */
  constructor(makers: readonly ((stream: TcpStream) => ConnectionFilter | undefined)[], options: TcpStreamOptions) {
    this.#options = options;
    const { info, given } = options;
    this.info = info;
    this.given = given.with(httpOnly);
    // The cluster is known when it is connected to.
    info.routed = false;
    info.transportFailure = "";
    for (const make of makers) {
      const filter = make(this);
      if (filter) this.#entries.push({ filter, initialized: false });
    }
  }

  /** Whether the upstream has been connected. */
  get connected(): boolean {
    return this.#connected;
  }

  /** What a log sees of it, and filters see at any time. */
  get logged(): StreamSources {
    const none = { details: undefined, request: undefined, response: undefined, trailers: undefined };
    return { info: this.info, ...none, phase: "a TCP connection" };
  }

  get isOver(): boolean {
    return this.closed;
  }

  /** Whether a filter holds what comes from this side. */
  holds(side: "downstream" | "upstream"): boolean {
    return !this.closed && (side === "downstream" ? this.#client : this.#server).held;
  }

  /** The client connects. */
  connect(): void {
    this.#run(() => this.#continueReading(0));
  }

  /** Bytes arrive from the client. */
  downstreamData(bytes: Uint8Array, endOfStream: boolean): void {
    this.#client.send(bytes, endOfStream);
    this.#run(() => this.#readDownstream());
  }

  /** Bytes arrive from the upstream. */
  upstreamData(bytes: Uint8Array, endOfStream: boolean): void {
    this.#server.send(bytes, endOfStream);
    this.#run(() => this.#readUpstream());
  }

  /** The client's connection is closed, by the client or by the proxy. */
  close(peer: PeerType): void {
    if (this.closed) return;
    this.closed = true;
    this.#options.downstream.close();
    if (this.#connected) this.#options.upstream.close();
    this.#run(() => {
      for (const { filter } of this.#entries.splice(0)) filter.closed(peer);
    });
  }

  /** The host calls its filters on its own account. */
  foreignFunction(functionId: number, argument: Uint8Array): void {
    this.#run(() => {
      for (const { filter } of this.#entries) filter.foreignFunction?.(functionId, argument);
    });
  }

  /** Lets the client's side go on behind this filter. */
  continueReading(filter: ConnectionFilter): void {
    this.#run(() => this.#continueReading(this.#entries.findIndex((entry) => entry.filter === filter) + 1));
  }

  /** Does something, then what had to wait until it was done. */
  #run(action: () => void): void {
    const { dispatcher } = this.#options;
    dispatcher.begin();
    try {
      this.#runNow(action);
    } finally {
      dispatcher.end();
    }
  }

  #runNow(action: () => void): void {
    this.#busy++;
    try {
      action();
    } finally {
      this.#busy--;
    }
    if (this.#busy) return;
    if (this.#newlyConnected) {
      this.#newlyConnected = false;
      this.#run(() => this.#readDownstream());
    }
    // A connection whose sides have both ended is closed, whatever a filter holds; and one side goes with the other.
    const [client, server] = [this.#client, this.#server];
    if ((client.ended && server.endSent) || (server.ended && client.endSent)) this.close(PeerType.Local);
  }

  #readDownstream(): void {
    if (this.closed || !this.#connected) return;
    const held = this.#client.buffer.length;
    if (!this.#client.read(this.#options.limits.bufferBytes)) return;
    this.info.bytesReceived += this.#client.buffer.length - held;
    this.#continueReading(0);
    if (this.#client.ended && this.#server.endSent) this.close(PeerType.Remote);
  }

  #continueReading(from: number): void {
    if (this.closed) return;
    const { buffer } = this.#client;
    this.#client.held = true;
    for (let i = from; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (!entry.initialized) {
        entry.initialized = true;
        if (entry.filter.newConnection() !== Action.Continue || this.closed) return;
      }
      if (!buffer.length && !this.#client.ended) continue;
      if (entry.filter.downstreamData(buffer, this.#client.ended) !== Action.Continue || this.closed) return;
    }
    this.#client.held = false;
    if (!this.#connected) {
      this.#connected = true;
      this.info.connect();
      this.#newlyConnected = true;
      return;
    }
    this.#pass(this.#client, this.#options.upstream);
    // Room again for what the client has sent meanwhile.
    this.#readDownstream();
  }

  #readUpstream(): void {
    // What a filter holds of it counts against no limit in Envoy.
    if (this.closed || !this.#server.read(Infinity)) return;
    this.#server.held = true;
    for (const { filter } of [...this.#entries].reverse()) {
      if (filter.upstreamData(this.#server.buffer, this.#server.ended) !== Action.Continue || this.closed) return;
    }
    this.#server.held = false;
    this.info.bytesSent += this.#server.buffer.length;
    this.#pass(this.#server, this.#options.downstream);
    this.#readUpstream();
  }

  /** Hands what a sender has sent to the other side; two ends are the end. */
  #pass(sender: Sender, to: TcpPeer): void {
    const end = sender.ended && !sender.endSent;
    const bytes = sender.buffer.bytes();
    sender.buffer.clear();
    if (!bytes.length && !end) return;
    sender.endSent ||= end;
    to.data(bytes, end);
  }
}
