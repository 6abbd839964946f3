// What an author extends: one class for a plugin's configuration and timers, one for each HTTP stream.

import { Action, BufferType, GRPC_STATUS_UNSET, MapType, Status, StreamType } from "./abi";
import { configurationBytes, configurationText } from "./configuration";
import { proxy_set_tick_period_milliseconds } from "./env";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { closeStream, continueStream, sendLocalResponse, sendLocalResponseBytes } from "./stream";

/** The id that the next context takes; set by the registry around an author's factory. */
let nextId: u32 = 0;

/** Says which id the next context takes. */
export function assignId(id: u32): void {
  nextId = id;
}

/** What every context has: its id, and the end of its life. */
export abstract class Context {
  /** The host's number of this context; unique in the VM while the context lives. */
  readonly id: u32 = nextId;

  /** The context behind this one in the registry's table. @internal */
  private nextInRegistry: Context | null = null;

  /**
   * The stream has ended, or the plugin is being removed. Only the answer of a root context counts: `false` keeps it
   * until `done()`. A stream's state is still there in `onLog` and freed after `onDelete`.
   * Envoy calls `onLog`, `onDone`, `onDelete`, the specification `onDone`, `onLog`, `onDelete`.
   */
  onDone(): bool {
    return true;
  }

  /** The stream is to be logged: Envoy's header maps can be read, not changed. */
  onLog(): void {}

  /** The last call of this context. */
  onDelete(): void {}
}

/**
 * One configuration of the plugin in one VM. Envoy makes one in every worker, in the main thread, and in a VM that
 * only tries out a new configuration.
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

  /** The tick period has passed. Envoy ticks in every worker and in the main thread. */
  onTick(): void {}

  /** Makes the context of a new HTTP stream; `null` leaves the stream alone. */
  createHttpContext(): HttpContext | null {
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

  /** Calls `onTick` every so many milliseconds, first after one period; 0 stops it. */
  setTickPeriodMs(period: u32): Status {
    return proxy_set_tick_period_milliseconds(period);
  }
}

/**
 * One HTTP stream: a request and its response. Every callback does nothing unless it is overridden, and costs nothing
 * then: it is not even exported.
 */
export class HttpContext extends Context {
  /** The request's headers, pseudo headers (`:method`, `:path`, `:authority`, `:scheme`) included. */
  get requestHeaders(): HeaderMap {
    return HeaderMap.of(MapType.HttpRequestHeaders);
  }

  /** The request's trailers. */
  get requestTrailers(): HeaderMap {
    return HeaderMap.of(MapType.HttpRequestTrailers);
  }

  /** The response's headers, `:status` included. */
  get responseHeaders(): HeaderMap {
    return HeaderMap.of(MapType.HttpResponseHeaders);
  }

  /** The response's trailers. */
  get responseTrailers(): HeaderMap {
    return HeaderMap.of(MapType.HttpResponseTrailers);
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

  /** Lets the held request go on, after the running callback. Only for a request that is held. */
  continueRequest(): Status {
    return continueStream(StreamType.HttpRequest);
  }

  /** Lets the held response go on, after the running callback. Only for a response that is held. */
  continueResponse(): Status {
    return continueStream(StreamType.HttpResponse);
  }

  /** Ends the stream without an answer, after the running callback. */
  close(): Status {
    return closeStream(StreamType.HttpRequest);
  }

  /**
   * Answers the request from the proxy, after the running callback, whatever that callback returns; the upstream is
   * not called any more. The reply passes `onResponseHeaders` and `onResponseBody` of this filter. Envoy sets
   * `content-length`, and `content-type: text/plain` unless given; without a body it removes both. A gRPC request is
   * answered with `grpcStatus` (from the status code when it is unset). `details` stands in the access log as
   * `%RESPONSE_CODE_DETAILS%`. Not in `onLog` and `onDone`: Envoy crashes there.
   */
  sendLocalResponse(
    statusCode: u32,
    body: string = "",
    headers: Headers | null = null,
    grpcStatus: i32 = GRPC_STATUS_UNSET,
    details: string = "",
  ): Status {
    return sendLocalResponse(statusCode, body, headers, grpcStatus, details);
  }

  /** As `sendLocalResponse`, with the body's bytes. */
  sendLocalResponseBytes(
    statusCode: u32,
    body: Uint8Array,
    headers: Headers | null = null,
    grpcStatus: i32 = GRPC_STATUS_UNSET,
    details: string = "",
  ): Status {
    return sendLocalResponseBytes(statusCode, body, headers, grpcStatus, details);
  }
}
