// What every context has, whatever it stands for: its id, the calls that answer later, and the end of its life.

import { Status } from "./abi";
import { callDataOf } from "./call-data";
import { calledContext, focus, sharedClass } from "./callback";
import { DnsAnswer, DnsHandler, startDns } from "./dns";
import {
  GrpcCall,
  GrpcCallHandler,
  GrpcResponse,
  GrpcStream,
  GrpcStreamHandler,
  startGrpcCall,
  startGrpcStream,
} from "./grpc";
import { countHttpCalls, HttpCall, HttpCallHandler, HttpCallResponse, startHttpCall } from "./http-call";

/** The id that the next context takes; set by the registry around an author's factory. */
let nextId: u32 = 0;

/** Says which id the next context takes. */
export function assignId(id: u32): void {
  nextId = id;
}

/** The address of the state of a stream's request, and behind it that of its response; see flow.ts. */
export function requestFlow(context: usize): usize {
  return context + offsetof<Context>("flows");
}

/** The address of the state of a stream's response. */
export function responseFlow(context: usize): usize {
  return requestFlow(context) + 1;
}

/**
 * As `focus`, of the context at this address: a managed argument would cost the caller a place on the shadow stack. A
 * shared context is reached in its own callbacks only.
 */
export function focusOn(context: usize): bool {
  return sharedClass() != 0 || focus(load<u32>(context, offsetof<Context>("ownId")));
}

/** What every context has: its id, and the end of its life. */
export abstract class Context {
  private readonly ownId: u32 = nextId;

  /** The host's number of this context; unique in the VM while the context lives. */
  get id(): u32 {
    // By address: a managed value would cost a place on the shadow stack.
    return sharedClass() ? calledContext() : load<u32>(changetype<usize>(this), offsetof<Context>("ownId"));
  }

  /** The context behind this one in the registry's table. @internal */
  private nextInRegistry: Context | null = null;

  /** What the stream's directions are doing, a byte each; see flow.ts. @internal */
  private flows: u16 = 0;

  /**
   * The stream has ended, or the plugin is being removed. Only the answer of a root context counts: `false` keeps it
   * until `done()`. A stream's state is still there in `onLog` and freed after `onDelete`.
   * Envoy calls `onLog`, `onDone`, `onDelete`, the specification `onDone`, `onLog`, `onDelete`.
   */
  onDone(): bool {
    return true;
  }

  /**
   * The stream is to be logged: Envoy's header maps can be read, not changed. A root context is called where the filter is
   * an access logger (`envoy.access_loggers.wasm`), for each stream that has ended; `request`, `response` and
   * `HeaderMap.of` mean that stream then.
   */
  onLog(): void {}

  /**
   * The host calls the filter on its own account; what it wants is an agreement between the two: `functionId` says which
   * function is meant, and `size` bytes are in `callData`. Envoy as it is released never does so, nor does a host for ABI
   * 0.1.0; ngx_wasm_module answers a `resolve_lua` in this way that it could not answer at once. An Envoy with extensions
   * of one's own may. Source: proxy-wasm/spec v0.2.1, `proxy_on_foreign_function`.
   */
  onForeignFunction(functionId: u32, size: u32): void {}

  /** The bytes that came with the running `onForeignFunction` of this context; `null` when the host has none. */
  get callData(): Uint8Array | null {
    return callDataOf(this.id);
  }

  /** The last call of this context. */
  onDelete(): void {}

