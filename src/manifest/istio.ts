// Istio's WasmPlugin, TrafficExtension, and EnvoyFilter for what these two have no field for.
// Source: istio.io/api extensions/v1alpha1, networking/v1alpha3/envoy_filter.proto; Istio 1.31.

import { ManifestError } from "./error.ts";
import type { Filter, IstioPlace } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { envoyPlugin } from "./plugin-config.ts";
import { pinned, pulled } from "./pull.ts";
import { note, writeYaml } from "./yaml.ts";

const ENVOY_FILTER = "istio-envoy-filter";

/** A WasmPlugin, for Istio 1.12 and newer. */
export function wasmPlugin(filter: Filter, place: IstioPlace): string {
  checkLimits(filter, "istio");
  const spec = {
    ...where(place),
    ...order(filter, "UNSPECIFIED_PHASE"),
    ...plugin(filter, place, "a WasmPlugin"),
  };
  return writeYaml(
    head("istio"),
    kubernetesObject("extensions.istio.io/v1alpha1/WasmPlugin", filter.name, inNamespace(place), spec),
  );
}

/** A TrafficExtension, for Istio 1.30 and newer. */
export function trafficExtension(filter: Filter, place: IstioPlace): string {
  checkLimits(filter, "istio-traffic-extension");
  const spec = {
    ...where(place),
    ...order(filter, "UNSPECIFIED"),
    wasm: plugin(filter, place, "a TrafficExtension"),
  };
  return writeYaml(
    `${head("istio-traffic-extension")}\nIstio 1.30 and newer; older ones take the WasmPlugin of: proxy-wasm manifest istio`,
    kubernetesObject("extensions.istio.io/v1alpha1/TrafficExtension", filter.name, inNamespace(place), spec),
  );
}

/** The first lines of every manifest. */
export function head(target: string): string {
  return `Written by: proxy-wasm manifest ${target}\nChange proxy-wasm.json and write it again, or change what a comment says may be changed.`;
}

/** A Kubernetes object. */
export function kubernetesObject(
  kind: `${string}/${string}/${string}`,
  name: string,
  namespace: unknown,
  spec: object,
): object {
  const slash = kind.lastIndexOf("/");
  return { apiVersion: kind.slice(0, slash), kind: kind.slice(slash + 1), metadata: { name, namespace }, spec };
}

function inNamespace({ namespace }: IstioPlace): unknown {
  return note("Of the pods and gateways that it is for. In Istio's root namespace it is for those of all.", namespace);
}

/** Which proxies, and which of their traffic. */
function where(place: IstioPlace): object {
  const { selector, targetRefs, match } = place;
  checkPlace(place);
  return {
    selector: note("The pods, by their labels.", selector && { matchLabels: selector }),
    targetRefs: note("The gateways and services in the same namespace.", targetRefs?.map(targetRef)),
    match: note(
      "The traffic: CLIENT is what goes out of a workload, and all of a gateway's; SERVER what comes in.",
      match?.map(({ mode, ports }) => ({ mode, ports: ports?.map((number) => ({ number })) })),
    ),
  };
}

function checkPlace({ selector, targetRefs }: IstioPlace): void {
  if (!selector || !targetRefs) return;
  throw new ManifestError("targets.istio has a selector and targetRefs; Istio takes one of them");
}

const groups: Readonly<Record<string, string>> = {
  Gateway: "gateway.networking.k8s.io",
  GatewayClass: "gateway.networking.k8s.io",
  Service: "",
  ServiceEntry: "networking.istio.io",
};

function targetRef({ kind, name }: { readonly kind: string; readonly name: string }): object {
  return { group: groups[kind], kind, name };
}

function order({ phase, priority }: Filter, unspecified: string): object {
  return {
    phase: note(
      "When among Istio's own filters: before AUTHN, AUTHZ or STATS, or at the end.",
      phase === "unspecified" ? unspecified : phase.toUpperCase(),
    ),
    priority: note("The highest of a phase sees a request first.", priority || undefined),
  };
}

const failStrategies = { closed: "FAIL_CLOSE", open: "FAIL_OPEN", reload: "FAIL_RELOAD" } as const;

/** What a WasmPlugin and a TrafficExtension have in common. */
function plugin(filter: Filter, place: IstioPlace, manifest: string): object {
  const { rootId, configuration, failurePolicy, environment, kind } = filter;
  const from = pinned(filter, manifest);
  const variables = [
    ...Object.entries(environment.values).map(([name, value]) => ({ name, value })),
    ...environment.host.map((name) => ({ name, valueFrom: "HOST" })),
  ];
  const reserved = variables.find(({ name }) => name.startsWith("ISTIO_META_"));
  if (reserved) throw new ManifestError(`Istio removes the environment variable ${reserved.name}: no name begins so`);
  if (variables.length > 256)
    throw new ManifestError(`${manifest} takes 256 environment variables, not ${variables.length}`);
  return {
    type: kind === "network" ? "NETWORK" : undefined,
    url: note(
      from.isImage
        ? "The image, pinned by the digest of its manifest. oci:// has to be there: without it traffic may pass unfiltered."
        : "The module.",
      from.url,
    ),
    sha256: note("The digest of the module.", from.sha256),
    imagePullPolicy: place.imagePullPolicy,
    imagePullSecret: note(
      "A secret of the type kubernetes.io/dockerconfigjson, in the same namespace.",
      place.imagePullSecret,
    ),
    pluginName: note("The root id.", rootId || undefined),
    failStrategy: note(
      "FAIL_CLOSE refuses requests when the filter failed or could not be fetched, FAIL_OPEN lets them pass,\nFAIL_RELOAD (Istio 1.27) starts the filter again.",
      failStrategies[failurePolicy],
    ),
    vmConfig: variables.length ? { env: variables } : undefined,
    pluginConfig: note("What the filter reads as its configuration, as JSON.", configuration),
  };
}

const wasmTypes = {
  http: "envoy.extensions.filters.http.wasm.v3.Wasm",
  network: "envoy.extensions.filters.network.wasm.v3.Wasm",
} as const;

/** An EnvoyFilter, for what a WasmPlugin has no field for. Istio's agent fetches images for it as well. */
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
    `${head(ENVOY_FILTER)}\nNothing but Envoy itself looks at what is below "value": prefer a WasmPlugin (proxy-wasm manifest istio) where it will do.`,
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
