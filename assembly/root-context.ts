// What an author extends for a plugin: one object for each of its configurations, with its timers and queues.

import { BufferType, GrpcStatus, Status } from "./abi";
import { configurationBytes, configurationText } from "./configuration";
import { Context, focusOn } from "./context";
import { proxy_done, proxy_set_tick_period_milliseconds } from "./env";
import { HttpContext } from "./http-context";
import { Queue, subscribeBytes, subscribeTexts } from "./queues";
import { StatsUpdate } from "./stats-update";
import { checked, DONE, FOUND_OR_NOT } from "./status";
import { StreamContext } from "./stream-context";
import { startTimer, stopTimer } from "./timers";

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
