// What each target can express, and where what one cannot is taken.

import { ManifestError } from "./error.ts";
import type { Filter, Places } from "./filter.ts";
import { isObject } from "./json.ts";

/** What a filter may want that not every target has. */
type Want =
  | "kind"
  | "rootId"
  | "phase"
  | "priority"
  | "failurePolicy"
  | "environment.values"
  | "environment.host"
  | "allowOnHeadersStopIteration"
  | "capabilities"
  | "vmId"
  | "vmConfiguration"
  | "configuration";

/** A target. */
interface Limits {
  /** What its manifest is called in a sentence. */
  readonly manifest: string;
  readonly place: keyof Places;
  /** What it has besides the usual: all of it, or these values. */
  readonly can: { readonly [W in Want]?: true | readonly string[] };
}

const istio = {
  kind: ["network"],
  rootId: true,
  phase: true,
  priority: true,
  failurePolicy: true,
  "environment.values": true,
  "environment.host": true,
} as const;

const envoy = {
  kind: true,
  rootId: true,
  failurePolicy: true,
  "environment.values": true,
  "environment.host": true,
  allowOnHeadersStopIteration: true,
  capabilities: true,
  vmId: true,
  vmConfiguration: true,
  configuration: true,
} as const;

/** The targets whose abilities differ. */
export type LimitedTarget =
  | "istio"
  | "istio-traffic-extension"
  | "istio-envoy-filter"
  | "envoy-gateway"
  | "higress"
  | "envoy"
  | "kong"
  | "nginx"
  | "apisix"
  | "google";

const table: Readonly<Record<LimitedTarget, Limits>> = {
  istio: { manifest: "a WasmPlugin", place: "istio", can: istio },
  "istio-traffic-extension": { manifest: "a TrafficExtension", place: "istio", can: istio },
  "istio-envoy-filter": {
    manifest: "an EnvoyFilter",
    place: "istio",
    can: { ...envoy, kind: ["network"], phase: ["authn"] },
  },
  "envoy-gateway": {
    manifest: "an EnvoyExtensionPolicy",
    place: "envoy-gateway",
    can: { rootId: true, failurePolicy: ["open"], "environment.host": true, configuration: ["no object"] },
  },
  higress: { manifest: "Higress' WasmPlugin", place: "higress", can: { ...istio, kind: [], failurePolicy: ["open"] } },
  envoy: { manifest: "Envoy's static configuration", place: "envoy", can: envoy },
  kong: { manifest: "Kong", place: "kong", can: { configuration: true } },
  nginx: { manifest: "ngx_wasm_module", place: "nginx", can: { vmConfiguration: true, configuration: true } },
  apisix: { manifest: "APISIX", place: "apisix", can: { priority: true, configuration: ["a text"] } },
  google: {
    manifest: "Google's Service Extensions",
    place: "google",
    can: { failurePolicy: ["open"], configuration: true },
  },
};

/** Where to look for what a target has not, the best first. */
const alternatives = ["istio", "istio-envoy-filter", "envoy"] as const;

/** Throws when a filter wants what its target cannot express; the error names one that can. */
export function checkLimits(filter: Filter, target: LimitedTarget): void {
  const { manifest, place, can } = table[target];
  const wants = [...wantsOf(filter)];
  const missing = wants.find((want) => !isAble(can, want));
  if (!missing) return;
  const suits = (wanted: readonly Wanted[]): string | undefined =>
    alternatives.find((other) => wanted.every((want) => isAble(table[other].can, want)));
  const instead = suits(wants) ?? suits([missing])!;
  const settable = ["phase", "priority", "failurePolicy", "configuration"].includes(missing.want);
  const otherwise = settable ? `; or say in targets.${place}.settings what holds there` : "";
  throw new ManifestError(
    `${manifest} cannot express ${missing.text}; ${instead} can: proxy-wasm manifest ${instead}${otherwise}`,
  );
}

interface Wanted {
  readonly want: Want;
  readonly value: string;
  /** In words. */
  readonly text: string;
}

function isAble(can: Limits["can"], { want, value }: Wanted): boolean {
  const able = can[want];
  return able === true || (able?.includes(value) ?? false);
}

/** What is not as every target has it. */
function* wantsOf(filter: Filter): Generator<Wanted> {
  const { kind, rootId, phase, priority, failurePolicy, environment, configuration, vmId } = filter;
  const wanted = (want: Want, text: string, value = ""): Wanted => ({ want, value, text });
  if (kind !== "http") yield wanted("kind", `a filter of the kind "${kind}"`, kind);
  if (rootId !== "") yield wanted("rootId", `the root id "${rootId}"`);
  if (phase !== "unspecified") yield wanted("phase", `the phase "${phase}"`, phase);
  if (priority !== 0) yield wanted("priority", `the priority ${priority}`);
  if (failurePolicy !== "closed") yield wanted("failurePolicy", `the failure policy "${failurePolicy}"`, failurePolicy);
  const [name] = Object.keys(environment.values);
  if (name !== undefined) yield wanted("environment.values", `a value for the environment variable ${name}`);
  const [host] = environment.host;
  if (host !== undefined) yield wanted("environment.host", `the proxy's environment variable ${host}`);
  if (filter.allowOnHeadersStopIteration) yield wanted("allowOnHeadersStopIteration", "allowOnHeadersStopIteration");
  if (filter.capabilities !== undefined) yield wanted("capabilities", "a list of capabilities");
  if (vmId !== undefined) yield wanted("vmId", `the VM id "${vmId}"`);
  if (filter.vmConfiguration !== undefined) yield wanted("vmConfiguration", "a configuration of the VM");
  if (configuration === undefined || isObject(configuration)) return;
  const value = typeof configuration === "string" ? "a text" : "no object";
  yield wanted("configuration", `a configuration that is ${value}`, value);
}
