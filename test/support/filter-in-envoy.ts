// The configuration of an Envoy with one filter. Its route `answer` answers by itself, `/other` does so without a name,
// `/cluster` leads to a cluster without a host.

import { answering, httpListener, leadingTo, type, wasmFilter } from "./envoy-config.ts";

/** The configuration as YAML. `configuration` is the plugin's: a text, or an Any as JSON; `cluster` the cluster's name. */
export function filterInEnvoy(
  port: number,
  module: string,
  configuration: string | object = "",
  cluster = "nowhere",
): string {
  const plugin =
    typeof configuration === "string"
      ? { ...type("google.protobuf.StringValue"), value: configuration }
      : configuration;
  const filter = wasmFilter({
    name: "filter",
    vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } },
    configuration: plugin,
  });
  const answer = answering("from the route");
  const routes = [
    { ...answer, match: { prefix: "/other" } },
    { ...leadingTo(cluster), match: { prefix: "/cluster" } },
    { ...answer, name: "answer" },
  ];
  const listener = httpListener("main", port, [filter], routes);
  return JSON.stringify({
    static_resources: { listeners: [listener], clusters: [{ name: cluster, connect_timeout: "1s" }] },
  });
}
