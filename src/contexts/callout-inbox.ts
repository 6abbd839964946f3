// The callouts of a root context: those under way, and what it is just being told. Envoy tells the root context, whoever
// has called, and keeps the answer there: a filter reads it by whichever context it chooses.
// Source: Envoy source/extensions/common/wasm/context.cc.

import { BufferType, MapType, Status } from "../../assembly/abi.ts";
import type { ByteString } from "../encoding/bytes.ts";
import { type Callout, type CalloutAnswer, type CalloutInit, refuseCallout } from "../callouts/callouts.ts";
import type { Caller } from "../callouts/clusters.ts";
import { type HostContext, mapNames } from "./context.ts";
import { Misuse, Refusal } from "../error.ts";
import {
  type GrpcCallout,
  grpcCluster,
  type GrpcInit,
  type GrpcListener,
  noHealthyUpstream,
} from "../callouts/grpc.ts";
import { HeaderMap } from "../http/header-map.ts";
import type { Limits } from "../limits.ts";
import type { HostProfile } from "../profiles/profile.ts";

// The kinds of callouts: the low two bits of their numbers.
const HTTP_CALL = 0;
const GRPC_CALL = 1;
const GRPC_STREAM = 2;

/** What a root context holds of its callouts. */
export class CalloutInbox {
  /** How the last one failed, or 0. An HTTP callout never sets it back. */
  statusCode = 0;
  /** In words, during the callback that says so. */
  statusMessage: ByteString = "";

  readonly #root: HostContext;
  /** With the context that has sent each. */
  readonly #httpCalls = new Map<Callout, HostContext>();
  /** gRPC calls by number. A stream stays until the filter has closed it too. */
  readonly #grpcCalls = new Map<number, GrpcCallout>();
  /** The gRPC streams that the filter has closed and the server has not. */
  readonly #closedStreams = new Set<number>();
  #answer: CalloutAnswer | undefined;
  #message: Uint8Array | undefined;
  #initialMetadata: HeaderMap | undefined;
  #trailingMetadata: HeaderMap | undefined;

  constructor(root: HostContext) {
    this.#root = root;
  }

  /** Sends an HTTP callout in the name of a context. */
  httpCall(init: CalloutInit, caller: HostContext): Callout | Refusal {
    const { proxy, limits } = this.#root.plugin.host;
    const { clusters, profile } = proxy;
    const refusal = refusePhase(caller, profile) ?? refuseCallout(init, clusters.upstreams, profile);
    if (refusal) return refusal;
    const id = this.#root.vm.newCallId(HTTP_CALL);
    const callout = clusters.httpCall(id, init, callerOf(caller, limits), (answer) => {
      if (callout instanceof Refusal || !this.#httpCalls.delete(callout)) return;
      this.#soon(() =>
        this.#httpCallResponse(id, answer, profile.hostCallsBelongTo === "running" ? caller : this.#root),
      );
    });
    if (!(callout instanceof Refusal)) this.#httpCalls.set(callout, caller);
    return callout;
  }

  /** Begins a gRPC call, or a stream when it has no message, and gives its number. */
  grpcCall(init: GrpcInit, caller: HostContext): number | Refusal {
    const { proxy, limits } = this.#root.plugin.host;
    const { clusters } = proxy;
    const cluster = grpcCluster(init, clusters.grpc);
    if (cluster instanceof Refusal) return cluster;
    const isStream = init.message === undefined;
    const id = this.#root.vm.newCallId(isStream ? GRPC_STREAM : GRPC_CALL);
    const listener = this.#listen(id);
    const callout = clusters.grpcCall(id, cluster, init, callerOf(caller, limits), listener);
    if (callout instanceof Refusal) return callout;
    if (callout) {
      this.#grpcCalls.set(id, callout);
      return id;
    }
    // Envoy says so from within the call, but for the end.
    const { metadata, status, message } = noHealthyUpstream(cluster, init);
    if (isStream) {
      this.#metadata("initial", id, new HeaderMap("response"));
      this.#metadata("trailing", id, metadata);
    }
    this.#soon(() => this.#close(id, status, message));
    return new Refusal(Status.InternalFailure, `the cluster ${cluster} has no healthy host`);
  }

  /** Sends a message over a gRPC stream. */
  grpcSend(id: number, message: Uint8Array, last: boolean): Refusal | undefined {
    if (id % 4 !== GRPC_STREAM) return wrongKind(id, "a gRPC stream");
    const call = this.#grpcCalls.get(id);
    if (!call) return noSuchCall(id);
    return call.receive(message, last);
  }

  /** Ends a gRPC call. A stream that is closed still hears what the server says. */
  grpcEnd(id: number, how: "cancel" | "close"): Refusal | undefined {
    const isStream = id % 4 === GRPC_STREAM;
    if (!isStream && id % 4 !== GRPC_CALL) return wrongKind(id, "a gRPC call");
    const call = this.#grpcCalls.get(id);
    if (!call) return noSuchCall(id);
    if (isStream && how === "close" && call.state === "open") {
      this.#closedStreams.add(id);
      call.receiveEnd();
      return undefined;
    }
    this.#grpcCalls.delete(id);
    this.#closedStreams.delete(id);
    call.cancel();
    return undefined;
  }

  /** Nobody waits for the callouts of this context. */
  cancelOf(caller: HostContext): void {
    for (const [callout, its] of this.#httpCalls) {
      if (its !== caller) continue;
      this.#httpCalls.delete(callout);
      callout.cancel();
    }
  }

