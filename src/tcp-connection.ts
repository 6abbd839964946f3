// A TCP connection one event at a time: the test is the client and the upstream, and decides what arrives when.

import { PeerType } from "../assembly/abi.ts";
import { toBytes, toText } from "./encoding/bytes.ts";
import type { LoggedStream } from "./contexts/context.ts";
import { StreamError } from "./error.ts";
import type { Filter } from "./filter.ts";
import type { PropertyOptions } from "./properties/property-options.ts";
import { Step } from "./step.ts";
import type { TcpPeer, TcpStream } from "./streams/tcp-stream.ts";
import type { LogEntry, Trace } from "./trace.ts";

/** What one end of a connection has received. */
export interface Received {
  /** All bytes so far. */
  readonly bytes: Uint8Array;
  /** The bytes as text. */
  readonly text: string;
  /** Whether the other side sends no more. */
  readonly ended: boolean;
  /** Whether the connection to this end is closed. */
  readonly closed: boolean;
}

/** One TCP connection through a filter, driven event by event. */
export class TcpConnection {
  /** Everything that happened on this connection. */
  readonly trace: Trace;
  readonly #client = new Receiver();
  readonly #server = new Receiver();
  readonly #stream: TcpStream;

  /** @internal */
  constructor(filter: Filter, properties?: PropertyOptions) {
    this.trace = filter.newTrace();
    this.#stream = filter.openConnection({
      downstream: this.#client,
      upstream: this.#server,
      trace: this.trace,
      ...(properties && { properties }),
    });
  }

  /** The client connects. Unless the filter holds the connection, the upstream is connected as well. */
  connect(): Step {
    return this.#step("downstream", () => this.#stream.connect());
  }

  /** Bytes arrive from the client. They are read only when the upstream is connected. */
  downstreamData(bytes: string | Uint8Array, options: { endStream?: boolean } = {}): Step {
    return this.#step("downstream", () => this.#stream.downstreamData(toBytes(bytes), options.endStream ?? false));
  }

  /** Bytes arrive from the upstream. */
  upstreamData(bytes: string | Uint8Array, options: { endStream?: boolean } = {}): Step {
    this.#needsUpstream();
    return this.#step("upstream", () => this.#stream.upstreamData(toBytes(bytes), options.endStream ?? false));
  }

  /**
   * The client's connection is closed at once: reset by the client (`PeerType.Remote`), or closed by the proxy for a
   * reason of its own, such as an idle time-out or an upstream that cannot be reached (`PeerType.Local`). A client that
   * merely sends no more does `downstreamData("", { endStream: true })`.
   */
  downstreamClose(peer: PeerType = PeerType.Remote): Step {
    return this.#step("downstream", () => this.#stream.close(peer));
  }

  /**
   * The upstream's connection is closed at once, reset for example. Envoy tells the filter nothing of it, and closes the
   * client's connection. An upstream that has sent everything does `upstreamData("", { endStream: true })`.
   */
  upstreamClose(): Step {
    this.#needsUpstream();
    return this.#step("upstream", () => this.#stream.close(PeerType.Local));
  }

  /** The host calls the filter in the name of this connection; see `FilterStream.foreignFunction`. */
  foreignFunction(functionId: number, argument: string | Uint8Array = ""): Step {
    return this.#step("downstream", () => this.#stream.foreignFunction(functionId, toBytes(argument)));
  }

  /** Whether the client's connection is closed. */
  get closed(): boolean {
    return this.#stream.closed;
  }

  /** Whether the upstream has been connected. */
  get connected(): boolean {
    return this.#stream.connected;
  }

  /** Which directions the filter holds back. */
  get paused(): {
    /** Bytes from the client. */
    readonly downstream: boolean;
    /** Bytes from the upstream. */
    readonly upstream: boolean;
  } {
    return { downstream: this.#stream.holds("downstream"), upstream: this.#stream.holds("upstream") };
  }

  /** What has reached the client so far. */
  get downstream(): Received {
    return this.#client.received();
  }

  /** What has reached the upstream so far. */
  get upstream(): Received {
    return this.#server.received();
  }

  /** What an access logger sees. @internal */
  get finished(): LoggedStream {
    return this.#stream;
  }

  /** The lines that the filter logged on this connection. */
  get logs(): readonly LogEntry[] {
    return this.trace.logs;
  }

  #needsUpstream(): void {
    if (this.#stream.connected) return;
    throw new StreamError(
      `the upstream is not connected: ${this.#stream.closed ? "the connection is closed" : "connect() comes first, and the filter must not hold it"}`,
    );
  }

  #step(which: "downstream" | "upstream", run: () => void): Step {
    const before = this.trace.count;
    run();
    return new Step(this.#stream.holds(which), this.trace, before);
  }
}

class Receiver implements TcpPeer {
  #bytes = new Uint8Array();
  #ended = false;
  #closed = false;

  data(bytes: Uint8Array, endOfStream: boolean): void {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
    this.#ended ||= endOfStream;
  }

  close(): void {
    this.#closed = true;
  }

  received(): Received {
    return { bytes: this.#bytes, text: toText(this.#bytes), ended: this.#ended, closed: this.#closed };
  }
}
