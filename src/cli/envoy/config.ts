// Envoy's configuration for filters in front of an upstream. Source: Envoy's API, as 1.40 takes it.

import { resolve } from "node:path";

import {
  clusterOf,
  configurationMessage,
  failurePolicies,
  hello,
  httpFilter,
  router,
  type,
} from "../../manifest/envoy-parts.ts";
import type { FailurePolicy } from "../../profiles/profile.ts";
import { pathPrefix } from "../../serve/address.ts";
import { UsageError } from "../errors.ts";
import type { FilterSpec } from "../filter-flags.ts";

/** A filter with the bytes of its configuration. */
export interface ConfiguredFilter extends FilterSpec {
  readonly configuration: string | Uint8Array;
}

/** What the configuration is for. */
export interface EnvoyOptions {
  readonly host: string;
  readonly port: number;
  readonly upstream: URL | undefined;
  readonly clusters: ReadonlyMap<string, URL>;
  readonly failurePolicy: FailurePolicy;
  readonly filters: readonly ConfiguredFilter[];
}

/** The cluster that requests go to. */
const UPSTREAM = "upstream";

/** The configuration, as what YAML or JSON is written from. */
export function envoyConfig(options: EnvoyOptions): object {
  const { host, port, upstream, clusters, filters, failurePolicy } = options;
  if (upstream && clusters.has(UPSTREAM)) {
    throw new UsageError(`the cluster "${UPSTREAM}" is where --upstream leads; give the other one another name`);
  }
  for (const [name, url] of clusters) {
    if (/^\/?$/.test(url.pathname)) continue;
    throw new UsageError(
      `the cluster ${name} has the path ${url.pathname}, which Envoy cannot put in front of a callout's`,
    );
  }
  const manager = {
    ...type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "proxy_wasm",
    upgrade_configs: [{ upgrade_type: "websocket" }],
    route_config: {
      name: "routes",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [upstream ? routeTo(upstream) : { match: { prefix: "/" }, direct_response: hello }],
        },
      ],
    },
    http_filters: [...filters.map((filter) => wasmFilter(filter, failurePolicy)), router],
  };
  const listener = {
    name: "main",
    address: { socket_address: { address: host === "localhost" ? "127.0.0.1" : host, port_value: port } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
  };
  const all = [...(upstream ? [[UPSTREAM, upstream] as const] : []), ...clusters];
  return { static_resources: { listeners: [listener], clusters: all.map(([name, url]) => clusterOf(name, url)) } };
}

function routeTo(upstream: URL): object {
  const prefix = pathPrefix(upstream);
  // No limit for the whole response: event streams and WebSocket go on as long as they like.
  return {
    match: { prefix: "/" },
    route: { cluster: UPSTREAM, timeout: "0s", ...(prefix && { prefix_rewrite: `${prefix}/` }) },
  };
}

function wasmFilter({ name, rootId, module, configuration }: ConfiguredFilter, policy: FailurePolicy): object {
  return httpFilter(name, {
    name,
    root_id: rootId || undefined,
    configuration: configuration.length ? configurationMessage(configuration) : undefined,
    failure_policy: failurePolicies[policy],
    vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: resolve(module) } } },
  });
}
