// A filter with its configuration, as a proxy loads it: the VM it runs in, its root context, and what happens when the
// VM fails. Source: proxy-wasm-cpp-host src/wasm.cc; Envoy source/extensions/common/wasm/plugin.cc.

import { Action, DataAction, HeadersAction, PeerType } from "../../assembly/abi.ts";
import { byteString } from "../encoding/bytes.ts";
import type { Clock } from "../clock.ts";
import type { HostContext } from "./context.ts";
import { LoadError, type Refusal } from "../error.ts";
import type { ExpressionLanguage } from "../properties/expressions.ts";
import type { ForeignFunction } from "../services/foreign.ts";
import { HttpContext } from "./http-context.ts";
import type { HttpStream, StreamFilter } from "../streams/http-stream.ts";
import type { Limits } from "../limits.ts";
import { failedReply, type LocalReply } from "../http/local-reply.ts";
import type { FailurePolicy } from "../profiles/profile.ts";
import type { GivenProperties } from "../properties/property-options.ts";
import type { ProxyState } from "./proxy-state.ts";
import { RootContext } from "./root-context.ts";
import { TcpContext } from "./tcp-context.ts";
import type { ConnectionFilter, TcpStream } from "../streams/tcp-stream.ts";
import type { Thread } from "./thread.ts";
import type { LogEntry, Trace } from "../trace.ts";
import type { Trap } from "../module/trap.ts";
import type { Vm } from "../module/vm.ts";

/** How a proxy configures a filter. */
export interface PluginOptions {
  /** The name of the plugin, as it stands in the log. */
  readonly name: string;
  /** Chooses among the root contexts that the module registers. */
  readonly rootId: string;
  /** Sets VMs of the same module apart. */
  readonly vmId: string;
  readonly failurePolicy: FailurePolicy;
  /** Milliseconds between two reloads of a failed VM. */
  readonly reloadBackoffMs: number;
  /** Whether Pause in a headers callback holds only the headers. */
  readonly allowOnHeadersStopIteration: boolean;
  /** What `environ_get` gives. */
  readonly environment: Readonly<Record<string, string>>;
  /** The properties that are given and not observed. */
  readonly properties: GivenProperties;
}

/** What plugins share and the embedder provides. */
export interface Host {
  /** What it shares with the other filters of the proxy. */
  readonly proxy: ProxyState;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Lines below this level are dropped. */
  readonly logLevel: number;
  /** Why a host call is to fail, or undefined. */
  fault(call: string): Refusal | undefined;
  /** Foreign functions besides Envoy's. */
  readonly foreign: Readonly<Record<string, ForeignFunction>>;
  readonly expressions: ExpressionLanguage | undefined;
  /** Fills an array with random bytes. */
  random(bytes: Uint8Array): void;
  /** A line of the filter's log. */
  log(entry: LogEntry, context: HostContext | undefined): void;
  /** A host call that answered something else than Ok. */
  refused(call: string, refusal: Refusal): void;
}

/** What tells a plugin from others of its module: equal ones share their root context. */
export function pluginIdentity(options: PluginOptions, configuration: Uint8Array): string {
  const { name, rootId, failurePolicy, allowOnHeadersStopIteration } = options;
  return JSON.stringify([name, rootId, failurePolicy, allowOnHeadersStopIteration, byteString(configuration)]);
}

/** Where a plugin runs. */
export interface Place {
  readonly thread: Thread;
  /** What tells its VM from others: plugins with the same key share one. */
  readonly vmKey: string;
}

/** A loaded filter in one thread. */
export class Plugin {
  readonly options: PluginOptions;
  readonly configuration: Uint8Array;
  readonly vmConfiguration: Uint8Array;
  readonly host: Host;
  /** The configuration while it can be read, or undefined. */
  configurationNow: Uint8Array | undefined;

  /** See `pluginIdentity`. */
  readonly identity: string;

  readonly #place: Place;
  readonly #makeVm: (plugin: Plugin) => Vm<HostContext>;
  #root: RootContext;
  #loadedAt: bigint;
  #ended = false;

  /** Starts the filter; a `LoadError` when it refuses. */
  constructor(
    options: PluginOptions,
    configuration: Uint8Array,
    vmConfiguration: Uint8Array,
    host: Host,
    place: Place,
    makeVm: (plugin: Plugin) => Vm<HostContext>,
  ) {
    this.options = options;
    this.configuration = configuration;
    this.vmConfiguration = vmConfiguration;
    this.host = host;
    this.identity = pluginIdentity(options, configuration);
    this.#place = place;
    this.#makeVm = makeVm;
    this.#root = this.#start(false);
    this.#loadedAt = host.clock.now();
  }

