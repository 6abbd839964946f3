// Istio's EnvoyFilter, for what a WasmPlugin has no field for. Istio's agent fetches images for it as well.
// Source: istio.io/api networking/v1alpha3/envoy_filter.proto; Istio 1.31.

import { head, kubernetesObject } from "./document.ts";
import { ManifestError } from "./error.ts";
import type { Filter, IstioPlace } from "./filter.ts";
import { checkPlace, inNamespace, targetRef } from "./istio.ts";
import { checkLimits } from "./limits.ts";
import { envoyPlugin } from "./plugin-config.ts";
import { pulled } from "./pull.ts";
import { note, writeYaml } from "./yaml.ts";

const wasmTypes = {
  http: "envoy.extensions.filters.http.wasm.v3.Wasm",
  network: "envoy.extensions.filters.network.wasm.v3.Wasm",
} as const;

/** An EnvoyFilter. */
export function envoyFilter(filter: Filter, place: IstioPlace): string {
  const manifest = "an EnvoyFilter";
  checkLimits(filter, "istio-envoy-filter");
  const { selector, targetRefs, imagePullPolicy, imagePullSecret } = place;
  checkPlace(place);
  for (const [name, value] of Object.entries({ imagePullPolicy, imagePullSecret })) {
    if (value === undefined) continue;
    throw new ManifestError(`${manifest} has no ${name}; istio has: proxy-wasm manifest istio`);
  }
  const from = pulled(filter, manifest);
  const code = {
    remote: {
      http_uri: {
        uri: note("Istio's agent fetches it, not Envoy, so that it may be an image.", from.url),
        timeout: "30s",
        // A cluster has to be named, and is not looked up.
        cluster: "_",
      },
      sha256: note(from.isImage ? "The digest of the image's manifest." : "The digest of the module.", from.sha256),
    },
  };
  const kind = filter.kind as keyof typeof wasmTypes;
  const isHttp = kind === "http";
  const resource = `${place.namespace ?? "default"}.${filter.name}`;
  const discovered = {
    name: resource,
    config_discovery: {
      config_source: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
      type_urls: [`type.googleapis.com/${wasmTypes[kind]}`],
    },
  };
  const operation = filter.phase === "authn" ? "INSERT_FIRST" : "INSERT_BEFORE";
  const patches = contexts(place).map(([context, port]) => {
    const listener = {
      portNumber: port,
      filterChain: { filter: isHttp ? httpManager(operation) : { name: "envoy.filters.network.tcp_proxy" } },
    };
    return {
      applyTo: isHttp ? "HTTP_FILTER" : "NETWORK_FILTER",
      match: { context, listener },
      patch: { operation, value: discovered },
    };
  });
  const spec = {
    workloadSelector: note("The pods, by their labels.", selector && { labels: selector }),
    targetRefs: note("The gateways in the same namespace.", targetRefs?.map(targetRef)),
    configPatches: [
      {
        applyTo: "EXTENSION_CONFIG",
        patch: {
          operation: "ADD",
          value: {
            name: resource,
            typed_config: {
              "@type": `type.googleapis.com/${wasmTypes[kind]}`,
              config: envoyPlugin(filter, code),
            },
          },
        },
      },
      ...patches,
    ],
  };
  return writeYaml(
    `${head("istio-envoy-filter")}\nNothing but Envoy itself looks at what is below "value": prefer a WasmPlugin (proxy-wasm manifest istio) where it will do.`,
    kubernetesObject("networking.istio.io/v1alpha3/EnvoyFilter", filter.name, inNamespace(place), spec),
  );
}

function httpManager(operation: string): object {
  const name = "envoy.filters.network.http_connection_manager";
  return operation === "INSERT_FIRST" ? { name } : { name, subFilter: { name: "envoy.filters.http.router" } };
}

/** The contexts, each with a port where only one is meant. */
function contexts({ match }: IstioPlace): readonly (readonly [context: string, port: number | undefined])[] {
  if (!match) return [["ANY", undefined]];
  return match.flatMap(({ mode = "CLIENT_AND_SERVER", ports = [undefined] }) =>
    ports.flatMap((port) => {
      const names = {
        CLIENT: ["SIDECAR_OUTBOUND", "GATEWAY"],
        SERVER: ["SIDECAR_INBOUND"],
        CLIENT_AND_SERVER: ["ANY"],
      };
      return names[mode].map((name) => [name, port] as const);
    }),
  );
}
