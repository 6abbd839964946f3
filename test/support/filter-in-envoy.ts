// The configuration of an Envoy with one filter. Its route `answer` answers by itself, `/other` does so without a name,
// `/cluster` leads to a cluster without a host.

/** The configuration as YAML. `configuration` is the plugin's: a text, or an Any as JSON; `cluster` the cluster's name. */
export function filterInEnvoy(
  port: number,
  module: string,
  configuration: string | object = "",
  cluster = "nowhere",
): string {
  const http = "type.googleapis.com/envoy.extensions.filters.http";
  const plugin =
    typeof configuration === "string"
      ? { "@type": "type.googleapis.com/google.protobuf.StringValue", value: configuration }
      : configuration;
  const wasm = {
    "@type": `${http}.wasm.v3.Wasm`,
    config: {
      name: "filter",
      vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } },
      configuration: plugin,
    },
  };
  const answer = { status: 200, body: { inline_string: "from the route" } };
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "main",
    route_config: {
      name: "routes",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/other" }, direct_response: answer },
            { match: { prefix: "/cluster" }, route: { cluster } },
            { name: "answer", match: { prefix: "/" }, direct_response: answer },
          ],
        },
      ],
    },
    http_filters: [
      { name: "wasm", typed_config: wasm },
      { name: "router", typed_config: { "@type": `${http}.router.v3.Router` } },
    ],
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const listener = { name: "main", address, filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }] };
  return JSON.stringify({
    static_resources: { listeners: [listener], clusters: [{ name: cluster, connect_timeout: "1s" }] },
  });
}
