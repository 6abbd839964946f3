// What is asked of properties, of a real Envoy and of the host alike: the exchanges and the paths.

/** An exchange in which the probe reads every path in every callback. */
export interface PropertyScenario {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
  /** What the upstream answers; none is there when it is null. */
  readonly response: {
    readonly headers: Readonly<Record<string, string | readonly string[]>>;
    readonly body: string;
    readonly trailers?: Readonly<Record<string, string>>;
  } | null;
  /** What the probe does besides reading, as its configuration has it. */
  readonly tasks: readonly string[];
  /** Whether it is a TCP connection: only the bodies count. */
  readonly tcp?: true;
}

/** The exchanges. */
export const propertyScenarios: Readonly<Record<string, PropertyScenario>> = {
  "a request without a body": {
    method: "GET",
    path: "/plain?a=b",
    headers: { host: "h.test", "user-agent": "ua", referer: "rf", "x-dup": ["one", "two"] },
    response: { headers: { "content-type": "text/plain", "content-length": "5" }, body: "Hello" },
    tasks: [],
  },
  "bodies and trailers in both directions": {
    method: "POST",
    path: "/post",
    headers: { host: "h.test", "transfer-encoding": "chunked", te: "trailers" },
    body: "four",
    trailers: { "x-last": "1" },
    response: {
      headers: { "content-type": "application/grpc", "transfer-encoding": "chunked", trailer: "grpc-status" },
      body: "answer",
      trailers: { "grpc-status": "0", "x-end": "2" },
    },
    tasks: [],
  },
  "a body of a known length": {
    method: "POST",
    path: "/post?",
    headers: { host: "h.test", "content-length": "4" },
    body: "four",
    response: { headers: { "content-length": "0" }, body: "" },
    tasks: [],
  },
  "a request that is held": {
    method: "GET",
    path: "/held",
    headers: { host: "h.test" },
    response: { headers: { "content-length": "5" }, body: "Hello" },
    tasks: ["request-headers !pause", "request-headers !continue"],
  },
  "a local reply": {
    method: "GET",
    path: "/reply",
    headers: { host: "h.test" },
    response: null,
    tasks: ["request-headers !reply"],
  },
  "a local reply in place of the response": {
    method: "GET",
    path: "/replace",
    headers: { host: "h.test" },
    response: { headers: { "content-length": "5" }, body: "Hello" },
    tasks: ["response-headers !reply"],
  },
  "a stream that is closed": {
    method: "GET",
    path: "/closed",
    headers: { host: "h.test" },
    response: null,
    tasks: ["request-headers !close"],
  },
  "a request that is routed nowhere": {
    method: "GET",
    path: "/nowhere",
    headers: { host: "h.test" },
    response: null,
    tasks: ["request-headers !lose"],
  },
  "an upstream that is not there": {
    method: "GET",
    path: "/nobody",
    headers: { host: "h.test" },
    response: null,
    tasks: [],
  },
  "properties of the filter's own": {
    method: "GET",
    path: "/own",
    headers: { host: "h.test" },
    response: { headers: { "content-length": "5" }, body: "Hello" },
    tasks: [
      "root mine=root",
      "create early=1",
      "request-headers mine=first",
      "request-headers a/b=two",
      "request-headers a.b=dot",
      "request-headers request=x",
      "request-headers plugin_name=x",
      "request-headers =x",
      "request-headers empty=",
      "request-headers trailing/=x",
      "response-headers mine=second",
      "log logged=1",
      "done late=1",
    ],
  },
  "a TCP connection": {
    method: "",
    path: "",
    headers: {},
    body: "four",
    response: { headers: {}, body: "answer" },
    tasks: ["root mine=root", "new-connection mine=x", "log logged=1"],
    tcp: true,
  },
};

/** What the probe is told in a scenario. */
export function configurationOf(scenario: string): string {
  return [...propertyScenarios[scenario]!.tasks, ...pathsOf(scenario)].join("\n");
}

/** Paths whose values depend on the exchange, segments divided by "/". */
const streamPaths = `
request/path request/url_path request/host request/method request/headers/user-agent request/headers_bytes
request/query request/duration request/size request/total_size
response/code response/code_details response/flags response/grpc_status response/headers/content-type
response/headers_bytes response/trailers response/trailers/x-end response/trailers/grpc-status response/size
response/total_size response/backend_latency
connection/termination_details
upstream/address upstream/num_endpoints upstream/local_address upstream/transport_failure_reason
upstream/request_attempt_count upstream/cx_pool_ready_duration upstream/locality upstream_filter_state
xds/cluster_name xds/route_name xds/upstream_host_metadata
`;

