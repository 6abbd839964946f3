// What an author extends: one class for a plugin's configuration and timers, one for each HTTP stream.

import { Action, BufferType, GRPC_STATUS_UNSET, GrpcStatus, MapType, Status, StreamType } from "./abi";
import { Body, bodyOf } from "./body";
import { callDataOf } from "./call-data";
import { calledContext, focus, sharedClass } from "./callback";
import { configurationBytes, configurationText } from "./configuration";
import { DnsAnswer, DnsHandler, startDns } from "./dns";
import { proxy_done, proxy_set_tick_period_milliseconds } from "./env";
import { answered, continued, isWaiting, mayAnswer, mayContinue } from "./flow";
import {
  GrpcCall,
  GrpcCallHandler,
  GrpcResponse,
  GrpcStream,
  GrpcStreamHandler,
  startGrpcCall,
  startGrpcStream,
} from "./grpc";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { Queue, subscribeBytes, subscribeTexts } from "./queues";
import { countHttpCalls, HttpCall, HttpCallHandler, HttpCallResponse, startHttpCall } from "./http-call";
import { Request } from "./request";
import { Response } from "./response";
import { checked, DONE, FOUND_OR_NOT } from "./status";
import { closeStream, continueStream, sendLocalResponse, sendLocalResponseBytes } from "./stream";
import { StatsUpdate } from "./stats-update";
import { StreamContext } from "./stream-context";
import { startTimer, stopTimer } from "./timers";

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

/** A header map of this context, whichever context host calls mean just now. */
function mapOf(context: usize, type: MapType): HeaderMap {
  return HeaderMap.of(focusOn(context) ? type : NO_MAP);
}

/**
 * As `focus`, of the context at this address: a managed argument would cost the caller a place on the shadow stack. A
 * shared context is reached in its own callbacks only.
 */
function focusOn(context: usize): bool {
  return sharedClass() != 0 || focus(load<u32>(context, offsetof<Context>("ownId")));
}

/** No host has such a map. */
const NO_MAP = 0xff as MapType;

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

/**
 * One configuration of the plugin in one VM. Envoy makes one in every worker, in the main thread, and in a VM that
 * only tries out a new configuration. As a service (`envoy.bootstrap.wasm`) it has no streams and lives by its timers and
 * queues; with `singleton` it is in the main thread alone. As an access logger (`envoy.access_loggers.wasm`) it has
 * `onLog`, as a stats sink (`envoy.stat_sinks.wasm`) `onStatsUpdate`.
 */
export class RootContext extends Context {
  /** The VM has started; `false` refuses it. `configurationSize` is the size of `vmConfiguration` in bytes. */
  onVmStart(configurationSize: u32): bool {
    return true;
  }

  /**
   * The plugin is configured; `false` refuses the configuration, and the proxy does not take the filter. The only
   * callback in which `configuration` can be read on Envoy. `configurationSize` is its size in bytes.
   */
  onConfigure(configurationSize: u32): bool {
    return true;
  }

  /**
   * The tick period has passed. Envoy ticks in every worker and in the main thread; `Lease` lets one of them do a thing.
   * Not called while timers of `setTimer` wait, since the tick is theirs then.
   */
  onTick(): void {}

  /**
   * An item has come into a queue that this root context registered last; called once for each item, after the callback
   * that put it in. Another VM may have taken it: `queue.dequeue()` gives `null` then. Not for queues of `subscribe`.
   * ngx_wasm_module never calls it.
   */
  onQueueReady(queue: Queue): void {}

