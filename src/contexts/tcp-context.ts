// A filter's context for one TCP connection: which data it can reach when, and what its answers mean.
// Source: Envoy source/extensions/common/wasm/context.cc, proxy-wasm-cpp-host src/context.cc; corrections from a running
// Envoy 1.40.

import { Action, BufferType, type MapType, PeerType, Status } from "../../assembly/abi.ts";
import type { Body } from "../http/body.ts";
import type { ByteString } from "../encoding/bytes.ts";
import { type Buffer, HostContext, mapNames } from "./context.ts";
import { Refusal } from "../error.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { property } from "../properties/properties.ts";
import type { PropertyValue } from "../properties/property-value.ts";
import type { RootContext } from "./root-context.ts";
import type { ConnectionFilter, TcpStream } from "../streams/tcp-stream.ts";
import type { Trace } from "../trace.ts";

/** A filter in the chain of a connection, played by a context of a VM. */
export class TcpContext extends HostContext implements ConnectionFilter {
  readonly root: RootContext;
  readonly trace: Trace;
  readonly #stream: TcpStream;
  /** What came last from each side, while its callback runs and while it is held. */
  #downstream: Body | undefined;
  #upstream: Body | undefined;
  #created = false;

  constructor(root: RootContext, stream: TcpStream, trace: Trace) {
    super(root.plugin, root.vm);
    this.root = root;
    root.retain();
    this.#stream = stream;
    this.trace = trace;
  }

  newConnection(): Action {
    this.vm.call("proxy_on_context_create", this, [this.id, this.root.id]);
    this.#created = true;
    return this.#call("proxy_on_new_connection", [this.id]);
  }

  downstreamData(data: Body, endOfStream: boolean): Action {
    this.#downstream = data;
    const action = this.#call("proxy_on_downstream_data", [this.id, data.length, endOfStream ? 1 : 0]);
    if (action === Action.Continue) this.#downstream = undefined;
    return action;
  }

  upstreamData(data: Body, endOfStream: boolean): Action {
    this.#upstream = data;
    const action = this.#call("proxy_on_upstream_data", [this.id, data.length, endOfStream ? 1 : 0]);
    if (action === Action.Continue) this.#upstream = undefined;
    // Envoy calls it here and not when the upstream's connection is closed.
    if (endOfStream) this.vm.call("proxy_on_upstream_connection_close", this, [this.id, PeerType.Unknown]);
    return action;
  }

  closed(peer: PeerType): void {
    if (this.#created) {
      this.vm.call("proxy_on_downstream_connection_close", this, [this.id, peer]);
      for (const name of ["proxy_on_done", "proxy_on_log", "proxy_on_delete"]) this.vm.call(name, this, [this.id]);
    }
    this.vm.contexts.delete(this.id);
    this.root.release();
  }

  /** Runs a callback; when the VM has failed, the connection goes on unfiltered or is closed. */
  #call(name: string, args: number[]): Action {
    const answer = this.vm.call(name, this, args);
    if (!this.vm.failed) return answer ? Action.Pause : Action.Continue;
    if (this.plugin.options.failurePolicy === "fail_open") return Action.Continue;
    this.#stream.close(PeerType.Local);
    return Action.Pause;
  }

  override foreignFunction(functionId: number, argument: Uint8Array): void {
    if (this.#created) super.foreignFunction(functionId, argument);
  }

  override headerMap(type: MapType, _toChange: boolean): Refusal | HeaderMap {
    return new Refusal(Status.BadArgument, `${mapNames[type]} cannot be used here: a TCP connection has no headers`);
  }

  override buffer(type: BufferType): Buffer | Refusal {
    if (type === BufferType.DownstreamData) return this.#downstream ?? new Uint8Array();
    if (type === BufferType.UpstreamData) return this.#upstream ?? new Uint8Array();
    return super.buffer(type);
  }

  override property(path: readonly ByteString[]): PropertyValue | Refusal {
    const { logged: stream, given } = this.#stream;
    return property(path, { plugin: this.plugin.options, given, stream });
  }

  override setProperty(name: ByteString, value: ByteString): Refusal | undefined {
    return this.#stream.info.filterState.setProperty(name, value, this.isReadOnly(name));
  }

  override setFilterState(name: string, value: string): Refusal | undefined {
    return this.#stream.info.filterState.set(name, value);
  }

  override continueReading(): void {
    this.vm.afterCall(() => this.#stream.continueReading(this));
  }

  override closeConnection(): void {
    this.vm.afterCall(() => this.#stream.close(PeerType.Local));
  }
}
