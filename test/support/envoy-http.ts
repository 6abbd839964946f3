// HTTP listeners of a real Envoy, each with one Wasm filter in front of an answer that Envoy gives by itself.

import { dirname } from "node:path";

import { answering, freePorts, httpListener, pluginConfig, pluginLogs, type, wasmFilter } from "./envoy-config.ts";
import { type RunningEnvoy, startEnvoy } from "./envoy.ts";

/** A filter for a listener. */
export interface HttpFilter {
  readonly file: string;
  readonly configuration?: string;
  readonly vmConfiguration?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Envoy with a listener for each filter. */
export interface HttpFilters {
  readonly envoy: RunningEnvoy;
  /** Where the filter of this name is. */
  url(name: string): string;
  /** What the streams of this filter have logged. */
  logs(name: string): string[];
}

/** Starts Envoy with these filters, by name; it answers what they let through with 200 and "Hello, world!". */
export async function startHttpFilters(path: string, filters: Record<string, HttpFilter>): Promise<HttpFilters> {
  const names = Object.keys(filters);
  const ports = await freePorts(names.length);
  const listeners = names.map((name, i) => listener(name, filters[name]!, ports[i]!));
  const folder = dirname(filters[names[0]!]!.file);
  const envoy = await startEnvoy(path, JSON.stringify({ static_resources: { listeners } }), folder);
  return {
    envoy,
    url: (name) => `http://127.0.0.1:${ports[names.indexOf(name)]}/`,
    logs: (name) => pluginLogs(envoy.log(), name),
  };
}

function listener(name: string, filter: HttpFilter, port: number): object {
  const config = pluginConfig(name, filter.configuration ?? "", filter.file) as { vm_config: Record<string, unknown> };
  const { vm_config: vm } = config;
  if (filter.environment) vm["environment_variables"] = { key_values: filter.environment };
  if (filter.vmConfiguration !== undefined) {
    vm["configuration"] = { ...type("google.protobuf.StringValue"), value: filter.vmConfiguration };
  }
  return httpListener(name, port, [wasmFilter(config)], [answering("Hello, world!")]);
}