  /**
   * Registers the queue of this name and has every item handled that comes into it, and those that wait there, when the
   * next one comes: `this.subscribe<Jobs>("jobs", (self, item) => self.run(item))`. `handle` is a plain function without
   * variables from around it; it is called with this context, which must be a `T`, or the filter stops. Where several
   * VMs subscribe, the last one gets the items: in Envoy that is one of the workers (see `Queue`).
   */
  subscribe<T extends RootContext>(name: string, handle: (self: T, item: string) => void): Status {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "subscribe<" + nameof<T>() + "> was called on another class");
    focusOn(changetype<usize>(this));
    return subscribeTexts(name, this.id, changetype<usize>(handle));
  }

  /** As `subscribe`, with the items' bytes. */
  subscribeBytes<T extends RootContext>(name: string, handle: (self: T, item: Uint8Array) => void): Status {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "subscribeBytes<" + nameof<T>() + "> was called on another class");
    focusOn(changetype<usize>(this));
    return subscribeBytes(name, this.id, changetype<usize>(handle));
  }

  /**
   * The proxy's statistics, every few seconds (Envoy's `stats_flush_interval`), where the filter is one of its stats sinks
   * (`envoy.stat_sinks.wasm`), which Envoy runs in its main thread. Envoy only, and with care: the memory that Envoy 1.40
   * sets aside doubles with each gauge that was ever used. It was 245 MB for the 31 of an Envoy that does next to nothing;
   * from there on the number leaves 32 bits, and may be too small for what Envoy writes. `stats_matcher` in its
   * `stats_config` keeps gauges away.
   */
  onStatsUpdate(stats: StatsUpdate): void {}

  /**
   * An answer to a callout that was sent with `HttpCall.send`. Maps and buffer are those of `HttpCallResponse`; all three
   * numbers are 0 when there is none. Answers to `httpCall` go to their handlers and not here.
   */
  onHttpCallResponse(callId: u32, headers: u32, bodySize: u32, trailers: u32): void {}

  /** The first metadata of a stream that was opened with `GrpcStream.open`: `count` entries. */
  onGrpcReceiveInitialMetadata(callId: u32, count: u32): void {}

  /** A message of such a stream, or the answer to a call that was sent with `GrpcCall.send`: `size` bytes. */
  onGrpcReceive(callId: u32, size: u32): void {}

  /** The last metadata of such a stream: `count` entries. */
  onGrpcReceiveTrailingMetadata(callId: u32, count: u32): void {}

  /** Such a stream is over, or such a call has failed. Envoy says so of those that it has refused as well. */
  onGrpcClose(callId: u32, status: GrpcStatus): void {}

  /**
   * Says that this context is done, which `onDone` denied with `false`; `onDelete` follows after the running callback.
   * `NotFound` when `onDone` was not called before, or answered `true`. Envoy keeps a VM for it only while something
   * else uses that VM. Source: proxy-wasm/spec v0.2.1, `proxy_done`.
   */
  done(): Status {
    if (!focusOn(changetype<usize>(this))) return Status.BadArgument;
    return checked(changetype<usize>("proxy_done"), proxy_done(), FOUND_OR_NOT, memory.data(4));
  }

  /** Makes the context of a new HTTP stream, a new one for each; `null` leaves the stream alone. */
  createHttpContext(): HttpContext | null {
    return null;
  }

  /** Makes the context of a new TCP connection, a new one for each; `null` leaves the connection alone. */
  createStreamContext(): StreamContext | null {
    return null;
  }

  /** The plugin's configuration as text: `""` when there is none, `null` outside `onConfigure` (Envoy). */
  get configuration(): string | null {
    return configurationText(BufferType.PluginConfiguration);
  }

  /** The plugin's configuration as bytes: none when there is none, `null` outside `onConfigure` (Envoy). */
  get configurationBytes(): Uint8Array | null {
    return configurationBytes(BufferType.PluginConfiguration);
  }

  /** The VM's configuration as text: `""` when there is none. Envoy gives it at any time. */
  get vmConfiguration(): string | null {
    return configurationText(BufferType.VmConfiguration);
  }

  /** The VM's configuration as bytes: none when there is none. Envoy gives it at any time. */
  get vmConfigurationBytes(): Uint8Array | null {
    return configurationBytes(BufferType.VmConfiguration);
  }

  /**
   * Calls `handle` with this context once, after so many milliseconds, and gives a number for `cancelTimer`:
   * `this.setTimer<Plugin>(500, (self) => self.refresh())`. `handle` is a plain function without variables from around
   * it; what it needs are fields of the context. It runs in the name of the root context, so a stream is reached by its
   * own methods. 0 milliseconds are taken for 1.
   *
   * Any number of timers share the one tick of the context: `setTickPeriodMs` and `onTick` are not for a context that
   * has some. They go with the context. Envoy runs one VM for each worker and one in the main thread, so with W workers
   * a timer fires in W + 1 places, each with its own state; let a lock in shared data decide where something is to
   * happen once. A VM that only tries out a configuration runs `onConfigure` too and never ticks.
   */
  setTimer<T extends RootContext>(milliseconds: u32, handle: (self: T) => void): u32 {
    return this.startTimer<T>(milliseconds, handle, false);
  }

  /** As `setTimer`, again and again, until it is cancelled. What a busy proxy missed is left out, not made up for. */
  setRepeatingTimer<T extends RootContext>(milliseconds: u32, handle: (self: T) => void): u32 {
    return this.startTimer<T>(milliseconds, handle, true);
  }

  /** Takes a timer back; `false` when it has fired, was cancelled, or is another context's. */
  cancelTimer(timer: u32): bool {
    return stopTimer(this.id, timer);
  }

  private startTimer<T extends RootContext>(milliseconds: u32, handle: (self: T) => void, repeats: bool): u32 {
    // @ts-ignore: a type parameter has a value in asc
    assert(this instanceof T, "setTimer<" + nameof<T>() + "> was called on another class");
    return startTimer(this.id, milliseconds, changetype<usize>(handle), repeats);
  }

  /** Calls `onTick` every so many milliseconds, first after one period; 0 stops it. */
  setTickPeriodMs(period: u32): Status {
    const status = proxy_set_tick_period_milliseconds(period);
    return checked(changetype<usize>("proxy_set_tick_period_milliseconds"), status, DONE, memory.data(4));
  }
}

