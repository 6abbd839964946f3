// A compiled filter in the hands of a test or a server.

import { LogLevel } from "../assembly/abi.ts";
import { toBytes } from "./bytes.ts";
import { type Clock, VirtualClock } from "./clock.ts";
import { finishResponse } from "./connection.ts";
import type { HostContext } from "./context.ts";
import type { Refusal, Trap } from "./error.ts";
import { type Fault, Faults } from "./faults.ts";
import { exchange, type FilterResponse, type RequestInit, type Upstream } from "./exchange.ts";
import type { ForeignFunction } from "./foreign.ts";
import { FilterStream } from "./filter-stream.ts";
import { HttpStream, type Peer } from "./http-stream.ts";
import { makeImports } from "./imports/index.ts";
import { envFunctions } from "./imports/signatures.ts";
import { envoyLimits, type Limits } from "./limits.ts";
import { type LoadedModule, loadModule } from "./load.ts";
import { type FailurePolicy, Plugin, type PluginOptions } from "./plugin.ts";
import { seededRandom } from "./random.ts";
import { readBytes, readTextIfAny } from "./read-file.ts";
import { SourceMap } from "./source-map.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { type TcpPeer, TcpStream } from "./tcp-stream.ts";
import { type TimeLimit, timeLimit } from "./time-limit.ts";
import { type LogEntry, Trace } from "./trace.ts";
import { trapReport } from "./trap-report.ts";
import { Vm } from "./vm.ts";

/** How a filter is loaded. */
export interface FilterOptions {
  /** The plugin's configuration: text, bytes, or anything that is written as JSON. */
  readonly config?: unknown;
  /** The VM's configuration, likewise. */
  readonly vmConfig?: unknown;
  /** The name of the plugin in log and properties; `filter` by default. */
  readonly name?: string;
  /** Which of the module's root contexts it is (`root_id`; `pluginName` in Istio); empty by default. */
  readonly rootId?: string;
  /** `vm_id`; empty by default. */
  readonly vmId?: string;
  /** What happens to streams when the filter has failed; `closed` by default, as in Envoy. */
  readonly failurePolicy?: FailurePolicy;
  /** Milliseconds between reloads of a failed filter; 1000 by default. */
  readonly reloadBackoffMs?: number;
  /** Envoy's `allow_on_headers_stop_iteration`; false by default. */
  readonly allowOnHeadersStopIteration?: boolean;
  /** The environment variables that the filter sees. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines below this level are dropped; everything is kept by default. */
  readonly logLevel?: LogLevel;
  /** Where time comes from; a `VirtualClock` by default. */
  readonly clock?: Clock;
  /** Where the virtual clock starts; the beginning of 2026 by default. */
  readonly now?: Date;
  /** The seed of request ids and of `random_get`; 1 by default. */
  readonly seed?: number;
  /** Host calls that are to fail, by name: `{ proxy_http_call: Status.InternalFailure }`. */
  readonly faults?: Readonly<Record<string, Fault>>;
  /**
   * Functions that the filter can call by name besides Envoy's (`proxy_call_foreign_function`), or in place of them:
   * `{ my_fn: (bytes) => bytes }`.
   */
  readonly foreign?: Readonly<Record<string, ForeignFunction>>;
  /** Bounds other than Envoy's. */
  readonly limits?: Partial<Limits>;
  /** Hears every line of the filter's log. */
  readonly onLog?: (entry: LogEntry, prefix: string) => void;
  /** Hears every host call that answers something else than Ok, with the reason. */
  readonly onRefusal?: (call: string, refusal: Refusal) => void;
}

/** A loaded filter: one VM with one plugin configuration, as in one worker of Envoy. */
export class Filter {
  /** Its time. `filter.clock.advance(ms)` lets some pass, when it is a `VirtualClock`. */
  readonly clock: Clock;
  /** The host calls that are to fail, from now on or no longer. */
  readonly faults: Faults;
  /** Fills an array with random bytes, from the seed. */
  readonly random: (bytes: Uint8Array) => void;
  readonly #plugin: Plugin;
  readonly #limits: Limits;
  readonly #sourceMap: SourceMap | undefined;

