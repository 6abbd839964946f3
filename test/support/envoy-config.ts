// Pieces of Envoy's configuration, and of its log, for tests that start it with many listeners.

import { freePort } from "./envoy.ts";

/** The type of a `typed_config`. */
export const type = (path: string): object => ({ "@type": `type.googleapis.com/${path}` });

/** A place on the loopback address. */
export const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/** The `config` of a Wasm filter named `name`, in a VM of its own, with this configuration. */
export function pluginConfig(name: string, configuration: string, file: string): object {
  return {
    name,
    configuration: { ...type("google.protobuf.StringValue"), value: configuration },
    vm_config: { vm_id: vmId(name), runtime: "envoy.wasm.runtime.v8", code: { local: { filename: file } } },
  };
}

/** An HTTP filter that is a module, with what `pluginConfig` gives. */
export function wasmFilter(config: object, name = "wasm"): object {
  return { name, typed_config: { ...type("envoy.extensions.filters.http.wasm.v3.Wasm"), config } };
}

/** A route of every request to an answer of Envoy's own. */
export function answering(text: string): object {
  return { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: text } } };
}

/** A route of every request to a cluster. */
export function leadingTo(cluster: string): object {
  return { match: { prefix: "/" }, route: { cluster } };
}

/** What makes a listener one of HTTP: filters in front of routes; `options` are further fields. */
export function httpManager(
  name: string,
  filters: readonly object[],
  routes: readonly object[],
  options: object = {},
): object {
  const router = { name: "router", typed_config: type("envoy.extensions.filters.http.router.v3.Router") };
  const manager = {
    ...type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: name,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [...filters, router],
    ...options,
  };
  return { name: "http", typed_config: manager };
}

/** A listener for HTTP; the rest is as for `httpManager`. */
export function httpListener(
  name: string,
  port: number,
  filters: readonly object[],
  routes: readonly object[],
  options: object = {},
): object {
  const chain = { filters: [httpManager(name, filters, routes, options)] };
  return { name, address: address(port), filter_chains: [chain] };
}

/** A cluster of one server; `options` are further fields. */
export function cluster(name: string, port: number, options: object = {}): object {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }];
  return { name, type: "STATIC", load_assignment: { cluster_name: name, endpoints }, ...options };
}

/** What the streams of such a filter have logged. */
export function pluginLogs(log: string, name: string): string[] {
  const marker = `wasm log ${name} ${vmId(name)}: `;
  return log.split("\n").flatMap((line) => {
    const at = line.indexOf(marker);
    return at < 0 ? [] : [line.slice(at + marker.length)];
  });
}

/** So many free ports, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

function vmId(name: string): string {
  return `vm-${name}`;
}

/** A cluster that a filter can call. */
export interface CalledCluster {
  /** The port on the loopback address; undefined leaves the cluster without a host. */
  readonly port: number | undefined;
  readonly http2?: boolean;
}

/** What differs between configurations. */
export interface CallingOptions {
  readonly port: number;
  /** The path of the module. */
  readonly module: string;
  /** The configuration of the plugin, as text. */
  readonly configuration?: string;
  /** `upstream` among them is where requests go. */
  readonly clusters: Readonly<Record<string, CalledCluster>>;
}

/** An Envoy with one filter, named `filter`, in front of an upstream, and clusters that it can call, as JSON. */
export function callingConfig({ port, module, configuration = "", clusters }: CallingOptions): string {
  const filter = wasmFilter({
    name: "filter",
    vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } },
    configuration: { ...type("google.protobuf.StringValue"), value: configuration },
  });
  const listeners = [httpListener("main", port, [filter], [leadingTo("upstream")])];
  return JSON.stringify({ static_resources: { listeners, clusters: Object.entries(clusters).map(calledCluster) } });
}

function calledCluster([name, { port, http2 }]: [string, CalledCluster]): object {
  const options = type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions");
  // Without the option Envoy drops the trailers of HTTP/1.
  const protocol = http2 ? { http2_protocol_options: {} } : { http_protocol_options: { enable_trailers: true } };
  const typed_extension_protocol_options = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": { ...options, explicit_http_config: protocol },
  };
  if (port !== undefined) return cluster(name, port, { typed_extension_protocol_options });
  return {
    name,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [] }] },
    typed_extension_protocol_options,
  };
}
