// Counters, gauges and histograms in the proxy's statistics.

import { MetricType, Status } from "./abi";
import { proxy_define_metric, proxy_get_metric, proxy_increment_metric, proxy_record_metric } from "./env";
import { answerData, beginCall, write, written } from "./memory";
import { checked, DONE } from "./status";

/**
 * What all metrics have. A metric is defined in the proxy when it is first used: making an object calls nothing, so it
 * may be done at the top level of the entry file. Objects of the same name and kind mean the same metric, and the SDK
 * defines it once, so that an object may also be made for each request.
 *
 * Envoy adds up what all VMs of a proxy count: every worker, the main thread, and the canary that tries a configuration
 * out. What is counted in `onConfigure` is therefore counted three times with one worker, and a gauge that each VM sets
 * shows the last one: let each VM add and subtract its own part, or set it in one VM only (`Lease`).
 *
 * Envoy shows the metric as `wasmcustom.<name>` in `/stats`, and as `<name>` in `/stats/prometheus`, with `_` for what
 * Prometheus does not take in a name. Istio shows only what its proxy includes in its statistics
 * (`proxyStatsMatcher`). Metrics never go away: a tag whose values come from a client may fill the proxy's memory.
 * Source: proxy-wasm/spec v0.2.1, "Metrics"; Envoy `source/extensions/common/wasm/context.cc`.
 */
export abstract class Metric {
  /** The ABI's number of the metric, once it is known. */
  private id: u32 = 0;
  private known: bool = false;

  protected constructor(
    /** Tags and name, as the proxy has them. */
    readonly name: string,
    private readonly type: MetricType,
  ) {}

  /** Defines the metric, so that the proxy shows it before it is used. `Ok`, or why the host does not take it. */
  define(): Status {
    if (this.known) return Status.Ok;
    const status = defineMetric(this.type, changetype<usize>(this.name));
    if (status == Status.Ok) {
      this.id = load<u32>(answerData);
      this.known = true;
    }
    return status;
  }

  /** Adds to it. */
  protected add(offset: i64): Status {
    const status = this.define();
    if (status != Status.Ok) return status;
    return checked(changetype<usize>("proxy_increment_metric"), proxy_increment_metric(this.id, offset), DONE, seenAdd);
  }

  /** Sets it, or gives it a sample. */
  protected put(value: u64): Status {
    const status = this.define();
    if (status != Status.Ok) return status;
    return checked(changetype<usize>("proxy_record_metric"), proxy_record_metric(this.id, value), DONE, seenPut);
  }

  /** What it stands at; 0 when the host does not say. */
  protected ask(): u64 {
    if (this.define() != Status.Ok) return 0;
    beginCall();
    const status = proxy_get_metric(this.id, answerData);
    checked(changetype<usize>("proxy_get_metric"), status, DONE, seenAsk);
    return status == Status.Ok ? load<u64>(answerData) : 0;
  }
}

/** A count that only grows. */
export class Counter extends Metric {
  /** `name` may have dots, which Envoy keeps and Prometheus shows as `_`. */
  constructor(name: string) {
    super(name, MetricType.Counter);
  }

  /** This counter with a tag; see `tagged`. */
  tag(name: string, value: string): Counter {
    return new Counter(tagged(this.name, name, value));
  }

  /** Adds to the count. Adding 0 does nothing, and needs no host call. */
  increment(offset: u64 = 1): Status {
    // Envoy refuses 0.
    return offset ? this.add(offset) : this.define();
  }

  /**
   * What all VMs of the proxy have counted so far. A number cannot be `null`: it is 0 when the host does not say, as it
   * is before anything was counted; the log has the host's answer once then.
   */
  get value(): u64 {
    return this.ask();
  }
}

/** A number that goes up and down. */
export class Gauge extends Metric {
  /** `name` may have dots, which Envoy keeps and Prometheus shows as `_`. */
  constructor(name: string) {
    super(name, MetricType.Gauge);
  }

  /** This gauge with a tag; see `tagged`. */
  tag(name: string, value: string): Gauge {
    return new Gauge(tagged(this.name, name, value));
  }

