// The targets that manifests are written for.

import { apisixConfig, apisixRoute } from "./apisix.ts";
import { envoyBootstrap } from "./envoy.ts";
import { envoyExtensionPolicy } from "./envoy-gateway.ts";
import type { Filter, Places } from "./filter.ts";
import { googleScript } from "./google.ts";
import { higressPlugin } from "./higress.ts";
import { trafficExtension, wasmPlugin } from "./istio.ts";
import { envoyFilter } from "./istio-envoy-filter.ts";
import { kongChain, kongMeta } from "./kong.ts";
import { nginxConf } from "./nginx.ts";

/** A target. */
export interface Target {
  /** What it is called on the command line. */
  readonly name: string;
  /** What is written for it. */
  readonly summary: string;
  /** What it is called among the `targets` of proxy-wasm.json. */
  readonly place: keyof Places;
  write(filter: Filter, places: Partial<Places>): string;
}

function target<P extends keyof Places>(
  name: string,
  place: P,
  summary: string,
  write: (filter: Filter, place: Places[P]) => string,
): Target {
  return { name, place, summary, write: (filter, places) => write(filter, places[place] ?? ({} as Places[P])) };
}

/** All of them, in the order of the help. */
export const targets: readonly Target[] = [
  target("istio", "istio", "WasmPlugin, Istio 1.12 and newer", wasmPlugin),
  target("istio-traffic-extension", "istio", "TrafficExtension, Istio 1.30 and newer", trafficExtension),
  target("istio-envoy-filter", "istio", "EnvoyFilter, for what these two cannot express", envoyFilter),
  target("envoy-gateway", "envoy-gateway", "EnvoyExtensionPolicy, Envoy Gateway 1.3 and newer", envoyExtensionPolicy),
  target("higress", "higress", "WasmPlugin of Higress 2", higressPlugin),
  target("envoy", "envoy", "a configuration for Envoy itself", envoyBootstrap),
  target("kong", "kong", "filter chain, Kong Gateway 3.4 to 3.9", kongChain),
  target("kong-meta", "kong", "the description of the filter beside its module in Kong", kongMeta),
  target("nginx", "nginx", "nginx.conf for nginx with ngx_wasm_module", nginxConf),
  target("apisix", "apisix", "route, Apache APISIX", apisixRoute),
  target("apisix-config", "apisix", "the filter in APISIX' config.yaml", apisixConfig),
  target("google", "google", "commands for Google Cloud's Service Extensions", googleScript),
];
