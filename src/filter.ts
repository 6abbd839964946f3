// A compiled filter in the hands of a test or a server.

import { LogLevel } from "../assembly/abi.ts";
import { byteString, toBytes } from "./encoding/bytes.ts";
import type { Clock } from "./clock.ts";
import type { Callout } from "./callouts/callouts.ts";
import type { HttpProtocol } from "./http/codec.ts";
import { pendingCallout, pendingGrpcCall } from "./callouts/clusters.ts";
import type { HostContext } from "./contexts/context.ts";
import { cover, type CoveredModule, isCovered } from "./module/coverage.ts";
import { isDebugged, withSourceMap } from "./module/debugger.ts";
import { type Refusal, StreamError } from "./error.ts";
import { type Fault, Faults } from "./faults.ts";
import { Exchange, type ExchangeOptions, type FilterResponse, letPass } from "./exchange.ts";
import type { ExpressionLanguage } from "./properties/expressions.ts";
import type { ForeignFunction } from "./services/foreign.ts";
import { FilterStream, type StreamOptions } from "./filter-stream.ts";
import type { GrpcCallout } from "./callouts/grpc.ts";
import { HttpStream, type HttpStreamOptions, type StreamFilter } from "./streams/http-stream.ts";
import { type Peer } from "./streams/direction.ts";
import { makeImports } from "./imports/index.ts";
import { Installation } from "./contexts/installation.ts";
import { envoyLimits, type Limits } from "./limits.ts";
import { expectNoLeak, type LeakOptions, type Usage } from "./leak.ts";
import { type CheckedModule, checkModule, compileModule, type LoadedModule } from "./module/load.ts";
import type { Metric } from "./services/metrics.ts";
import { type Host, Plugin, pluginIdentity, type PluginOptions } from "./contexts/plugin.ts";
import { needSetting } from "./profiles/choose.ts";
import type { FailurePolicy, HostProfile } from "./profiles/profile.ts";
import { GivenProperties, type PropertyOptions } from "./properties/property-options.ts";
import { type ProxyOptions, ProxyState } from "./contexts/proxy-state.ts";
import { SharedQueue } from "./services/queues.ts";
import { readBytes, readSourceMap } from "./module/read-file.ts";
import type { RequestInit } from "./request-init.ts";
import type { RootContext } from "./contexts/root-context.ts";
import { plainRoute, type Route } from "./streams/router.ts";
import { SharedDataView } from "./services/shared-data.ts";
import { SourceMap } from "./module/source-map.ts";
import { encodeStats, type ProxyStats } from "./services/stats-update.ts";
import { Step } from "./step.ts";
import { StreamInfo } from "./properties/stream-info.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { type TcpPeer, TcpStream, type TcpStreamOptions } from "./streams/tcp-stream.ts";
import { type TimeLimit, timeLimit, Watchdog } from "./module/time-limit.ts";
import type { Thread } from "./contexts/thread.ts";
import { type LogEntry, Trace } from "./trace.ts";
import { trapReport } from "./module/trap-report.ts";
import type { Trap } from "./module/trap.ts";
import { Vm } from "./module/vm.ts";

/** How a filter is loaded. */
export interface FilterOptions extends ProxyOptions {
  /** The proxy that it belongs to, for filters that share metrics, queues and data; one of its own by default. */
  readonly proxy?: ProxyState;
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
  /** What stands in properties that no exchange tells: addresses, TLS, metadata, the node's and the route's names. */
  readonly properties?: PropertyOptions;
  /** The environment variables that the filter sees. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines below this level are dropped; everything is kept by default. */
  readonly logLevel?: LogLevel;
  /** Host calls that are to fail, by name: `{ proxy_http_call: Status.InternalFailure }`. */
  readonly faults?: Readonly<Record<string, Fault>>;
  /**
   * Functions that the filter can call by name besides Envoy's (`proxy_call_foreign_function`), or in place of them:
   * `{ my_fn: (bytes) => bytes }`.
   */
  readonly foreign?: Readonly<Record<string, ForeignFunction>>;
  /**
   * What evaluates expressions of CEL over Envoy's attributes (`Expression` in a filter): `cel` of `proxy-wasm/cel`, for
   * which `@bufbuild/cel` is installed. Without it the filter sees Unimplemented.
   */
  readonly expressions?: ExpressionLanguage | undefined;
  /** Bounds other than Envoy's. */
  readonly limits?: Partial<Limits>;
  /** Hears every line of the filter's log. */
  readonly onLog?: (entry: LogEntry, prefix: string) => void;
  /** Hears every host call that answers something else than Ok, with the reason. */
  readonly onRefusal?: (call: string, refusal: Refusal) => void;
}