  /** Its root context. */
  get root(): RootContext {
    return this.#root;
  }

  /** Why the VM has stopped, or undefined. */
  get failed(): Trap | undefined {
    return this.#root.vm.failed;
  }

  /** The filter for a new stream; undefined when the failed filter is left out. */
  newFilter(stream: HttpStream, trace: Trace): StreamFilter | undefined {
    if (this.#isReady()) return new HttpContext(this.#root, stream, trace);
    return this.#isOpen() ? undefined : failedFilter(stream, failedReply(this.host.proxy.profile));
  }

  /** The filter for a new TCP connection; undefined when the failed filter is left out. */
  newConnectionFilter(stream: TcpStream, trace: Trace): ConnectionFilter | undefined {
    if (this.#isReady()) return new TcpContext(this.#root, stream, trace);
    return this.#isOpen() ? undefined : failedConnectionFilter(stream);
  }

  /** Makes the configuration readable while something runs. */
  withConfiguration<T>(run: () => T): T {
    this.configurationNow = this.configuration;
    try {
      return run();
    } finally {
      this.configurationNow = undefined;
    }
  }

  /** The proxy removes the plugin: its root context ends when the last stream has. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#root.release();
  }

  /** The VM that runs for this plugin now; after a failure, undefined until it has been reloaded. */
  get runningVm(): Vm<HostContext> | undefined {
    return this.#place.thread.vm(this.#place.vmKey);
  }

  /** Lets go of a VM without a word to the filter. */
  dropVm(vm: Vm<HostContext>): void {
    for (const context of vm.contexts.values()) if (context instanceof RootContext) context.stop();
    this.#place.thread.drop(this.#place.vmKey, vm);
  }

  /** Whether the VM runs, if need be once more. */
  #isReady(): boolean {
    if (this.failed && this.options.failurePolicy === "reload") this.#reload();
    return !this.failed;
  }

  #isOpen(): boolean {
    return this.options.failurePolicy === "open" || this.options.failurePolicy === "fail_open";
  }

  #start(again: boolean): RootContext {
    const vm = this.runningVm ?? this.#startVm();
    for (const context of vm.contexts.values()) {
      if (!(context instanceof RootContext) || !context.serves(this.identity)) continue;
      context.retain();
      return context;
    }
    const root = new RootContext(this, vm);
    const refusing = root.start(again);
    if (!vm.failed && !refusing) return root;
    root.stop();
    vm.contexts.delete(root.id);
    if (!vm.contexts.size) this.dropVm(vm);
    throw vm.failed
      ? new LoadError(startText(vm.failed), { cause: vm.failed })
      : new LoadError(refusalText(refusing!, root.trace));
  }

  #startVm(): Vm<HostContext> {
    const vm = this.#makeVm(this);
    vm.start();
    this.#place.thread.keep(this.#place.vmKey, vm, this.options.vmId);
    return vm;
  }

  #reload(): void {
    const { clock } = this.host;
    if (clock.now() - this.#loadedAt < BigInt(Math.round(this.options.reloadBackoffMs * 1e6))) return;
    this.#loadedAt = clock.now();
    try {
      this.#root = this.#start(true);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
  }
}

function refusalText(callback: string, trace: Trace): string {
  const said = trace.logs.map((entry) => entry.message);
  const what = callback === "proxy_on_configure" ? "its configuration (onConfigure" : "to start (onVmStart";
  const why = said.length ? ` It logged: ${said.join(" | ")}` : " It logged nothing about why.";
  return `the filter refused ${what} answered false).${why}`;
}

function startText(trap: Trap): string {
  const said = trap.trace.logs.at(-1)?.message;
  return `the filter stopped in ${trap.callback} while it was started: ${said ?? trap.message}`;
}

/** Stands in a stream for a filter that has failed before: the stream ends with this reply. */
function failedFilter(stream: HttpStream, reply: LocalReply): StreamFilter {
  return {
    headers: (which) => {
      if (which === "response") return HeadersAction.Continue;
      stream.sendLocalReply(reply);
      return HeadersAction.StopAllIterationAndWatermark;
    },
    data: () => DataAction.Continue,
    trailers: () => Action.Continue,
    metadata: () => {},
    log: () => {},
    destroy: () => {},
  };
}

/** Stands in a connection for a filter that has failed before: the connection is closed. */
function failedConnectionFilter(stream: TcpStream): ConnectionFilter {
  const close = (): Action => {
    stream.close(PeerType.Local);
    return Action.Pause;
  };
  return {
    newConnection: close,
    downstreamData: close,
    upstreamData: close,
    closed: () => {},
  };
}
