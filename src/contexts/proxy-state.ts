// What the filters of one proxy have in common: time, metrics, shared data, queues, and the threads that they run on.
// Source: proxy-wasm-cpp-host src/wasm.cc, Envoy source/extensions/common/wasm/wasm.cc.

import { type Clock, VirtualClock } from "../clock.ts";
import type { CalloutUpstreams } from "../callouts/callouts.ts";
import { Clusters } from "../callouts/clusters.ts";
import { Dispatcher } from "../dispatcher.ts";
import type { DnsNames } from "../callouts/dns.ts";
import type { GrpcUpstreams } from "../callouts/grpc.ts";
import { Metrics } from "../services/metrics.ts";
import { type HostName, type HostVariant, needSetting, profileOf } from "../profiles/choose.ts";
import type { HostProfile } from "../profiles/profile.ts";
import { Queues } from "../services/queues.ts";
import { seededRandom } from "../random.ts";
import { RetryBudget } from "../streams/retry.ts";
import { SharedData } from "../services/shared-data.ts";
import { Thread } from "./thread.ts";

/** What a proxy is to be like. */
export interface ProxyOptions {
  /** Where time comes from; a `VirtualClock` by default. */
  readonly clock?: Clock;
  /** Where the virtual clock starts; the beginning of 2026 by default. */
  readonly now?: Date;
  /** The seed of request ids and of `random_get`; 1 by default. */
  readonly seed?: number;
  /**
   * The clusters that filters can call, by name: a function answers for each. A callout to another is refused, as in
   * Envoy; so is one to `null`, which stands for a cluster without a healthy host.
   */
  readonly upstreams?: CalloutUpstreams;
  /** The clusters that filters can call with gRPC, likewise. */
  readonly grpc?: GrpcUpstreams;
  /**
   * What the names stand for that filters ask the proxy to resolve (`envoy_resolve_dns`): `{ "a.test": ["192.0.2.1"] }`,
   * none for a name that does not exist, `null` when nobody can be asked; or a function. Names that are not given do
   * not exist; addresses and `localhost`, which is `::1`, stand for themselves.
   */
  readonly dns?: DnsNames;
  /**
   * Whether filters also run where Envoy runs them beside its workers: a configuration is tried out in a VM that is
   * dropped thereafter, the canary, and a VM stays on the main thread, which ticks, registers queues and counts, and
   * sees no streams. False by default, so that a test sees what one worker does.
   */
  readonly mainThread?: boolean;
  /**
   * The host to be like: `envoy` (1.40) by default, `higress`, `nginx` (ngx_wasm_module) or `kong`; or one with other
   * values: `{ base: "envoy", version: "1.36" }`, `{ base: "nginx", sharedDataZones: ["*"] }`.
   */
  readonly host?: HostName | HostVariant;
}

/**
 * What the filters of one proxy have in common: metrics, queues, shared data (for each `vm_id`), and time. Every
 * `loadFilter` makes one of its own unless it is given one. Filters with the same module, `vmId` and `vmConfig` share
 * one VM in each worker; with the same name, root id and configuration too, one root context. As in Envoy.
 */
export class ProxyState {
  /** Its time. `clock.advance(ms)` lets some pass, when it is a `VirtualClock`. */
  readonly clock: Clock;
  /** Fills an array with random bytes, from the seed. */
  readonly random: (bytes: Uint8Array) => void;
  /** What its host does in its own way. */
  readonly profile: HostProfile;
  /** Where callouts go. @internal */
  readonly clusters: Clusters;
  /** How many connections there were: the number of the next one. @internal */
  connections = 0;
  /** @internal */
  readonly dispatcher: Dispatcher = new Dispatcher();
  /** @internal */
  readonly metrics: Metrics = new Metrics();
  /** @internal */
  readonly sharedData: SharedData = new SharedData();
  /** @internal */
  readonly queues: Queues = new Queues(this.dispatcher);
  /** @internal */
  readonly retries: RetryBudget;
  /** Where Envoy keeps a VM beside those of its workers, or undefined when that is not played. @internal */
  readonly mainThread: Thread | undefined;
  /** What has been tried out there before it runs, by its identity. @internal */
  readonly triedOut: Set<string> = new Set();
  readonly #workers: Thread[] = [];
  readonly #modules: Uint8Array[] = [];
  readonly #vmIds = new Map<string, number>();

  constructor(options: ProxyOptions = {}) {
    this.clock = options.clock ?? new VirtualClock(options.now);
    this.random = seededRandom(options.seed ?? 1);
    this.profile = profileOf(options.host);
    if (options.mainThread !== undefined) needSetting(this.profile, "mainThread");
    const { upstreams = {}, grpc = {}, dns = {} } = options;
    this.clusters = new Clusters(upstreams, grpc, dns, this.clock, this.profile);
    this.retries = new RetryBudget(this.random, this.clusters.work);
    this.mainThread = options.mainThread ? this.newThread() : undefined;
  }

  /** The worker of this number, from 0. @internal */
  worker(index: number): Thread {
    return (this.#workers[index] ??= this.newThread());
  }

  /** A thread of no worker. @internal */
  newThread(): Thread {
    return new Thread((vmId, alive) => this.#count(vmId, alive));
  }

  /** A number that equal modules share. @internal */
  moduleNumber(bytes: Uint8Array): number {
    const index = this.#modules.findIndex((known) => equal(known, bytes));
    return index < 0 ? this.#modules.push(bytes) - 1 : index;
  }

  /** What VMs of one vm_id share goes with the last of them. */
  #count(vmId: string, alive: 1 | -1): void {
    const count = (this.#vmIds.get(vmId) ?? 0) + alive;
    this.#vmIds.set(vmId, count);
    if (count) return;
    this.sharedData.forget(vmId);
    this.queues.forget(vmId);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}
