// Envoy Gateway's EnvoyExtensionPolicy. Source: envoyproxy/gateway api/v1alpha1/wasm_types.go, 1.9.

import { head, kubernetesObject } from "./document.ts";
import { ManifestError } from "./error.ts";
import type { EnvoyGatewayPlace, Filter } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { pulled } from "./pull.ts";
import { note, writeYaml } from "./yaml.ts";

const MANIFEST = "an EnvoyExtensionPolicy";
const GROUP = "gateway.networking.k8s.io";

/** An EnvoyExtensionPolicy, for Envoy Gateway 1.3 and newer. */
export function envoyExtensionPolicy(filter: Filter, place: EnvoyGatewayPlace): string {
  checkLimits(filter, "envoy-gateway");
  const { targetRefs, targetSelectors, imagePullPolicy, imagePullSecret, namespace } = place;
  if ((targetRefs === undefined) === (targetSelectors === undefined)) {
    const has = targetRefs ? "both" : "neither";
    throw new ManifestError(
      `${MANIFEST} belongs to gateways or routes, and targets.envoy-gateway has ${has} of targetRefs and targetSelectors; one of them is needed`,
    );
  }
  const { name, rootId, failurePolicy, environment } = filter;
  const from = pulled(filter, MANIFEST);
  const code = from.isImage
    ? {
        type: "Image",
        pullPolicy: imagePullPolicy,
        image: {
          url: from.url,
          sha256: note("The digest of the image's manifest, not that of the module.", from.sha256),
          pullSecretRef: note(
            "A secret of the type kubernetes.io/dockerconfigjson.",
            imagePullSecret === undefined ? undefined : { name: imagePullSecret },
          ),
        },
      }
    : {
        type: "HTTP",
        pullPolicy: imagePullPolicy,
        http: { url: from.url, sha256: note("The digest of the module.", from.sha256) },
      };
  const spec = {
    targetRefs: note(
      "The gateways or routes in the same namespace.",
      targetRefs?.map(({ kind, name, sectionName }) => ({ group: GROUP, kind, name, sectionName })),
    ),
    targetSelectors: note(
      "The gateways or routes, by their labels.",
      targetSelectors?.map(({ kind, matchLabels }) => ({ group: GROUP, kind, matchLabels })),
    ),
    wasm: [
      {
        name,
        rootID: note("The root id.", rootId || undefined),
        failOpen: note("Whether requests pass when the filter failed.", failurePolicy === "open"),
        code,
        env: environment.host.length ? { hostKeys: environment.host } : undefined,
        config: note("What the filter reads as its configuration, as JSON.", filter.configuration ?? undefined),
      },
    ],
  };
  return writeYaml(
    `${head("envoy-gateway")}\nThe filters of a policy run in the order of the list "wasm".`,
    kubernetesObject("gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy", name, namespace, spec),
  );
}