/** Paths that are read in the first exchange only. */
const otherPaths = `
request/scheme request/headers/x-dup request/headers/X-Dup
request/headers/none request/headers/host request/headers/:path request/headers/b%20d
request/headers/x-dup/x request/referer request/useragent request/time request/id request/protocol
request/nope request/ request request/path/x response/nope response
source/address source/port source destination/address destination/port destination source/nope
connection/id connection/mtls connection/requested_server_name connection/tls_version
connection/subject_local_certificate connection/subject_peer_certificate connection/dns_san_local_certificate
connection/uri_san_peer_certificate connection/sha256_peer_certificate_digest connection/peer_certificate
connection/transport_failure_reason connection connection_id connection_id/x
upstream/port upstream/local_port upstream/tls_version upstream/locality/region upstream/nope upstream
metadata metadata/filter_metadata metadata/filter_metadata/nope metadata/typed_filter_metadata metadata/nope
filter_state filter_state/nope upstream_filter_state/nope
xds/node/metadata xds/node/id xds/node/cluster xds/node/metadata/NK xds/node/metadata/num xds/node/metadata/nested
xds/node/metadata/nested/k xds/node/metadata/list xds/node/metadata/list/1 xds/node/metadata/list/7
xds/node/metadata/list/x xds/node/metadata/on xds/node/metadata/none xds/node/metadata/nope xds/node/locality
xds/node/locality/region xds/node/locality/zone xds/node/id/x xds/node/nope xds/node/user_agent_name
xds/node/user_agent_version xds/node/user_agent_build_version/version/major_number xds/node/client_features/0
xds/node/dynamic_parameters xds/node/listening_addresses
xds/cluster_metadata xds/cluster_metadata/filter_metadata xds/cluster_metadata/filter_metadata/cns/k
xds/listener_direction xds/listener_metadata/filter_metadata/lns/lk xds/listener_metadata/filter_metadata/lns/n
xds/route_metadata xds/route_metadata/filter_metadata/rns/rk xds/route_metadata/filter_metadata/rns
xds/virtual_host_name xds/virtual_host_metadata xds/virtual_host_metadata/filter_metadata/vns xds/virtual_host_metadata/filter_metadata/vns/l/2
xds/upstream_host_metadata/filter_metadata xds/upstream_host_locality_metadata xds/filter_chain_name xds/nope xds
plugin_name plugin_root_id plugin_vm_id plugin_name/x node node/id cluster_name route_name listener_direction nope
nope/nope / /x plugin_name/ request/path/ request.path
`;

/** Paths that a filter has set. */
const ownPaths = `
mine filter_state/wasm.mine wasm.mine early a/b a.b filter_state/wasm.a.b empty trailing logged late request
plugin_name
`;

/** The paths that the probe reads in a scenario. */
function pathsOf(scenario: string): string[] {
  const first = Object.keys(propertyScenarios)[0];
  const everything = scenario === first || scenario === "a TCP connection";
  const text = everything ? streamPaths + otherPaths : scenario.startsWith("properties") ? ownPaths : streamPaths;
  const own = scenario === "a TCP connection" ? " mine filter_state/wasm.mine logged" : "";
  const paths = (text + own).trim().split(/\s+/);
  return scenario === first ? [...paths, ""] : paths;
}

/**
 * The lines of a probe as a table: for each path what was read in each callback, `=` for what the callback before gave;
 * for each set, its status. Text is quoted, other bytes are hexadecimal, a lone number is a status, and what differs
 * from run to run is masked.
 */
export function tableOf(lines: readonly string[]): Record<string, string> {
  const rows: Record<string, Map<string, string>> = {};
  const callbacks = new Set<string>();
  for (const line of lines) {
    const [kind, callback, path, answer] = line.split("|") as [string, string, string, string];
    callbacks.add(callback);
    const row = (rows[kind === "set" ? `set ${path} in ${callback}` : path] ??= new Map());
    row.set(callback, kind === "set" ? answer : masked(path, shown(answer)));
  }
  const table: Record<string, string> = { callbacks: [...callbacks].join(" · ") };
  for (const [path, row] of Object.entries(rows)) {
    const cells = [...row.values()];
    table[path] = cells.map((cell, i) => (cell === cells[i - 1] ? "=" : cell)).join(" · ");
  }
  return table;
}

function shown(answer: string): string {
  const [status, hex = ""] = answer.split(" ") as [string, string?];
  if (status !== "0") return status;
  const text = Buffer.from(hex, "hex").toString("latin1");
  return /^[\x20-\x7e]*$/.test(text) ? JSON.stringify(text) : hex;
}

function masked(path: string, value: string): string {
  if (/^"127\.0\.0\.1:\d+"$/.test(value)) return "(address)";
  // The pairs of a map are in no order.
  if (path === "response/trailers" && value.length > 8) return `(${value.length / 2} bytes)`;
  if (!/^[0-9a-f]{16}$/.test(value)) return path === "request/id" && value !== "1" ? "(id)" : value;
  if (path.endsWith("/port")) return "(port)";
  if (/connection[/_]id/.test(path)) return "(number)";
  return /duration$|latency$|\/time$/.test(path) ? "(nanoseconds)" : value;
}
