// Istio's WasmPlugin and TrafficExtension. Source: istio.io/api extensions/v1alpha1; Istio 1.31.

import { head, kubernetesObject } from "./document.ts";
import { ManifestError } from "./error.ts";
import type { Filter, IstioPlace } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { pinned } from "./pull.ts";
import { note, writeYaml } from "./yaml.ts";

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

/** The namespace of the manifest, with what it means. */
export function inNamespace({ namespace }: IstioPlace): unknown {
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

/** Refuses two ways at once to say which proxies are meant. */
export function checkPlace({ selector, targetRefs }: IstioPlace): void {
  if (!selector || !targetRefs) return;
  throw new ManifestError("targets.istio has a selector and targetRefs; Istio takes one of them");
}

const groups: Readonly<Record<string, string>> = {
  Gateway: "gateway.networking.k8s.io",
  GatewayClass: "gateway.networking.k8s.io",
  Service: "",
  ServiceEntry: "networking.istio.io",
};

/** A gateway or service that a manifest is for. */
export function targetRef({ kind, name }: { readonly kind: string; readonly name: string }): object {
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
