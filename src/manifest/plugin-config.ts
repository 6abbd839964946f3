// Envoy's PluginConfig, which all of its Wasm extensions have. Source: envoy/extensions/wasm/v3/wasm.proto, Envoy 1.40.

import { configurationMessage, failurePolicies } from "./envoy-parts.ts";
import { type Filter, textOf } from "./filter.ts";
import type { Json } from "./json.ts";
import { note } from "./yaml.ts";

/** The configuration of a filter whose code is there. */
export function envoyPlugin(filter: Filter, code: object): object {
  const { name, rootId, failurePolicy, environment, capabilities } = filter;
  const host = environment.host.length ? environment.host : undefined;
  const values = Object.keys(environment.values).length ? environment.values : undefined;
  return {
    name,
    root_id: rootId || undefined,
    configuration: note("What the filter reads as its configuration.", text(filter.configuration)),
    failure_policy: note(
      "FAIL_CLOSED refuses requests when the filter failed, FAIL_OPEN lets them pass, FAIL_RELOAD starts it again.",
      failurePolicies[failurePolicy],
    ),
    allow_on_headers_stop_iteration: filter.allowOnHeadersStopIteration || undefined,
    capability_restriction_config: note(
      "The only host calls and callbacks that the filter may use. Envoy 1.40 and newer have it in vm_config as well, and\nwarn of it here.",
      capabilities && { allowed_capabilities: Object.fromEntries(capabilities.map((capability) => [capability, {}])) },
    ),
    vm_config: {
      vm_id: filter.vmId,
      runtime: "envoy.wasm.runtime.v8",
      code,
      configuration: text(filter.vmConfiguration),
      environment_variables: host || values ? { host_env_keys: host, key_values: values } : undefined,
    },
  };
}

function text(configuration: Json | undefined): object | undefined {
  const value = textOf(configuration);
  return value === undefined ? undefined : configurationMessage(value);
}
