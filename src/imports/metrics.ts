// Metrics.

import { MetricType } from "../../assembly/abi.ts";
import { encodeText } from "../encoding/bytes.ts";
import { HashedMetricIds, MetricIds } from "../services/metrics.ts";
import { Misuse, type Refusal } from "../error.ts";
import { beyond } from "../limits.ts";
import { type Family, isRefusal, unknownValue } from "./families.ts";

export const metricCalls: Family = ({ vm, plugin, host }) => {
  const { metrics, profile } = host.proxy;
  const { limits } = host;
  const isHashed = profile.metrics === "nginx";
  const ids = isHashed ? new HashedMetricIds(metrics, encodeText(plugin.options.name)) : new MetricIds(metrics);
  return {
    proxy_define_metric(type: number, name: number, nameSize: number, returnMetric: number) {
      if (type > MetricType.Histogram) return misused(unknownValue("metric type", type, MetricType.Histogram));
      if (!vm.memory.has(name, nameSize)) return vm.memory.outside("the name", name, nameSize);
      if (nameSize > limits.metricBytes) return beyond("metricBytes", "the bytes of the name", nameSize, limits);
      const text = vm.memory.text(name, nameSize);
      const bytes = metrics.bytesWith(type, text);
      if (bytes > limits.metricBytes) return beyond("metricBytes", "the bytes of the metrics' names", bytes, limits);
      if (ids.size >= limits.metricDefinitions) {
        return beyond("metricDefinitions", "the metrics that the VM defines", ids.size + 1, limits);
      }
      const id = ids.define(type, text);
      return isRefusal(id) ? id : vm.memory.writeNumber(returnMetric, id);
    },

    proxy_increment_metric(metric: number, offset: bigint) {
      return ids.increment(metric, BigInt.asIntN(64, offset));
    },

    proxy_record_metric(metric: number, value: bigint) {
      return ids.record(metric, BigInt.asUintN(64, value));
    },

    proxy_get_metric(metric: number, returnValue: number) {
      const value = ids.value(metric);
      if (isRefusal(value)) return value;
      if (isHashed && returnValue % 8)
        return vm.memory.outside("the place for the value, no multiple of 8", returnValue, 8);
      return vm.memory.writeLong(returnValue, value);
    },
  };
};

function misused({ status, reason }: Refusal): Refusal {
  return new Misuse(status, reason);
}
