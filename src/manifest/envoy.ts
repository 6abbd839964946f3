// An Envoy with the filter, whole: it starts as it is. Source: Envoy's API, as 1.40 takes it.

import { isIP } from "node:net";

import { head } from "./document.ts";
import { clusterOf, hello, httpFilter, router, type } from "./envoy-parts.ts";
import { ManifestError } from "./error.ts";
import type { EnvoyPlace, Filter } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { envoyPlugin } from "./plugin-config.ts";
import { note, writeYaml } from "./yaml.ts";

const UPSTREAM = "upstream";
const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
const DOWNLOAD = "proxy_wasm_download";

/** A static configuration. */
export function envoyBootstrap(filter: Filter, place: EnvoyPlace): string {
  checkLimits(filter, "envoy");
  const isRemote = place.file === undefined && filter.download !== undefined;
  if (place.clusters && Object.hasOwn(place.clusters, UPSTREAM) && place.upstream !== undefined) {
    throw new ManifestError(
      `targets.envoy.clusters has "${UPSTREAM}", where targets.envoy.upstream leads; give it another name`,
    );
  }
  const plugin = envoyPlugin(filter, isRemote ? remoteCode(filter) : localCode(filter, place));
  const servers = {
    ...(place.upstream !== undefined && { [UPSTREAM]: place.upstream }),
    ...place.clusters,
    ...(isRemote && { [DOWNLOAD]: new URL(filter.download!.url).origin }),
  };
  const clusters = Object.entries(servers).map(([name, url]) => clusterOf(name, new URL(url), trusted));
  const service = { ...type("envoy.extensions.wasm.v3.WasmService"), config: plugin, singleton: true };
  const listener = filter.kind === "service" ? undefined : listenerOf(filter, place, plugin);
  return writeYaml(`${head("envoy")}\nLook at it with: envoy --mode validate -c FILE`, {
    bootstrap_extensions: listener ? undefined : [{ name: "envoy.bootstrap.wasm", typed_config: service }],
    static_resources: {
      listeners: listener && [listener],
      clusters: clusters.length
        ? note("The servers that requests go to and that the filter calls.", clusters)
        : undefined,
    },
  });
}

/** Only certificates that an authority has given to this name. */
function trusted(address: string): object {
  const san_type = isIP(address) ? "IP_ADDRESS" : "DNS";
  return {
    validation_context: {
      trusted_ca: {
        filename: note("The authorities that the machine trusts, where Debian and Alpine have them.", AUTHORITIES),
      },
      match_typed_subject_alt_names: [{ san_type, matcher: { exact: address } }],
    },
  };
}

function localCode({ module }: Filter, { file }: EnvoyPlace): object {
  return { local: { filename: note("Where the filter lies on the machine that Envoy runs on.", file ?? module) } };
}

function remoteCode({ download }: Filter): object {
  return {
    remote: {
      http_uri: { uri: download!.url, cluster: DOWNLOAD, timeout: "30s" },
      sha256: note("The digest of the module.", download!.sha256),
    },
  };
}

function listenerOf(filter: Filter, place: EnvoyPlace, plugin: object): object {
  const { listen = "127.0.0.1:8080" } = place;
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(listen)!;
  if (Number(port) > 65535) throw new ManifestError(`targets.envoy.listen is ${listen}; a port is at most 65535`);
  return {
    name: "main",
    address: note("Where Envoy listens; 0.0.0.0 for the whole network.", {
      socket_address: { address, port_value: Number(port) },
    }),
    filter_chains: [
      { filters: filter.kind === "network" ? tcpFilters(place, plugin) : [manager(filter, place, plugin)] },
    ],
  };
}

function tcpFilters({ upstream }: EnvoyPlace, plugin: object): object[] {
  if (upstream === undefined) {
    throw new ManifestError(
      'Envoy has to know where connections go, and targets.envoy has no "upstream"; such as http://127.0.0.1:5432 is one',
    );
  }
  const proxy = {
    ...type("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
    stat_prefix: "tcp",
    cluster: UPSTREAM,
  };
  return [
    {
      name: "wasm",
      typed_config: { ...type("envoy.extensions.filters.network.wasm.v3.Wasm"), config: plugin },
    },
    { name: "tcp", typed_config: proxy },
  ];
}

function manager({ name, kind }: Filter, { upstream }: EnvoyPlace, plugin: object): object {
  const log = {
    name: "envoy.access_loggers.wasm",
    typed_config: { ...type("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog"), config: plugin },
  };
  const route =
    upstream === undefined
      ? {
          match: { prefix: "/" },
          direct_response: note('In place of a server: "upstream" in targets.envoy names one.', hello),
        }
      : { match: { prefix: "/" }, route: { cluster: UPSTREAM } };
  const typed_config = {
    ...type("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "http",
    access_log: kind === "access-log" ? [log] : undefined,
    route_config: { name: "routes", virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    http_filters: note("Requests pass through these from the first to the last, responses the other way.", [
      ...(kind === "http" ? [httpFilter(name, plugin)] : []),
      router,
    ]),
  };
  return { name: "http", typed_config };
}