  /**
   * Sends a callout. `handle` is called with this context and what came of it, which `httpCall<Auth>(call, (self,
   * response) => …)` sees as an `Auth`: the filter stops when it is none. `handle` is a plain function without variables
   * from around it; what it needs are fields of the context, or of a handler (`httpCallWith`).
   *
   * `Ok` means that `handle` will be called, unless this context goes before: not in `onLog` and later, where a root
   * context has to call. Otherwise the host has refused and `handle` is never called: `BadArgument` for a cluster that it
   * does not know, `InternalFailure` for one without a healthy host or with too many requests under way. In
   * `onConfigure` Envoy may not know its clusters yet.
   */
  httpCall<T extends Context>(call: HttpCall, handle: (self: T, response: HttpCallResponse) => void): Status {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "httpCall<" + nameof<T>() + "> was called on another class");
    return this.httpCallWith(call, new HttpCallFunction<T>(changetype<T>(this), handle));
  }

  /** As `httpCall`, with a handler of your own class instead of a function. */
  httpCallWith(call: HttpCall, handler: HttpCallHandler): Status {
    return startHttpCall(call, this.id, handler);
  }

  /**
   * Sends a gRPC request. As `httpCall`; `ParseFailure` stands for a cluster that Envoy does not know. A call whose
   * context goes is cancelled.
   */
  grpcCall<T extends Context>(call: GrpcCall, handle: (self: T, response: GrpcResponse) => void): Status {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "grpcCall<" + nameof<T>() + "> was called on another class");
    return this.grpcCallWith(call, new GrpcCallFunction<T>(changetype<T>(this), handle));
  }

  /** As `grpcCall`, with a handler of your own class instead of a function. */
  grpcCallWith(call: GrpcCall, handler: GrpcCallHandler): Status {
    return startGrpcCall(call, this.id, handler);
  }

  /**
   * Opens a gRPC stream. `Ok` means that the handler will hear of its end, unless this context goes before, which
   * cancels the stream. Otherwise the host has refused and the handler hears nothing.
   */
  grpcStream(stream: GrpcStream, handler: GrpcStreamHandler): Status {
    return startGrpcStream(stream, this.id, handler);
  }

  /**
   * Asks the proxy what a name stands for: `this.resolveDns<Plugin>("db.internal", (self, answer) => …)`. `handle` is as
   * for `httpCall`. `Ok` says that it will be called, unless this context goes before; Envoy refuses no name, so one that
   * is none gives an answer that has `failed`.
   *
   * Envoy only: other hosts do not load a filter that uses it. It asks the resolver of its machine, in every VM that asks,
   * for IPv6 addresses and, when there are none, for IPv4 ones. What it need not ask for (addresses, `localhost`) is
   * answered before this returns. Source: Envoy `source/extensions/common/wasm/wasm.cc`, `resolve_dns`.
   */
  resolveDns<T extends Context>(name: string, handle: (self: T, answer: DnsAnswer) => void): Status {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "resolveDns<" + nameof<T>() + "> was called on another class");
    return this.resolveDnsWith(name, new DnsFunction<T>(changetype<T>(this), handle));
  }

  /** As `resolveDns`, with a handler of your own class instead of a function. */
  resolveDnsWith(name: string, handler: DnsHandler): Status {
    return startDns(name, this.id, handler);
  }

  /** How many HTTP callouts of this context wait for their answer. In the handler of the last one it is 0. */
  get pendingHttpCalls(): i32 {
    return countHttpCalls(this.id);
  }
}

/** Calls a function with the context that has asked for a name. */
class DnsFunction<T extends Context> extends DnsHandler {
  constructor(
    private readonly self: T,
    private readonly handle: (self: T, answer: DnsAnswer) => void,
  ) {
    super();
  }

  override onAnswer(answer: DnsAnswer): void {
    this.handle(this.self, answer);
  }
}

/** Calls a function with the context that has started the call. */
class GrpcCallFunction<T extends Context> extends GrpcCallHandler {
  constructor(
    private readonly self: T,
    private readonly handle: (self: T, response: GrpcResponse) => void,
  ) {
    super();
  }

  override onResponse(response: GrpcResponse): void {
    this.handle(this.self, response);
  }
}

/** Calls a function with the context that has started the callout. */
class HttpCallFunction<T extends Context> extends HttpCallHandler {
  constructor(
    private readonly self: T,
    private readonly handle: (self: T, response: HttpCallResponse) => void,
  ) {
    super();
  }

  override onResponse(response: HttpCallResponse): void {
    this.handle(this.self, response);
  }
}
