// Higress' WasmPlugin, which is another than Istio's. Source: alibaba/higress, api/extensions/v1alpha1/wasm.proto, 2.1.

import { head, kubernetesObject } from "./document.ts";
import type { Filter, HigressPlace } from "./filter.ts";
import { checkLimits } from "./limits.ts";
import { pinned } from "./pull.ts";
import { note, writeYaml } from "./yaml.ts";

const MANIFEST = "Higress' WasmPlugin";

/** A WasmPlugin for Higress 2. */
export function higressPlugin(filter: Filter, place: HigressPlace): string {
  checkLimits(filter, "higress");
  const { rootId, phase, priority, failurePolicy, environment, configuration } = filter;
  const from = pinned(filter, MANIFEST);
  const variables = [
    ...Object.entries(environment.values).map(([name, value]) => ({ name, value })),
    ...environment.host.map((name) => ({ name, valueFrom: "HOST" })),
  ];
  const rules = place.rules?.map(({ ingress, domain, service, configuration: config, disabled }) => ({
    ingress,
    domain,
    service,
    config,
    configDisable: disabled,
  }));
  const spec = {
    phase: note(
      "When among the gateway's own filters.",
      phase === "unspecified" ? "UNSPECIFIED_PHASE" : phase.toUpperCase(),
    ),
    priority: note("The highest of a phase sees a request first.", priority || undefined),
    url: note(
      from.isImage ? "The image, pinned by the digest of its manifest. oci:// has to be there." : "The module.",
      from.url,
    ),
    sha256: note("The digest of the module.", from.sha256),
    imagePullPolicy: place.imagePullPolicy,
    imagePullSecret: place.imagePullSecret,
    pluginName: note("The root id.", rootId || undefined),
    failStrategy: note(
      "FAIL_CLOSE refuses requests when the filter failed, FAIL_OPEN lets them pass.",
      failurePolicy === "open" ? "FAIL_OPEN" : "FAIL_CLOSE",
    ),
    vmConfig: variables.length ? { env: variables } : undefined,
    defaultConfig: note("What the filter reads as its configuration, as JSON.", configuration),
    matchRules: note(
      "What is different for some requests. The filter looks which rule is meant, not the gateway.",
      rules,
    ),
  };
  return writeYaml(
    head("higress"),
    kubernetesObject(
      "extensions.higress.io/v1alpha1/WasmPlugin",
      filter.name,
      place.namespace ?? "higress-system",
      spec,
    ),
  );
}
