// The configuration of the Envoy that scenarios run in.

import { address, cluster, httpManager, leadingTo, type, wasmFilter } from "../support/envoy-config.ts";
import type { Options } from "./scenario.ts";

const text = (value: string): object => ({ ...type("google.protobuf.StringValue"), value });

/** A filter in a listener: `file` is its module. */
export interface Plugin {
  readonly vmId: string;
  readonly file: string;
  readonly options: Options;
}

/** A listener with filters, for HTTP or TCP. */
export function listener(id: string, plugins: readonly Plugin[], accessLog: string, tcp: boolean): object {
  const { bufferBytes } = plugins[0]!.options;
  const log = { access_log: [logTo(accessLog)] };
  return {
    name: id,
    address: address(0),
    ...(bufferBytes !== undefined && { per_connection_buffer_limit_bytes: bufferBytes }),
    filter_chains: [{ filters: tcp ? tcpFilters(id, plugins, log) : [httpFilters(id, plugins, log)] }],
  };
}

function httpFilters(id: string, plugins: readonly Plugin[], log: object): object {
  const wasm = plugins.map((plugin) => wasmFilter(pluginConfig(plugin), `wasm-${plugin.vmId}`));
  return httpManager(id, wasm, [leadingTo(id)], { http_protocol_options: { enable_trailers: true }, ...log });
}

function tcpFilters(id: string, plugins: readonly Plugin[], log: object): object[] {
  const wasm = plugins.map((plugin) => ({
    name: `wasm-${plugin.vmId}`,
    typed_config: { ...type("envoy.extensions.filters.network.wasm.v3.Wasm"), config: pluginConfig(plugin) },
  }));
  const proxy = { ...type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"), stat_prefix: id, cluster: id };
  return [...wasm, { name: "tcp", typed_config: { ...proxy, ...log } }];
}

function logTo(path: string): object {
  const format = "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n";
  return {
    name: "file",
    typed_config: {
      ...type("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
      path,
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

function pluginConfig({ vmId, file, options }: Plugin): object {
  const { name = "p", rootId, config, vmConfig, failurePolicy, environment } = options;
  return {
    name,
    ...(rootId !== undefined && { root_id: rootId }),
    ...(config !== undefined && { configuration: text(config) }),
    ...(failurePolicy === "open" && { failure_policy: "FAIL_OPEN" }),
    ...(failurePolicy === "fail_open" && { fail_open: true }),
    ...(failurePolicy === "reload" && {
      failure_policy: "FAIL_RELOAD",
      reload_config: { backoff: { base_interval: `${(options.reloadBackoffMs ?? 1000) / 1000}s` } },
    }),
    ...(options.allowOnHeadersStopIteration && { allow_on_headers_stop_iteration: true }),
    vm_config: {
      vm_id: vmId,
      runtime: "envoy.wasm.runtime.v8",
      code: { local: { filename: file } },
      ...(vmConfig !== undefined && { configuration: text(vmConfig) }),
      ...(environment && { environment_variables: { key_values: environment } }),
    },
  };
}

/** A cluster: one host at a port, none at port 0. */
export interface Cluster {
  readonly name: string;
  readonly port: number;
  /** Whether it speaks HTTP/2. */
  readonly http2?: boolean;
  /** Whether its circuit breaker lets nothing through. */
  readonly full?: boolean;
}

/** The configuration of a cluster. */
export function clusterConfig({ name, port, http2, full }: Cluster): object {
  const http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const protocol = http2 ? { http2_protocol_options: {} } : { http_protocol_options: { enable_trailers: true } };
  const nothing = { max_requests: 0, max_pending_requests: 0, max_connections: 0 };
  return cluster(name, port, {
    connect_timeout: "1s",
    typed_extension_protocol_options: { [http]: { ...type(http), explicit_http_config: protocol } },
    ...(full && { circuit_breakers: { thresholds: [nothing] } }),
    ...(!port && { load_assignment: { cluster_name: name } }),
  });
}