type Surroundings = Pick<
  HttpStreamOptions & TcpStreamOptions,
  "limits" | "clock" | "dispatcher" | "profile" | "info" | "given"
>;

/** A loaded filter, as it is in one worker of a proxy: one VM with one plugin configuration. */
export class Filter {
  /** What it has in common with other filters. */
  readonly proxy: ProxyState;
  /** Its time. `filter.clock.advance(ms)` lets some pass, when it is a `VirtualClock`. */
  readonly clock: Clock;
  /** The host calls that are to fail, from now on or no longer. */
  readonly faults: Faults;
  /** Fills an array with random bytes, from the seed. */
  readonly random: (bytes: Uint8Array) => void;
  readonly #parts: FilterParts;
  readonly #thread: Thread;
  /** It and those that follow it in a chain. */
  readonly #chain: readonly Filter[];

  /** @internal */
  constructor(parts: FilterParts, thread: Thread, following: readonly Filter[] = []) {
    this.proxy = parts.installation.proxy;
    this.clock = this.proxy.clock;
    this.random = this.proxy.random;
    this.faults = parts.faults;
    this.#parts = parts;
    this.#thread = thread;
    this.#chain = [this, ...following];
  }

  get #plugin(): Plugin {
    return this.#parts.installation.plugin(this.#thread);
  }

  /**
   * Passes a request through the filter and gives what the client would get. `upstream` answers what the filter lets
   * through. Rejects with a `StreamError` when the exchange can never end, or ends without an answer; with an
   * `EnvoyFault` when a real Envoy would crash or break the stream.
   */
  request(request: string | RequestInit, options: ExchangeOptions = {}): Promise<FilterResponse> {
    const init = typeof request === "string" ? { path: request } : request;
    return Exchange.run(this, init, options);
  }

  /** Opens a stream to drive one callback at a time. */
  stream(options: StreamOptions = {}): FilterStream {
    return new FilterStream(this, options);
  }

  /**
   * Opens a stream between two peers, for servers: feed it what arrives with `requestHeaders`, `requestData`,
   * `responseHeaders`, …, and send on what the peers receive. @internal
   */
  open(peers: {
    downstream: Peer;
    upstream: Peer;
    trace?: Trace;
    properties?: PropertyOptions | undefined;
    route?: Route;
    protocol?: HttpProtocol | undefined;
    /** The client's by default. */
    upstreamProtocol?: HttpProtocol | undefined;
  }): HttpStream {
    const { downstream, upstream, trace = this.newTrace(), properties, route = plainRoute } = peers;
    const { protocol = "HTTP/1.1", upstreamProtocol = protocol } = peers;
    const { limits, clock, dispatcher, profile, info, given } = this.#surroundings(properties, protocol);
    const { retries } = this.proxy;
    // Written out: to spread them takes several times as long.
    const options = {
      downstream,
      upstream,
      trace,
      route,
      protocol,
      upstreamProtocol,
      retries,
      limits,
      clock,
      dispatcher,
      profile,
      info,
      given,
    };
    return new HttpStream((stream) => this.#newFilters(stream, trace), options);
  }

  /** The filters of a new stream; one that has failed may be left out. */
  #newFilters(stream: HttpStream, trace: Trace): StreamFilter[] {
    const filters: StreamFilter[] = [];
    for (const filter of this.#chain) {
      const made = filter.#plugin.newFilter(stream, this.#traceOf(filter, trace));
      if (made) filters.push(made);
    }
    return filters;
  }

  /** A trace that keeps no more than the filter's limits allow. @internal */
  newTrace(): Trace {
    return new Trace(this.#parts.limits.traceBytes);
  }

  /** What a new stream finds. */
  #surroundings(properties: PropertyOptions | undefined, protocol: HttpProtocol = "HTTP/1.1"): Surroundings {
    const { dispatcher, profile } = this.proxy;
    const ofFilter = this.#plugin.options.properties.with(properties);
    const given = ofFilter.over({ "connection.id": this.proxy.connections++, "request.protocol": protocol });
    const { limits } = this.#parts;
    const info = new StreamInfo(this.clock, ofFilter, limits);
    return { limits, clock: this.clock, dispatcher, profile, info, given };
  }

  /** Opens a TCP connection to drive one event at a time. */
  connection(options: { properties?: PropertyOptions } = {}): TcpConnection {
    return new TcpConnection(this, options.properties);
  }

  /** Opens a TCP connection between two peers, for servers, as `open` does for a stream. @internal */
  openConnection(peers: {
    downstream: TcpPeer;
    upstream: TcpPeer;
    trace?: Trace;
    properties?: PropertyOptions;
  }): TcpStream {
    const { downstream, upstream, trace = this.newTrace(), properties } = peers;
    const { neverCalled, title } = this.proxy.profile;
    if (neverCalled.includes("proxy_on_new_connection")) throw new StreamError(`${title} has no filters for TCP`);
    const makers = this.#chain.map(
      (filter) => (stream: TcpStream) => filter.#plugin.newConnectionFilter(stream, this.#traceOf(filter, trace)),
    );
    return new TcpStream(makers, { downstream, upstream, ...this.#surroundings(properties) });
  }

  /** The HTTP callouts that wait for their answer, oldest first, whichever filter of the proxy has sent them. */
  get callouts(): readonly Callout[] {
    return [...this.proxy.clusters.pending];
  }

  /** The oldest callout to a cluster that waits for its answer, to give it one; a `StreamError` when there is none. */
  pending(cluster: string): Callout {
    return pendingCallout(this.proxy.clusters.pending, cluster);
  }

  /** The gRPC calls and streams that are open, oldest first, whichever filter of the proxy has begun them. */
  get grpcCalls(): readonly GrpcCallout[] {
    return [...this.proxy.clusters.openGrpc];
  }

  /** The oldest gRPC call or stream to a cluster that is open; a `StreamError` when there is none. */
  pendingGrpc(cluster: string): GrpcCallout {
    return pendingGrpcCall(this.proxy.clusters.openGrpc, cluster);
  }

  /**
   * Waits until every callout has its answer that will have one by itself, and lets virtual time pass for it. Rejects
   * with what the function of an upstream throws.
   */
  settle(): Promise<void> {
    const { clusters } = this.proxy;
    return letPass(
      this,
      () => ![...clusters.pending, ...clusters.openGrpc].some((call) => call.willEnd) && clusters.work.idle,
    );
  }

  /**
   * Runs exchanges, one after the other, and rejects with a `LeakError` when the filter's memory has grown after the
   * warm-up, or streams are left open: `await filter.expectNoLeak(() => filter.request("/", { upstream }))`. Memory
   * grows in steps of 64 KiB, and allocators take more than they need: a leak of few bytes wants many `times`.
   */
  expectNoLeak(run: (index: number) => unknown, options: LeakOptions = {}): Promise<void> {
    return expectNoLeak(this, run, options);
  }

  /** What it takes of the proxy now. */
  get usage(): Usage {
    const vms = new Set(this.#chain.map((filter) => filter.#plugin.root.vm));
    let [memoryBytes, streams] = [0, 0];
    for (const { memory, contexts } of vms) {
      memoryBytes += memory.size;
      for (const context of contexts.values()) if (context !== context.root) streams++;
    }
    return { memoryBytes, streams };
  }

  /** Why the filter has stopped for good, or null: message, places in the source, what it was doing. */
  get trap(): string | null {
    const trap: Trap | undefined = this.#plugin.failed;
    return trap ? trapReport(trap, this.#parts.sourceMap) : null;
  }

  /** What happened in the root context: configuration, ticks. */
  get rootTrace(): Trace {
    return this.#plugin.root.trace;
  }

  /** The metric of this name, as the filter or Envoy (`wasmcustom.…`) has it; throws when none is defined. */
  metric(name: string): Metric {
    return this.proxy.metrics.named(name);
  }

  /** Every metric of the proxy, in the order of definition. */
  get metrics(): readonly Metric[] {
    return this.proxy.metrics.list();
  }

  /** The shared data of its `vm_id`. */
  get shared(): SharedDataView {
    return new SharedDataView(this.proxy.sharedData, this.#plugin.options.vmId);
  }

  /** The queue of this name that its `vm_id` has registered; throws when there is none. */
  queue(name: string): SharedQueue {
    return new SharedQueue(this.proxy.queues, this.#plugin.options.vmId, name);
  }

  /**
   * The same filter in another worker: a VM of its own that shares metrics, queues, data and time. Worker 0 is where
   * `loadFilter` starts; without a number, it is the first worker in which the filter does not run yet. Throws a
   * `LoadError` when the filter refuses to start there.
   */
  worker(index?: number): Filter {
    const { installation } = this.#parts;
    const thread = index === undefined ? installation.nextWorker : this.proxy.worker(index);
    installation.plugin(thread);
    return new Filter(this.#parts, thread);
  }

  /** The same filter in the main thread, where no streams are; null unless `mainThread` was asked for. */
  get mainThread(): Filter | null {
    const { mainThread } = this.proxy;
    return mainThread ? new Filter(this.#parts, mainThread) : null;
  }

  /**
   * Gives the filter another configuration, in every worker, as an update of the proxy's configuration does: a new root
   * context in the same VM serves the streams to come, and the old one ends (on_done, on_delete) when its last stream
   * has. Throws a `LoadError` when the filter refuses it, and keeps the old one. With `mainThread` it is tried out in a
   * VM of its own first, as Envoy does; without, a filter that stops in `onConfigure` fails for its open streams too.
   */
  reconfigure(config: unknown): void {
    this.#parts.installation.reconfigure(toConfiguration(config));
  }

  /** The host calls the root context (`proxy_on_foreign_function`), as `FilterStream.foreignFunction` does for a stream. */
  foreignFunction(functionId: number, argument: string | Uint8Array = ""): Step {
    return this.#rootStep((root) => root.foreignFunction(functionId, toBytes(argument)));
  }

  /**
   * The filter is an access logger (`envoy.access_loggers.wasm`): its root context hears of a stream that has ended, of
   * this filter or of another, whose headers and properties it can read: `filter.log(await filter.request("/"))`.
   */
  log(stream: FilterResponse | FilterStream | TcpConnection): Step {
    const { finished } = stream;
    if (!finished.isOver) throw new StreamError("the stream is not over: access loggers hear of it when it is");
    return this.#rootStep((root) => root.log(finished));
  }

  /** The filter is a stats sink (`envoy.stat_sinks.wasm`): its root context hears of the proxy's statistics. */
  statsUpdate(stats: ProxyStats): Step {
    return this.#rootStep((root) => root.callWith(encodeStats(stats), "envoy_on_stats_update"));
  }

  /** Removes the filter from every worker, as a proxy does when its configuration goes: on_done, on_delete. */
  close(): void {
    this.#parts.installation.close();
  }

  /** This filter with others behind it. @internal */
  before(following: readonly Filter[]): Filter {
    return new Filter(this.#parts, this.#thread, following);
  }

  /** Does something to the root context. */
  #rootStep(run: (root: RootContext) => void): Step {
    const { root } = this.#plugin;
    const before = root.trace.count;
    run(root);
    return new Step(false, root.trace, before);
  }

  #traceOf(filter: Filter, trace: Trace): Trace {
    return this.#chain.length > 1 ? trace.part(filter.#plugin.options.name) : trace;
  }
}

/** What the filter has in every worker. */
interface FilterParts {
  readonly installation: Installation;
  readonly limits: Limits;
  readonly sourceMap: SourceMap | undefined;
  readonly faults: Faults;
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
  const proxy = proxyOf(options);
  const named = pluginOptions(options, proxy.profile);
  const checked = await checkModule(bytes, isFile ? String(module) : "the module", limits, proxy.profile);
  const map = isFile ? await readSourceMap(module, checked.info.sourceMappingUrl) : undefined;
  const asItIs: PreparedModule = { prepared: checked };
  const { prepared, sourceMap, show } = isFile && map !== undefined ? prepare(checked, map, module) : asItIs;
  const loaded = await compileModule(prepared);
  const { callbackMs } = limits;
  const isWatched = !Object.hasOwn(options.limits ?? {}, "callbackMs");
  const watchdog = isWatched ? Watchdog.current?.limit : undefined;
  const limit = callbackMs === undefined ? watchdog : timeLimit(callbackMs);
  const faults = new Faults(new Set(Object.keys(proxy.profile.env)), options.faults);
  const installation = install(loaded, bytes, proxy, { limits, limit, faults, show }, options, named);
  return new Filter({ installation, limits, sourceMap, faults }, proxy.worker(0));
}

function proxyOf(options: FilterOptions): ProxyState {
  const { proxy } = options;
  if (!proxy) return new ProxyState(options);
  for (const name of ["clock", "now", "seed", "mainThread", "upstreams", "grpc", "dns", "host"] as const) {
    if (options[name] !== undefined)
      throw new TypeError(`${name} is an option of the proxy: new ProxyState({ ${name} })`);
  }
  return proxy;
}

function install(
  loaded: LoadedModule,
  bytes: Uint8Array,
  proxy: ProxyState,
  bounds: { limits: Limits; limit: TimeLimit | undefined; faults: Faults; show: CoveredModule["show"] | undefined },
  options: FilterOptions,
  named: PluginOptions,
): Installation {
  const { limits, limit, faults } = bounds;
  const vmConfiguration = toConfiguration(options.vmConfig);
  const vmKey = JSON.stringify([proxy.moduleNumber(bytes), options.vmId ?? "", byteString(vmConfiguration)]);
  const host: Host = {
    proxy,
    clock: proxy.clock,
    foreign: options.foreign ?? {},
    expressions: options.expressions,
    limits,
    logLevel: options.logLevel ?? LogLevel.Trace,
    random: proxy.random,
    fault: (call) => faults.of(call),
    log: (entry, context) => options.onLog?.(entry, context?.logPrefix ?? "wasm log"),
    refused: (call, refusal) => options.onRefusal?.(call, refusal),
  };
  const makeVm = (plugin: Plugin): Vm<HostContext> => {
    const imports = (vm: Vm<HostContext>): WebAssembly.Imports => makeImports(plugin, vm);
    const made = new Vm<HostContext>(loaded, proxy.dispatcher, imports, limit, proxy.profile, limits);
    bounds.show?.(made.globals);
    return made;
  };
  return new Installation(proxy, toConfiguration(options.config), {
    start: (thread, configuration) =>
      new Plugin(named, configuration, vmConfiguration, host, { thread, vmKey }, makeVm),
    identify: (configuration) => vmKey + pluginIdentity(named, configuration),
  });
}

/** What becomes of a module with a source map when somebody wants to see into it. */
function prepare(checked: CheckedModule, map: string, file: string | URL): PreparedModule {
  const sourceMap = new SourceMap(map, checked.shift);
  // Counting moves the code, so that the map does not tell the place of a trap any more.
  if (isCovered()) {
    const { module, show } = cover(checked, sourceMap, file);
    return { prepared: module, show };
  }
  return { prepared: isDebugged() ? withSourceMap(checked, map, file) : checked, sourceMap };
}

interface PreparedModule {
  readonly prepared: CheckedModule;
  readonly sourceMap?: SourceMap;
  /** Shows what an instance counts. */
  readonly show?: CoveredModule["show"];
}

/** What the plugin is told of itself, with the profile's defaults; throws when the profile's host has no such setting. */
function pluginOptions(options: FilterOptions, profile: HostProfile): PluginOptions {
  for (const setting of ["allowOnHeadersStopIteration", "failurePolicy", "reloadBackoffMs"] as const) {
    if (options[setting] !== undefined) needSetting(profile, setting);
  }
  return {
    name: options.name ?? "filter",
    rootId: options.rootId ?? "",
    vmId: options.vmId ?? "",
    failurePolicy: options.failurePolicy ?? profile.failurePolicy,
    reloadBackoffMs: options.reloadBackoffMs ?? profile.reloadBackoffMs,
    allowOnHeadersStopIteration: options.allowOnHeadersStopIteration ?? false,
    environment: options.environment ?? {},
    properties: GivenProperties.from(options.properties ?? {}),
  };
}

function toConfiguration(value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array();
  return typeof value === "string" || value instanceof Uint8Array ? toBytes(value) : toBytes(JSON.stringify(value));
}
