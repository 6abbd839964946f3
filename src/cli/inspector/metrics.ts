// Metrics in Prometheus' text format. Source: prometheus.io "Exposition formats"; Envoy's names for what filters define.

import type { Metric } from "../../services/metrics.ts";

/** The upper bounds of Envoy's buckets. */
const BUCKETS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** All of them as text. */
export function prometheusText(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  const seen = new Set<string>();
  for (const metric of metrics) {
    // Names that differ only in what Prometheus does not take fall together; the first one counts.
    const name = nameOf(metric.name);
    if (seen.has(name)) continue;
    seen.add(name);
    lines.push(
      `# TYPE ${name} ${metric.kind}`,
      ...(metric.kind === "histogram" ? histogram(name, metric) : [`${name} ${metric.exactValue}`]),
    );
  }
  return lines.length ? `${lines.join("\n")}\n` : "";
}

function histogram(name: string, metric: Metric): string[] {
  const lines = BUCKETS.map((bound) => {
    const count = metric.samples.filter((sample) => sample <= bound).length;
    return `${name}_bucket{le="${bound}"} ${count}`;
  });
  return [
    ...lines,
    `${name}_bucket{le="+Inf"} ${metric.count}`,
    `${name}_sum ${metric.exactValue}`,
    `${name}_count ${metric.count}`,
  ];
}

function nameOf(name: string): string {
  const text = name.replace(/[^a-zA-Z0-9_]/g, "_");
  return /^\d/.test(text) ? `_${text}` : text;
}