  /** The context has gone: nobody waits for its callouts. */
  cancel(): void {
    const calls = [...this.#httpCalls.keys(), ...this.#grpcCalls.values()];
    this.#httpCalls.clear();
    this.#grpcCalls.clear();
    this.#closedStreams.clear();
    for (const call of calls) call.cancel();
  }

  /** The header map of this type, when the running callback brings it. None of them can be changed. */
  headerMap(type: MapType, toChange: boolean): HeaderMap | Refusal {
    const name = mapNames[type];
    if (toChange) return new Refusal(Status.BadArgument, `${name} cannot be changed, nor can their size be asked for`);
    const map = this.#map(type);
    return map ?? new Refusal(Status.BadArgument, `${name} can be read in the callback that brings them only`);
  }

  #map(type: MapType): HeaderMap | undefined {
    switch (type) {
      case MapType.HttpCallResponseHeaders:
        return this.#answer?.headers;
      case MapType.HttpCallResponseTrailers:
        return this.#answer?.trailers;
      case MapType.GrpcReceiveInitialMetadata:
        return this.#initialMetadata;
      case MapType.GrpcReceiveTrailingMetadata:
        return this.#trailingMetadata;
      default:
        return undefined;
    }
  }

  /** The buffer of this type, when the running callback brings it. */
  buffer(type: BufferType): Uint8Array | undefined {
    return type === BufferType.HttpCallResponseBody ? this.#answer?.body : this.#message;
  }

  #httpCallResponse(id: number, answer: CalloutAnswer | undefined, listener: HostContext): void {
    if (!answer) this.statusCode = Status.BrokenConnection;
    this.#tell("proxy_on_http_call_response", [id, ...(answer?.sizes ?? [0, 0, 0])], listener, () => {
      this.#answer = answer;
      this.statusMessage = answer ? "" : "reset";
      return () => {
        this.#answer = undefined;
        this.statusMessage = "";
      };
    });
  }

  #listen(id: number): GrpcListener {
    const open = (action: () => void): void => this.#soon(() => this.#grpcCalls.has(id) && action());
    return {
      initialMetadata: (metadata) => open(() => this.#metadata("initial", id, metadata)),
      message: (message) => open(() => this.#receive(id, message)),
      trailingMetadata: (metadata) => open(() => this.#metadata("trailing", id, metadata)),
      close: (status, message) => open(() => this.#close(id, status, message)),
    };
  }

  #metadata(which: "initial" | "trailing", id: number, metadata: HeaderMap): void {
    const name = which === "initial" ? "#initialMetadata" : "#trailingMetadata";
    const set = (map: HeaderMap | undefined): void => {
      if (name === "#initialMetadata") this.#initialMetadata = map;
      else this.#trailingMetadata = map;
    };
    this.#tell(`proxy_on_grpc_receive_${which}_metadata`, [id, metadata.size], this.#root, () => {
      set(metadata);
      return () => set(undefined);
    });
  }

  #receive(id: number, message: Uint8Array): void {
    const forget = (): void => {
      this.#message = undefined;
      if (id % 4 === GRPC_CALL) this.#grpcCalls.delete(id);
    };
    this.#tell("proxy_on_grpc_receive", [id, message.length], this.#root, () => {
      this.#message = message;
      return forget;
    });
    forget();
  }

  #close(id: number, status: number, message: ByteString): void {
    const forget = (): void => {
      this.statusMessage = "";
      // A stream that the filter has not closed can still be closed.
      if (id % 4 === GRPC_CALL || this.#closedStreams.delete(id)) this.#grpcCalls.delete(id);
    };
    this.#tell("proxy_on_grpc_close", [id, status], this.#root, () => {
      this.statusCode = status;
      this.statusMessage = message;
      return forget;
    });
    forget();
  }

  /** Calls back with the root context's number. What is brought is gone before anything else follows. */
  #tell(callback: string, args: number[], listener: HostContext, bring: () => () => void): void {
    const { vm, id } = this.#root;
    if (vm.exports(callback) && !vm.failed) {
      const forget = bring();
      // From within a host call the actions put off are those of the callback around it.
      if (!vm.context) vm.afterCall(forget);
      listener.during("on_http_call_response", () => vm.call(callback, listener, [id, ...args]));
      forget();
    }
    if (listener !== this.#root && ![...this.#httpCalls.values()].includes(listener)) listener.calloutsDone();
  }

  /** Does something now, or after the running callback. */
  #soon(action: () => void): void {
    const { vm } = this.#root;
    if (vm.context) vm.afterCall(action);
    else action();
  }
}

/** Why this context cannot send a callout in its running callback. */
function refusePhase({ phase }: HostContext, { calloutsFrom, title }: HostProfile): Refusal | undefined {
  if (!calloutsFrom || calloutsFrom.includes(phase)) return undefined;
  return new Misuse(Status.BadArgument, `${title} sends no callout in ${phase}, only in ${calloutsFrom.join(", ")}`);
}

function callerOf(context: HostContext, limits: Limits): Caller {
  const { trace, vm, id } = context;
  return { trace, limits, lives: () => !vm.failed && vm.contexts.get(id) === context };
}

function wrongKind(id: number, kind: string): Refusal {
  return new Refusal(Status.BadArgument, `${id} is not the number of ${kind}`);
}

function noSuchCall(id: number): Refusal {
  return new Refusal(Status.NotFound, `there is no gRPC call ${id}, or it is over`);
}
