// Group 6: properties.

import {
  add,
  type Call,
  data,
  goOn,
  inTurn,
  later,
  present,
  property,
  reply,
  type Scenario,
  set,
  size,
  soon,
} from "../scenario.ts";

/** A property whose value differs from run to run: only its size is shown. */
const sized = (...path: readonly string[]): Call => ["get_property", path.join("\0"), size];
/** A property of which only is shown that there is one. */
const any = (...path: readonly string[]): Call => ["get_property", path.join("\0"), present];
const own = (name: string, value: string): Call => ["set_property", name, value];

const ofRequest = [
  "path",
  "url_path",
  "host",
  "scheme",
  "method",
  "referer",
  "useragent",
  "query",
  "protocol",
  "size",
  "total_size",
  "headers_bytes",
  "nope",
].map((name) => property("request", name));
const sizedOfRequest = ["id", "time", "duration", "headers"].map((name) => sized("request", name));
const ofResponse = ["code", "code_details", "flags", "grpc_status", "size", "nope"].map((name) =>
  property("response", name),
);
const sizedOfResponse = ["headers", "trailers", "backend_latency"].map((name) => sized("response", name));
const ofConnection = [
  ...["mtls", "requested_server_name", "tls_version", "termination_details"].map((name) =>
    property("connection", name),
  ),
  ...["id"].map((name) => any("connection", name)),
  ...["address", "port"].flatMap((name) => [any("source", name), any("destination", name)]),
  any("connection_id"),
];
const ofUpstream = [
  "address",
  "port",
  "local_address",
  "request_attempt_count",
  "num_endpoints",
  "transport_failure_reason",
  "tls_version",
].map((name) =>
  name.includes("address")
    ? any("upstream", name)
    : name === "port"
      ? any("upstream", name)
      : property("upstream", name),
);
const whole = [
  "request",
  "response",
  "source",
  "destination",
  "connection",
  "upstream",
  "metadata",
  "filter_state",
  "upstream_filter_state",
  "node",
].map((name) => property(name));
const ofXds = [
  "virtual_host_name",
  "route_name",
  "listener_direction",
  "cluster_metadata",
  "route_metadata",
  "virtual_host_metadata",
  "upstream_host_metadata",
  "filter_chain_name",
].map((name) => property("xds", name));
const ofPlugin = ["plugin_name", "plugin_root_id", "plugin_vm_id"].map((name) => property(name));

const request = {
  path: "/plain?a=b",
  headers: [
    ["referer", "rf"],
    ["user-agent", "ua"],
    ["x-dup", "one"],
    ["x-dup", "two"],
  ],
} as const;
const everything = [...ofRequest, ...sizedOfRequest, ...ofResponse, ...sizedOfResponse];

export const properties: readonly Scenario[] = [
  ...[
    "context_create",
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "log",
    "done",
  ].map((callback): Scenario => ({
    name: `request and response in on_${callback}`,
    on: { [callback]: callback === "context_create" ? inTurn(everything, everything) : everything },
    request: { ...request, method: "POST", body: ["abc"], trailers: [["x-t", "1"]] },
    response: { body: ["defg"], trailers: [["x-u", "1"]] },
  })),
  ...(["vm_start", "request_headers", "response_headers", "log"] as const).map((callback): Scenario => ({
    name: `connections, upstream, xds and plugin in on_${callback}`,
    on: { [callback]: [...ofConnection, ...ofUpstream, ...whole, ...ofXds, ...ofPlugin] },
    options: { rootId: "root" },
  })),
  {
    name: "paths that are none",
    on: {
      request_headers: [
        ["get_property", "", data],
        ["get_property", "\0", data],
        ["get_property", "request\0path\0", data],
        ["get_property", "request.path", data],
        ["get_property", "plugin_name\0", data],
        property("request", "path", "x"),
        property("plugin_name", "x"),
        property("nope"),
        property("nope", "nope"),
        ["get_property", "request\0path", -4, -4],
        ["get_property", -1, 1, data],
      ] as Call[],
    },
  },
  {
    name: "one header of several",
    on: {
      request_headers: [
        property("request", "headers", "x-dup"),
        property("request", "headers", "X-Dup"),
        property("request", "headers", "none"),
      ],
      response_headers: [property("response", "headers", "content-type"), property("request", "headers", "x-dup")],
      log: [property("request", "headers", "x-dup"), property("response", "headers", "content-type")],
    },
    request,
    response: { headers: [["content-type", "text/x"]] },
  },
  {
    name: "after the headers have gone on",
    on: {
      request_headers: [
        property("request", "path"),
        goOn(0),
        property("request", "path"),
        sized("request", "headers"),
        1,
      ],
    },
  },
  {
    name: "while the headers are held",
    on: {
      request_headers: [soon, 1],
      tick: [
        property("request", "path"),
        ...later,
        property("request", "path"),
        property("request", "method"),
        goOn(0),
      ],
    },
  },
  {
    name: "after a header was changed",
    on: {
      request_headers: [
        set(0, ":path", "/new?q"),
        property("request", "path"),
        property("request", "query"),
        add(0, "x-a", "1"),
        property("request", "headers", "x-a"),
        property("request", "total_size"),
      ],
      log: [property("request", "path")],
    },
  },
  {
    name: "during a local reply",
    on: {
      request_headers: [reply(403, "no", { details: "why" })],
      response_headers: [
        property("response", "code"),
        property("response", "code_details"),
        property("request", "path"),
        property("response", "flags"),
      ],
      log: [property("response", "code"), property("response", "code_details"), property("response", "flags")],
    },
  },
  {
    name: "of a failed upstream",
    on: {
      response_headers: [...ofResponse, ...ofUpstream],
      log: [...ofResponse, property("upstream", "transport_failure_reason")],
    },
    response: { fails: "refused" },
  },
  {
    name: "properties of its own",
    on: {
      context_create: inTurn([own("mine", "root")], []),
      request_headers: [
        own("mine", "1"),
        property("mine"),
        property("filter_state", "wasm.mine"),
        property("wasm.mine"),
        own("empty", ""),
        property("empty"),
      ].concat([
        own("a.b", "2"),
        property("a.b"),
        own("a\0b", "3"),
        property("a", "b"),
        own("request", "4"),
        property("request"),
        own("plugin_name", "5"),
        property("plugin_name"),
        own("", "6"),
      ]),
      response_headers: [property("mine"), own("mine", "changed")],
      log: [property("mine"), own("late", "7"), property("late")],
      done: [property("mine")],
    },
    exchanges: [{}, {}],
  },
  {
    name: "a property of its own from a tick",
    on: {
      request_headers: [soon, 1],
      tick: [own("mine", "root"), ...later, own("mine", "tick"), property("mine"), goOn(0)],
      response_headers: [property("mine")],
    },
  },
  {
    name: "gRPC status",
    on: {
      response_headers: [property("response", "grpc_status")],
      response_trailers: [property("response", "grpc_status")],
      log: [property("response", "grpc_status")],
    },
    request: { method: "POST", headers: [["content-type", "application/grpc"]], body: ["abc"] },
    response: { headers: [["content-type", "application/grpc"]], body: ["def"], trailers: [["grpc-status", "7"]] },
  },
];
