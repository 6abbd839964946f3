// The filters that are served: loaded in a row, and loaded again when something about them has changed.

import type { LogLevel, Status } from "../../../assembly/abi.ts";
import { SystemClock } from "../../clock.ts";
import { chain, type FilterChain } from "../../filter-chain.ts";
import { type Filter, loadFilter } from "../../filter.ts";
import { isDebugged } from "../../module/debugger.ts";
import type { FailurePolicy } from "../../profiles/profile.ts";
import { ProxyState } from "../../contexts/proxy-state.ts";
import { grpcCluster } from "../../serve/grpc-cluster.ts";
import { http2Cluster } from "../../serve/http2-cluster.ts";
import { httpCluster } from "../../serve/http-cluster.ts";
import { Http2Sessions } from "../../serve/http2-sessions.ts";
import { Watchdog } from "../../module/time-limit.ts";
import type { Trace } from "../../trace.ts";
import { type FilterSpec, readConfig } from "../filter-flags.ts";
import { findCel } from "../find-cel.ts";

/** What the filters are to be run with. */
export interface FiltersOptions {
  readonly specs: readonly FilterSpec[];
  readonly clusters: ReadonlyMap<string, URL>;
  readonly failurePolicy: FailurePolicy;
  readonly logLevel: LogLevel;
  /** Hears a line of a filter's log; `filter` is its name, where there are several. */
  onLog?(level: LogLevel, message: string, filter: string | undefined): void;
  /** Hears of a host call that was refused. */
  onRefusal?(call: string, status: Status, reason: string, filter: string | undefined): void;
  /** Hears that a server which a filter calls cannot be reached. */
  onClusterFailure(cluster: string, url: URL, error: Error): void;
  /** Hears that a filter was stopped that seemed to run for ever, and with it all that was under way. */
  onStopped?(): void;
  /** Hears of what went wrong in a timer or in the answer to a callout. */
  onError(error: Error): void;
}

/** How long a callback may run, in milliseconds: far more than any needs, so that one that loops does not end the server. */
const CALLBACK_MS = 3000;

/** Callbacks in which a filter is loaded: there whoever loads it hears that one was stopped. Each takes 0.1 ms for it. */
const LOADING_CALLBACKS = 16;

/** The filters in one proxy: what they share outlives a new version of them. */
export class ServedFilters {
  readonly proxy: ProxyState;
  readonly #options: FiltersOptions;
  readonly #sessions = new Http2Sessions();
  #filters: readonly Filter[] = [];

  private constructor(options: FiltersOptions) {
    this.#options = options;
    const { clusters, onClusterFailure } = options;
    const boundary = (action: () => void): void => this.#guard(action);
    const each = <T>(make: (url: URL, onFailure: (error: Error) => void) => T): Record<string, T> =>
      Object.fromEntries(
        [...clusters].map(([name, url]) => [name, make(url, (error) => onClusterFailure(name, url, error))]),
      );
    this.proxy = new ProxyState({
      clock: new GuardedClock(boundary),
      seed: Date.now(),
      upstreams: each((url, onFailure) =>
        url.protocol === "h2c:" ? http2Cluster(url, this.#sessions, onFailure) : httpCluster(url, onFailure),
      ),
      grpc: each((url, onFailure) => grpcCluster(url, { sessions: this.#sessions, boundary, onFailure })),
    });
    this.#watchCallouts();
  }

  /** Loads them; rejects with a sentence when one cannot be. */
  static async load(options: FiltersOptions): Promise<ServedFilters> {
    const served = new ServedFilters(options);
    // Whoever stops at a breakpoint takes as long as he likes.
    if (!isDebugged()) {
      Watchdog.current ??= Watchdog.of(CALLBACK_MS, LOADING_CALLBACKS, {
        tooLong: (_name, milliseconds) =>
          new Error(
            `it ran for more than ${milliseconds / 1000} s, as if it never ended: a worker of Envoy would do nothing else`,
          ),
        onStopped: () => options.onStopped?.(),
      });
    }
    await served.reload();
    return served;
  }

  /** The filters in a row. */
  get chain(): FilterChain {
    return chain(this.#filters);
  }

  /** What happens in their root contexts, by their names. */
  get rootTraces(): Map<string, Trace> {
    return new Map(this.#filters.map((filter, i) => [this.#options.specs[i]!.name, filter.rootTrace]));
  }

  /** Why they have failed, those that have. */
  get traps(): string[] {
    return this.#filters.flatMap((filter) => filter.trap ?? []);
  }

  /**
   * Loads them once more, as they are now. What passes the old ones ends with them. When one cannot be loaded, rejects
   * and changes nothing.
   */
  async reload(): Promise<void> {
    const loaded: Filter[] = [];
    try {
      for (const spec of this.#options.specs) loaded.push(await this.#load(spec));
    } catch (error) {
      for (const filter of loaded) filter.close();
      throw error;
    }
    const old = this.#filters;
    this.#filters = loaded;
    for (const filter of old) this.#guard(() => filter.close());
  }

  /** Removes them. */
  close(): void {
    for (const filter of this.#filters) this.#guard(() => filter.close());
    this.#sessions.close();
  }

  async #load(spec: FilterSpec): Promise<Filter> {
    const { specs, failurePolicy, logLevel, onLog, onRefusal } = this.#options;
    Watchdog.current?.renew();
    const name = specs.length > 1 ? spec.name : undefined;
    return loadFilter(spec.module, {
      proxy: this.proxy,
      name: spec.name,
      rootId: spec.rootId,
      config: await readConfig(spec),
      expressions: await findCel(spec.module),
      failurePolicy,
      logLevel,
      onLog: ({ level, message }) => onLog?.(level, message, name),
      onRefusal: (call, { status, reason }) => onRefusal?.(call, status, reason, name),
    });
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onError(error as Error);
    }
  }

  /** What an answer to a callout makes go wrong is told to those who wait for a change, and ends nothing. */
  #watchCallouts(): void {
    const { work } = this.proxy.clusters;
    const wait = (): void => {
      work.changed().then(wait, (error: Error) => {
        this.#options.onError(error);
        wait();
      });
    };
    wait();
  }
}

/** The machine's clock, with timers whose mistakes stay where they are. */
class GuardedClock extends SystemClock {
  readonly #boundary: (action: () => void) => void;

  constructor(boundary: (action: () => void) => void) {
    super();
    this.#boundary = boundary;
  }

  override after(milliseconds: number, callback: () => void): () => void {
    return super.after(milliseconds, () => this.#boundary(callback));
  }
}
