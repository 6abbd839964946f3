// Envoy's configuration for filters in front of an upstream. Source: Envoy's API, as 1.40 takes it.

import { isIP } from "node:net";
import { resolve } from "node:path";

import type { FailurePolicy } from "../../profiles/profile.ts";
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

const type = (name: string): object => ({ "@type": `type.googleapis.com/${name}` });

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
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [upstream ? routeTo(upstream) : hello] }],
    },
    http_filters: [
      ...filters.map((filter) => wasmFilter(filter, failurePolicy)),
      { name: "router", typed_config: type("envoy.extensions.filters.http.router.v3.Router") },
    ],
  };
  const listener = {
    name: "main",
    address: { socket_address: { address: host === "localhost" ? "127.0.0.1" : host, port_value: port } },
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }],
  };
  const all = [...(upstream ? [[UPSTREAM, upstream] as const] : []), ...clusters];
  return { static_resources: { listeners: [listener], clusters: all.map(([name, url]) => cluster(name, url)) } };
}

const hello: object = {
  match: { prefix: "/" },
  direct_response: { status: 200, body: { inline_string: "Hello, world!" } },
};

function routeTo({ pathname }: URL): object {
  const prefix = pathname.replace(/\/$/, "");
  // No limit for the whole response: event streams and WebSocket go on as long as they like.
  return {
    match: { prefix: "/" },
    route: { cluster: UPSTREAM, timeout: "0s", ...(prefix && { prefix_rewrite: `${prefix}/` }) },
  };
}

function wasmFilter({ name, rootId, module, configuration }: ConfiguredFilter, policy: FailurePolicy): object {
  return {
    name,
    typed_config: {
      ...type("envoy.extensions.filters.http.wasm.v3.Wasm"),
      config: {
        name,
        ...(rootId && { root_id: rootId }),
        ...(configuration.length && { configuration: configurationOf(configuration) }),
        failure_policy: { closed: "FAIL_CLOSED", open: "FAIL_OPEN", reload: "FAIL_RELOAD", fail_open: "FAIL_OPEN" }[
          policy
        ],
        vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: resolve(module) } } },
      },
    },
  };
}

function configurationOf(configuration: string | Uint8Array): object {
  try {
    const text =
      typeof configuration === "string"
        ? configuration
        : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(configuration);
    return { ...type("google.protobuf.StringValue"), value: text };
  } catch {
    return {
      ...type("google.protobuf.BytesValue"),
      value: Buffer.from(configuration as Uint8Array).toString("base64"),
    };
  }
}

function cluster(name: string, url: URL): object {
  const isTls = url.protocol === "https:";
  const address = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (isTls ? 443 : 80));
  // With its trailers, which Envoy drops otherwise.
  const http1 = { http_protocol_options: { enable_trailers: true } };
  const protocol = url.protocol === "h2c:" ? { http2_protocol_options: {} } : http1;
  return {
    name,
    type: isIP(address) ? "STATIC" : "STRICT_DNS",
    ...(isIP(address) ? {} : { dns_lookup_family: "V4_PREFERRED" }),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] }],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: protocol,
      },
    },
    ...(isTls && {
      transport_socket: {
        name: "tls",
        typed_config: { ...type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"), sni: address },
      },
    }),
  };
}
