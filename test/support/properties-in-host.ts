// What the host answers to the property probe.

import { loadFilter, StreamError, UpstreamError } from "../../src/index.ts";
import { configurationOf, propertyScenarios } from "./properties.ts";

/** The lines that the probe logs in a scenario. */
export async function observeInHost(module: Uint8Array, name: string): Promise<string[]> {
  const { method, path, headers, body, trailers, response, tcp } = propertyScenarios[name]!;
  const lines: string[] = [];
  const filter = await loadFilter(module, {
    name: "probe",
    rootId: "root",
    vmId: `vm-${Object.keys(propertyScenarios).indexOf(name)}`,
    config: configurationOf(name),
    properties: configured,
    onLog: ({ message }) => lines.push(message),
  });
  if (tcp) {
    const connection = filter.connection({ properties: { "xds.cluster_name": "tcp-up" } });
    connection.connect();
    connection.downstreamData(body!);
    connection.upstreamData(response!.body);
    connection.downstreamClose();
    return lines;
  }
  const missing = name === "an upstream that is not there";
  const upstream = () => {
    if (missing) throw new UpstreamError();
    return response!;
  };
  // Several pieces, so that nothing is known of the length that the scenario does not say.
  const request = { method, path, headers, ...(body !== undefined && { body: [body] }), ...(trailers && { trailers }) };
  try {
    await filter.request(request, { upstream, properties: missing ? { "xds.cluster_name": "nobody" } : {} });
  } catch (error) {
    // A stream that is closed has no answer.
    if (!(error instanceof StreamError)) throw error;
  }
  return lines;
}

/** What Envoy's configuration says, as options. */
const configured = {
  "xds.node": {
    id: "node-1",
    cluster: "node-cluster",
    metadata: { NK: "nv", num: 3, nested: { k: "deep" }, list: ["a", 2], on: true, none: null },
    locality: { region: "r1" },
  },
  "xds.cluster_name": "up",
  "xds.cluster_metadata": { filter_metadata: { cns: { k: "cv" } } },
  "xds.listener_direction": 1,
  "xds.listener_metadata": { filter_metadata: { lns: { lk: "lv", n: 5 } } },
  "xds.filter_chain_name": "fc",
  "xds.virtual_host_name": "vh",
  "xds.virtual_host_metadata": { filter_metadata: { vns: { l: [true, 2, "x", { k: null }] } } },
  "xds.route_name": "r-up",
  "xds.route_metadata": { filter_metadata: { rns: { rk: "rv" } } },
};
