// Metrics.

import { MetricType } from "../../assembly/abi.ts";
import { MetricIds } from "../metrics.ts";
import { type Family, isRefusal, unknownValue } from "./families.ts";

export const metricCalls: Family = ({ vm, host }) => {
  const ids = new MetricIds(host.proxy.metrics);
  return {
    proxy_define_metric(type: number, name: number, nameSize: number, returnMetric: number) {
      if (type > MetricType.Histogram) return unknownValue("metric type", type, MetricType.Histogram);
      if (!vm.memory.has(name, nameSize)) return vm.memory.outside("the name", name, nameSize);
      return vm.memory.writeNumber(returnMetric, ids.define(type, vm.memory.text(name, nameSize)));
    },

    proxy_increment_metric(metric: number, offset: bigint) {
      return ids.increment(metric, BigInt.asIntN(64, offset));
    },

    proxy_record_metric(metric: number, value: bigint) {
      return ids.record(metric, BigInt.asUintN(64, value));
    },

    proxy_get_metric(metric: number, returnValue: number) {
      const value = ids.value(metric);
      return isRefusal(value) ? value : vm.memory.writeLong(returnValue, value);
    },
  };
};