/**
 * One HTTP stream: a request and its response. Its methods mean this stream in every callback, also in that of another
 * context. Every callback does nothing unless it is overridden, and costs nothing
 * then: it is not even exported.
 */
export class HttpContext extends Context {
  /** The request in the web's words: `method`, `path`, `query`, `cookies`, …. */
  get request(): Request {
    return Request.of(this.requestHeaders);
  }

  /** The response in the web's words: `status`, `contentType`, …. */
  get response(): Response {
    return Response.of(this.responseHeaders);
  }

  /** The request's headers, pseudo headers (`:method`, `:path`, `:authority`, `:scheme`) included. */
  get requestHeaders(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpRequestHeaders);
  }

  /** The request's trailers. */
  get requestTrailers(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpRequestTrailers);
  }

  /** The response's headers, `:status` included. */
  get responseHeaders(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpResponseHeaders);
  }

  /** The response's trailers. */
  get responseTrailers(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpResponseTrailers);
  }

  /** What is there of the request's body: in `onRequestBody`, and while the body is held. */
  get requestBody(): Body {
    return bodyOf(this.id, BufferType.HttpRequestBody);
  }

  /** What is there of the response's body: in `onResponseBody`, and while the body is held. */
  get responseBody(): Body {
    return bodyOf(this.id, BufferType.HttpResponseBody);
  }

  /** The request's headers are there: `count` entries; `endOfStream` when neither body nor trailers follow. */
  onRequestHeaders(count: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * A piece of the request's body is there: `size` bytes can be read, all that was held so far included.
   * `endOfStream` when it is the last and no trailers follow.
   */
  onRequestBody(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** The request's trailers are there: `count` entries. */
  onRequestTrailers(count: u32): Action {
    return Action.Continue;
  }

  /**
   * A METADATA frame of HTTP/2 came with the request, with `count` names. The ABI gives no way to read or hold it. Envoy
   * only, where the connection has `allow_metadata`; it may come at any time after the headers.
   */
  onRequestMetadata(count: u32): void {}

  /** The response's headers are there, also those of a reply that the proxy or this filter made. */
  onResponseHeaders(count: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** A piece of the response's body is there; as `onRequestBody`. */
  onResponseBody(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** The response's trailers are there: `count` entries. */
  onResponseTrailers(count: u32): Action {
    return Action.Continue;
  }

  /** A METADATA frame of HTTP/2 came with the response; as `onRequestMetadata`. */
  onResponseMetadata(count: u32): void {}

  // What the exports call. `BodyContext` comes in between.

  /** A piece of the request's body is there. @internal */
  receiveRequestBody(size: u32, endOfStream: bool): Action {
    return this.onRequestBody(size, endOfStream);
  }

  /** The request's trailers are there. @internal */
  receiveRequestTrailers(count: u32): Action {
    return this.onRequestTrailers(count);
  }

  /** A piece of the response's body is there. @internal */
  receiveResponseBody(size: u32, endOfStream: bool): Action {
    return this.onResponseBody(size, endOfStream);
  }

  /** The response's trailers are there. @internal */
  receiveResponseTrailers(count: u32): Action {
    return this.onResponseTrailers(count);
  }

  /**
   * Lets the held request go on, after the running callback. In a callback of the request itself the same as returning
   * `Action.Continue`, whatever it returns. `BadArgument`, and a line in the log, when the filter does not hold the
   * request: hosts take the call at any time, and Envoy then sends the request twice, or crashes.
   */
  continueRequest(): Status {
    return this.continueFlow(requestFlow(changetype<usize>(this)), StreamType.HttpRequest);
  }

  /** As `continueRequest`, for the response. */
  continueResponse(): Status {
    return this.continueFlow(responseFlow(changetype<usize>(this)), StreamType.HttpResponse);
  }

  /**
   * Lets go on what the filter holds of the stream: the response, or else the request. For what `pauseFor` has held; as
   * `continueRequest`.
   */
  resume(): Status {
    return isWaiting(responseFlow(changetype<usize>(this))) ? this.continueResponse() : this.continueRequest();
  }

  /**
   * Holds the stream for a callout: `return this.pauseFor(this.httpCall<Auth>(call, …))`. When the callout was refused,
   * the request is answered with a 503 (details `callout_refused`), so that nothing passes unseen.
   */
  pauseFor(started: Status): Action {
    if (started != Status.Ok) this.sendLocalResponse(503, "", null, GRPC_STATUS_UNSET, "callout_refused");
    return Action.Pause;
  }

  /** As `pauseFor`, but lets the stream go on when the callout was refused: for what is not needed. */
  pauseOrContinue(started: Status): Action {
    return started == Status.Ok ? Action.Pause : Action.Continue;
  }

  private continueFlow(flow: usize, stream: StreamType): Status {
    if (!focusOn(changetype<usize>(this))) return Status.BadArgument;
    const may = mayContinue(flow);
    if (may == Status.Ok) return continued(flow, continueStream(stream));
    return may == Status.Empty ? Status.Ok : may;
  }

  /**
   * Ends the stream without an answer, after the running callback. `BadArgument`, and a line in the log, in `onLog`
   * and `onDone`: Envoy crashes there.
   */
  close(): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer() ? answered(flows, before, closeStream(StreamType.HttpRequest)) : Status.BadArgument;
  }

  private canAnswer(): bool {
    return focusOn(changetype<usize>(this)) && mayAnswer(requestFlow(changetype<usize>(this)));
  }

  /**
   * Answers the request from the proxy, after the running callback, whatever that callback returns; the upstream is
   * not called any more. The reply passes `onResponseHeaders` and `onResponseBody` of this filter. Envoy sets
   * `content-length`, and `content-type: text/plain` unless given; without a body it removes both. A gRPC request is
   * answered with `grpcStatus` (from the status code when it is unset). `details` stands in the access log as
   * `%RESPONSE_CODE_DETAILS%`. `BadArgument`, and a line in the log, in `onLog` and `onDone`: Envoy crashes there.
   */
  sendLocalResponse(
    statusCode: u32,
    body: string = "",
    headers: Headers | null = null,
    grpcStatus: i32 = 0xffff_ffff,
    details: string = "",
  ): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer()
      ? answered(flows, before, sendLocalResponse(statusCode, body, headers, grpcStatus, details))
      : Status.BadArgument;
  }

  /** As `sendLocalResponse`, with the body's bytes. */
  sendLocalResponseBytes(
    statusCode: u32,
    body: Uint8Array,
    headers: Headers | null = null,
    grpcStatus: i32 = 0xffff_ffff,
    details: string = "",
  ): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer()
      ? answered(flows, before, sendLocalResponseBytes(statusCode, body, headers, grpcStatus, details))
      : Status.BadArgument;
  }
}
