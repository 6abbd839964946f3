// Metrics: counters, gauges and histograms that belong to the proxy, and the ids by which a VM knows them. Every
// definition makes a new id, and equal ones mean the same metric.
// Source: Envoy source/extensions/common/wasm/context.cc (defineMetric and those below it); a running Envoy 1.40.

import { MetricType, Status } from "../../assembly/abi.ts";
import { type ByteString, bytesOf, decodeText } from "../encoding/bytes.ts";
import { crc32 } from "../encoding/crc32.ts";
import { Misuse, Refusal } from "../error.ts";
import { ENTRY_BYTES } from "../limits.ts";

/** What a metric is: a counter only grows, a gauge goes up and down, a histogram collects samples. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** The kinds, by the ABI's numbers. */
const kinds: readonly MetricKind[] = ["counter", "gauge", "histogram"];

/** The most samples that a histogram keeps; beyond it the older half goes. Count and sum count all. */
const MOST_SAMPLES = 10_000;

/** A metric of the proxy. */
export class Metric {
  /** As the filter named it. */
  readonly name: string;
  /** What kind of metric it is. */
  readonly kind: MetricKind;
  /** A histogram's samples, the last 10,000 at most. */
  readonly samples: number[] = [];
  /** How many samples a histogram was given. */
  count = 0;
  #value = 0n;

  constructor(name: string, kind: MetricKind) {
    this.name = name;
    this.kind = kind;
  }

  /** Its name in Envoy's `/stats`. Prometheus has it without the prefix, and `_` for what it does not take. */
  get statName(): string {
    return `wasmcustom.${this.name}`;
  }