  /** @internal */
  constructor(
    loaded: LoadedModule,
    sourceMap: SourceMap | undefined,
    timeLimit: TimeLimit | undefined,
    options: FilterOptions,
  ) {
    this.clock = options.clock ?? new VirtualClock(options.now);
    this.faults = new Faults(new Set(Object.keys(envFunctions)), options.faults);
    this.random = seededRandom(options.seed ?? 1);
    this.#limits = { ...envoyLimits, ...options.limits };
    this.#sourceMap = sourceMap;
    this.#plugin = new Plugin(
      pluginOptions(options),
      toConfiguration(options.config),
      toConfiguration(options.vmConfig),
      {
        clock: this.clock,
        limits: this.#limits,
        logLevel: options.logLevel ?? LogLevel.Trace,
        foreign: options.foreign ?? {},
        random: this.random,
        fault: (call) => this.faults.of(call),
        log: (entry, context) => options.onLog?.(entry, context?.logPrefix ?? "wasm log"),
        refused: (call, refusal) => options.onRefusal?.(call, refusal),
      },
      (plugin) => new Vm<HostContext>(loaded.module, loaded.abi, (vm) => makeImports(plugin, vm), timeLimit),
    );
  }

  /**
   * Passes a request through the filter and gives what the client would get. `upstream` answers what the filter lets
   * through. Rejects with a `StreamError` when the exchange can never end, or ends without an answer; with an
   * `EnvoyFault` when a real Envoy would crash or break the stream.
   */
  request(request: string | RequestInit, options: { upstream?: Upstream } = {}): Promise<FilterResponse> {
    return exchange(this, request, options.upstream);
  }

  /** Opens a stream to drive one callback at a time. */
  stream(): FilterStream {
    return new FilterStream(this);
  }

  /**
   * Opens a stream between two peers, for servers: feed it what arrives with `requestHeaders`, `requestData`,
   * `responseHeaders`, …, and send on what the peers receive.
   */
  open(peers: { downstream: Peer; upstream: Peer; trace?: Trace }): HttpStream {
    const { downstream, upstream, trace = new Trace() } = peers;
    const client: Peer = {
      headers: (headers, endOfStream) => {
        finishResponse(headers, this.clock);
        downstream.headers(headers, endOfStream);
      },
      data: (data, endOfStream) => downstream.data(data, endOfStream),
      trailers: (trailers) => downstream.trailers(trailers),
      reset: (reason) => downstream.reset(reason),
      watermark: (above) => downstream.watermark?.(above),
    };
    const make = (stream: HttpStream) => this.#plugin.newFilter(stream, trace);
    return new HttpStream([make], { downstream: client, upstream, bufferBytes: this.#limits.bufferBytes });
  }

  /** Opens a TCP connection to drive one event at a time. */
  connection(): TcpConnection {
    return new TcpConnection(this);
  }

  /** Opens a TCP connection between two peers, for servers, as `open` does for a stream. */
  openConnection(peers: { downstream: TcpPeer; upstream: TcpPeer; trace?: Trace }): TcpStream {
    const { downstream, upstream, trace = new Trace() } = peers;
    const make = (stream: TcpStream) => this.#plugin.newConnectionFilter(stream, trace);
    return new TcpStream([make], { downstream, upstream, bufferBytes: this.#limits.bufferBytes });
  }

  /** Why the filter has stopped for good, or null: message, places in the source, what it was doing. */
  get trap(): string | null {
    const trap: Trap | undefined = this.#plugin.failed;
    return trap ? trapReport(trap, this.#sourceMap) : null;
  }

  /** What happened in the root context: configuration, ticks. */
  get rootTrace(): Trace {
    return this.#plugin.root.trace;
  }

  /** Removes the plugin, as a proxy does when its configuration goes: on_done, on_delete. */
  close(): void {
    this.#plugin.end();
  }
}

/**
 * Loads a compiled filter from a file or from bytes, and starts it: `_initialize`, `onVmStart`, `onConfigure`. Rejects
 * with a `LoadError` that says what is wrong when a proxy would refuse the module, or the filter its configuration.
 */
export async function loadFilter(
  module: string | URL | Uint8Array | ArrayBuffer,
  options: FilterOptions = {},
): Promise<Filter> {
  const isFile = typeof module === "string" || module instanceof URL;
  const bytes = isFile ? await readBytes(module) : Uint8Array.from(new Uint8Array(module));
  const limits = { ...envoyLimits, ...options.limits };
  const loaded = await loadModule(bytes, isFile ? String(module) : "the module", limits);
  const map = isFile ? await readSourceMap(module, loaded) : undefined;
  const { callbackMs } = limits;
  const limit = callbackMs === undefined ? undefined : await timeLimit(callbackMs);
  return new Filter(loaded, map, limit, options);
}

async function readSourceMap(module: string | URL, loaded: LoadedModule): Promise<SourceMap | undefined> {
  const url = loaded.info.sourceMappingUrl;
  if (url === undefined) return undefined;
  const file = typeof module === "string" ? module.replace(/[^/\\]*$/, url) : new URL(url, module);
  const text = await readTextIfAny(file);
  try {
    return text === undefined ? undefined : new SourceMap(text, loaded.shift);
  } catch {
    return undefined;
  }
}

function pluginOptions(options: FilterOptions): PluginOptions {
  return {
    name: options.name ?? "filter",
    rootId: options.rootId ?? "",
    vmId: options.vmId ?? "",
    failurePolicy: options.failurePolicy ?? "closed",
    reloadBackoffMs: options.reloadBackoffMs ?? 1000,
    allowOnHeadersStopIteration: options.allowOnHeadersStopIteration ?? false,
    environment: options.environment ?? {},
  };
}

function toConfiguration(value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array();
  return typeof value === "string" || value instanceof Uint8Array ? toBytes(value) : toBytes(JSON.stringify(value));
}