  /** Adds to the number. ngx_wasm_module stops the filter: it knows only `record` for gauges. */
  increment(offset: i64 = 1): Status {
    return this.add(offset);
  }

  /** Subtracts from the number. Envoy shows what is below 0 as a number near 2^64. */
  decrement(offset: i64 = 1): Status {
    return this.add(-offset);
  }

  /** Sets the number. */
  record(value: i64): Status {
    return this.put(value);
  }

  /** The number now; 0 when the host does not say, as for `Counter.value`. */
  get value(): i64 {
    return this.ask();
  }
}

/** Samples of which the proxy shows how they are distributed. There is no reading it back. */
export class Histogram extends Metric {
  /** `name` may have dots, which Envoy keeps and Prometheus shows as `_`. */
  constructor(name: string) {
    super(name, MetricType.Histogram);
  }

  /** This histogram with a tag; see `tagged`. */
  tag(name: string, value: string): Histogram {
    return new Histogram(tagged(this.name, name, value));
  }

  /** Gives it a sample. Envoy's `/stats` shows quantiles from its next flush on, every five seconds. */
  record(value: u64): Status {
    return this.put(value);
  }
}

/**
 * The name of a metric with a tag (a label, in Prometheus), in the form that Istio's own metrics have:
 * `code=.=200;.;requests`. There are no tags in the ABI: Envoy takes them out of names by regular expressions. Istio
 * writes those for every tag that is listed in `extraStatTags` (`meshConfig.defaultConfig`, or the annotation
 * `proxy.istio.io/config`). With Envoy alone, put into the bootstrap configuration:
 *
 *     stats_config: { stats_tags: [{ tag_name: code, regex: "(code=\\.=(.*?);\\.;)" }] }
 *
 * Without either, the metric stands there under its whole name. A value must not contain `;.;`, and values should be
 * few. Source: Istio `tools/packaging/common/envoy_bootstrap.json`; Envoy `config.metrics.v3.TagSpecifier`.
 */
export function tagged(metric: string, name: string, value: string): string {
  return name + "=.=" + value + ";.;" + metric;
}

const seenDefine: usize = memory.data(4);
const seenAdd: usize = memory.data(4);
const seenPut: usize = memory.data(4);
const seenAsk: usize = memory.data(4);

// What has been defined, in a hash table of blocks that are never freed, since the proxy keeps metrics for ever too:
// the next block, the hash of name and type, the id, the size of the name, its bytes. No managed value is used here.
const BUCKETS: u32 = 64;
const buckets: usize = memory.data(256, 4);
const HASH: usize = 4;
const ID: usize = 8;
const SIZE: usize = 12;
const NAME: usize = 16;

/** Defines the metric whose name is the string at `text`, unless it is; leaves its id at `answerData`. */
function defineMetric(type: MetricType, text: usize): Status {
  beginCall();
  const name = write(text);
  const size = written;
  const hash = hashOf(type, name, size);
  const bucket = buckets + ((((hash >>> 2) % BUCKETS) as usize) << 2);
  for (let block = load<usize>(bucket); block; block = load<usize>(block)) {
    if (load<u32>(block, HASH) != hash || load<u32>(block, SIZE) != (size as u32)) continue;
    if (memory.compare(block + NAME, name, size)) continue;
    store<u32>(answerData, load<u32>(block, ID));
    return Status.Ok;
  }
  const status = proxy_define_metric(type, name, size, answerData);
  if (status != Status.Ok) return checked(changetype<usize>("proxy_define_metric"), status, DONE, seenDefine);
  const block = heap.alloc(NAME + size);
  store<usize>(block, load<usize>(bucket));
  store<u32>(block, hash, HASH);
  store<u32>(block, load<u32>(answerData), ID);
  store<u32>(block, size as u32, SIZE);
  memory.copy(block + NAME, name, size);
  store<usize>(bucket, block);
  return Status.Ok;
}

/** FNV-1a over the type and the name; the type stands in the two low bits. */
function hashOf(type: u32, name: usize, size: usize): u32 {
  let hash: u32 = 0x811c_9dc5;
  for (let at = name; at < name + size; at++) hash = (hash ^ load<u8>(at)) * 0x0100_0193;
  return ((hash ^ (hash >>> 16)) & ~3) | type;
}