  /** What a counter or gauge stands at, or the sum of a histogram's samples; beyond 2^53 only about. */
  get value(): number {
    return Number(this.#value);
  }

  /** As `value`, exactly. A gauge that was brought below 0 stands near 2^64, as in Envoy. */
  get exactValue(): bigint {
    return this.#value;
  }

  /** @internal */
  set(value: bigint): void {
    this.#value = BigInt.asUintN(64, value);
  }

  /** @internal */
  sample(value: bigint): void {
    this.set(this.#value + value);
    this.count++;
    if (this.samples.push(Number(value)) > MOST_SAMPLES) this.samples.splice(0, MOST_SAMPLES / 2);
  }
}

/** The metrics of a proxy. */
export class Metrics {
  readonly #metrics = new Map<string, Metric>();
  #bytes = 0;

  /** The bytes of all names, `ENTRY_BYTES` more for each, with that of this metric. */
  bytesWith(type: MetricType, name: ByteString): number {
    return this.#metrics.has(`${type} ${name}`) ? this.#bytes : this.#bytes + name.length + ENTRY_BYTES;
  }

  /** The metric of this name and type, made when it is new. The same name may stand for one of each type. */
  define(type: MetricType, name: ByteString): Metric {
    const key = `${type} ${name}`;
    let metric = this.#metrics.get(key);
    if (!metric) {
      metric = new Metric(decodeText(name), kinds[type]!);
      this.#metrics.set(key, metric);
      this.#bytes += name.length + ENTRY_BYTES;
    }
    return metric;
  }

  /** Every metric, in the order of definition. */
  list(): Metric[] {
    return [...this.#metrics.values()];
  }

  /** The metric of this name; throws when there is none. */
  named(name: string): Metric {
    const metrics = this.list();
    const found = metrics.find((metric) => metric.name === name || metric.statName === name);
    if (found) return found;
    const names = metrics.map((metric) => metric.name).join(", ");
    throw new Error(`there is no metric ${JSON.stringify(name)}; defined are: ${names || "none"}`);
  }
}

/** An id tells its type by its two low bits; those of a type go up by four. */
const TYPE_BITS = 3;
const ID_STEP = 4;

/** The metrics that a VM has defined, by its ids. */
export class MetricIds {
  readonly #metrics: Metrics;
  readonly #byId = new Map<number, Metric>();

  /** How many ids there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** The first counter is 4, the first gauge 5, the first histogram 6. */
  readonly #nextIds = [MetricType.Counter, MetricType.Gauge, MetricType.Histogram].map((type) => type + ID_STEP);

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** A new id for the metric of this name. */
  define(type: MetricType, name: ByteString): number {
    const id = this.#nextIds[type]!;
    this.#nextIds[type] = (id + ID_STEP) >>> 0;
    this.#byId.set(id, this.#metrics.define(type, name));
    return id;
  }

  /** Adds to a counter, or to a gauge, which may also go down. */
  increment(id: number, offset: bigint): Refusal | undefined {
    const metric = this.#find(id);
    if (metric instanceof Refusal) return metric;
    if (metric.kind === "histogram") return noHistogram("be incremented: record a sample");
    if (metric.kind === "counter" && offset <= 0n) {
      return new Refusal(Status.BadArgument, `a counter only grows: it was to be incremented by ${offset}`);
    }
    metric.set(metric.exactValue + offset);
    return undefined;
  }

  /** Adds to a counter, sets a gauge, gives a histogram a sample. */
  record(id: number, value: bigint): Refusal | undefined {
    const metric = this.#byId.get(id);
    if (!metric) return unknown(id);
    if (metric.kind === "histogram") metric.sample(value);
    else metric.set(metric.kind === "counter" ? metric.exactValue + value : value);
    return undefined;
  }

  /** What a counter or gauge stands at. */
  value(id: number): bigint | Refusal {
    const metric = this.#find(id);
    if (metric instanceof Refusal) return metric;
    return metric.kind === "histogram" ? noHistogram("be read: the proxy sums it up") : metric.exactValue;
  }

  /** The metric of this id. What is no counter's id and no gauge's counts as a histogram's, known or not. */
  #find(id: number): Metric | Refusal {
    if ((id & TYPE_BITS) >= MetricType.Histogram) return this.#byId.get(id) ?? noHistogram("be used so");
    return this.#byId.get(id) ?? unknown(id);
  }
}

function unknown(id: number): Refusal {
  return new Misuse(Status.NotFound, `there is no metric ${id}; proxy_define_metric gives ids, to each VM its own`);
}

function noHistogram(what: string): Refusal {
  return new Refusal(Status.BadArgument, `a histogram cannot ${what}`);
}

/** The longest name of a metric in nginx, with what stands in front. */
const LONGEST_NAME = 256;

/** The metrics as nginx has them: known by a hash of their names, counters alone can be incremented, and not recorded. */
export class HashedMetricIds {
  readonly #metrics: Metrics;
  readonly #plugin: ByteString;
  readonly #byId = new Map<number, Metric>();

  /** How many ids there are. */
  get size(): number {
    return this.#byId.size;
  }

  constructor(metrics: Metrics, plugin: ByteString) {
    this.#metrics = metrics;
    this.#plugin = plugin;
  }

  /** The id of this name, whatever its type was when it was new. */
  define(type: MetricType, name: ByteString): number | Refusal {
    const whole = `pw:${this.#plugin}:${name}`;
    if (whole.length > LONGEST_NAME) {
      return new Misuse(Status.BadArgument, `the metric's name has ${whole.length} bytes, ${LONGEST_NAME} at most`);
    }
    const id = crc32(bytesOf(whole));
    if (!this.#byId.has(id)) this.#byId.set(id, this.#metrics.define(type, name));
    return id;
  }

  /** Adds to a counter. */
  increment(id: number, offset: bigint): Refusal | undefined {
    return this.#change(id, ["counter"], (metric) => metric.set(metric.exactValue + offset));
  }

  /** Sets a gauge, gives a histogram a sample. */
  record(id: number, value: bigint): Refusal | undefined {
    return this.#change(id, ["gauge", "histogram"], (metric) =>
      metric.kind === "histogram" ? metric.sample(value) : metric.set(value),
    );
  }

  /** What a counter or gauge stands at. */
  value(id: number): bigint | Refusal {
    const metric = this.#byId.get(id);
    if (!metric) return unknown(id);
    return metric.kind === "histogram" ? wrongKind(metric, ["counter", "gauge"]) : metric.exactValue;
  }

  #change(id: number, kinds: readonly MetricKind[], change: (metric: Metric) => void): Refusal | undefined {
    const metric = this.#byId.get(id);
    if (!metric) return unknown(id);
    if (!kinds.includes(metric.kind)) return wrongKind(metric, kinds);
    change(metric);
    return undefined;
  }
}

function wrongKind({ name, kind }: Metric, kinds: readonly MetricKind[]): Refusal {
  return new Misuse(Status.BadArgument, `${name} is a ${kind}; it should be a ${kinds.join(" or a ")}`);
}
