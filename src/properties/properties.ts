// The properties of a plugin and of a stream: what Envoy calls attributes, when each can be read, and why not.
// Source: Envoy "Attributes", source/extensions/filters/common/expr/context.cc; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, encodeText } from "../encoding/bytes.ts";
import { Refusal } from "../error.ts";
import { FilterState } from "./filter-state.ts";
import type { HeaderMap } from "../http/header-map.ts";
import { grpcStatusOf } from "../http/local-reply.ts";
import type { GivenProperties } from "./property-options.ts";
import { PropertyGroup, type PropertyMap, propertyPart, type PropertyValue } from "./property-value.ts";
import type { StreamInfo } from "./stream-info.ts";

/** What a plugin is called. */
export interface PluginNames {
  readonly name: string;
  readonly rootId: string;
  readonly vmId: string;
}

/** What a property can be read from just now. */
export interface PropertySources {
  readonly plugin: PluginNames;
  readonly given: GivenProperties;
  /** The stream; undefined in a root context. */
  readonly stream: StreamSources | undefined;
}

/** What a stream can give just now. */
export interface StreamSources {
  readonly info: StreamInfo;
  /** Why the response is what it is, or undefined. */
  readonly details: ByteString | undefined;
  /** The parts of the messages that the filter has. */
  readonly request: HeaderMap | undefined;
  readonly response: HeaderMap | undefined;
  readonly trailers: HeaderMap | undefined;
  /** The running callback, for the explanation. */
  readonly phase: string;
}

/** The property at this path. */
export function property(path: readonly ByteString[], sources: PropertySources): PropertyValue | Refusal {
  const [first, ...rest] = path;
  if (first === undefined) return new Refusal(Status.SerializationFailure, "the property's path is empty");
  let value = topLevel(first, sources);
  for (const segment of rest) value = value === undefined ? undefined : propertyPart(value, segment);
  return value === undefined ? new Refusal(Status.NotFound, whyNot(path, sources)) : value;
}

/** What the first segment means: a property of Envoy's, then what a filter has set, then what only other hosts have. */
function topLevel(name: ByteString, { plugin, given, stream }: PropertySources): PropertyValue | undefined {
  if (name === "xds") return xds(given, stream);
  if (stream && Object.hasOwn(streamGroups, name)) return streamGroups[name]!(stream, given);
  if (Object.hasOwn(pluginProperties, name)) return encodeText(pluginProperties[name]!(plugin));
  if (Object.hasOwn(streamGroups, name)) return undefined;
  return stream?.info.filterState.get(`wasm.${name}`) ?? given.foreign(name);
}

const pluginProperties: Readonly<Record<string, (plugin: PluginNames) => string>> = {
  plugin_name: ({ name }) => name,
  plugin_root_id: ({ rootId }) => rootId,
  plugin_vm_id: ({ vmId }) => vmId,
};

type Group = (stream: StreamSources, given: GivenProperties) => PropertyValue | undefined;

const streamGroups: Readonly<Record<string, Group>> = {
  request,
  response,
  source: (_stream, given) => peer("source", given),
  destination: (_stream, given) => peer("destination", given),
  connection: (_stream, given) => new PropertyGroup(given.parts("connection")),
  connection_id: (_stream, given) => given.value("connection", "id"),
  upstream,
  metadata: (_stream, given) => given.message("metadata"),
  filter_state: ({ info }) => info.filterState,
  upstream_filter_state: ({ info }, given) =>
    info.upstreamConnected ? new FilterState(given.filterState("upstream_filter_state")) : undefined,
};

function request({ info, request: headers }: StreamSources, given: GivenProperties): PropertyMap {
  const path = (): ByteString | undefined => headers && (headers.get(":path") ?? "");
  const header = (name: string) => () => headers?.get(name);
  return new PropertyGroup({
    path: header(":path"),
    url_path: () => path()?.replace(/\?.*$/s, ""),
    query: () =>
      path()
        ?.replace(/^[^?]*\??/, "")
        .replace(/#.*$/s, ""),
    host: header(":authority"),
    scheme: header(":scheme"),
    method: header(":method"),
    id: header("x-request-id"),
    referer: header("referer"),
    useragent: header("user-agent"),
    headers: () => headersOf(headers),
    headers_bytes: () => sizeOf(headers),
    size: () => {
      const length = headers?.get("content-length");
      if (length === undefined) return BigInt(info.bytesReceived);
      return /^\d{1,18}$/.test(length) ? BigInt(length) : undefined;
    },
    total_size: () => BigInt(info.bytesReceived) + sizeOf(headers),
    time: () => info.startTime,
    duration: () => info.duration,
    protocol: () => given.value("request", "protocol"),
  });
}

function response({ info, details, response: headers, trailers }: StreamSources): PropertyMap {
  return new PropertyGroup({
    code: () => (info.code === undefined ? undefined : BigInt(info.code)),
    code_details: () => details,
    flags: () => BigInt(info.flags),
    grpc_status: () => grpcStatus(trailers) ?? grpcStatus(headers) ?? grpcStatusOfCode(info.code),
    headers: () => headersOf(headers),
    headers_bytes: () => sizeOf(headers),
    trailers: () => headersOf(trailers),
    size: () => BigInt(info.bytesSent),
    total_size: () => BigInt(info.bytesSent) + sizeOf(headers) + sizeOf(trailers),
    backend_latency: () => info.backendLatency,
  });
}

function peer(group: "source" | "destination", given: GivenProperties): PropertyMap {
  return new PropertyGroup({
    address: () => given.value(group, "address"),
    port: () => given.value(group, "port") ?? portIn(given.value(group, "address")),
  });
}

function upstream({ info }: StreamSources, given: GivenProperties): PropertyMap {
  const chosen = (name: string) => () => (info.upstreamChosen ? given.value("upstream", name) : undefined);
  const connected = (name: string) => () => (info.upstreamConnected ? given.value("upstream", name) : undefined);
  const parts = Object.keys(given.parts("upstream")).map((name) => [name, connected(name)] as const);
  return new PropertyGroup({
    // What the certificates say, and everything else that only a connection tells.
    ...Object.fromEntries(parts),
    address: chosen("address"),
    port: () =>
      info.upstreamChosen ? (given.value("upstream", "port") ?? portIn(given.value("upstream", "address"))) : undefined,
    locality: chosen("locality"),
    num_endpoints: () => (info.routed ? given.value("upstream", "num_endpoints") : undefined),
    transport_failure_reason: () => info.transportFailure,
    request_attempt_count: () => BigInt(info.attempts),
    cx_pool_ready_duration: () => info.connectDuration,
  });
}

/** What a root context can read of it is the node. */
function xds(given: GivenProperties, stream: StreamSources | undefined): PropertyMap {
  const node = (): PropertyValue | undefined => given.value("xds", "node");
  if (!stream) return new PropertyGroup({ node });
  const { info } = stream;
  const parts = given.parts("xds");
  const received = (name: string) => () => (info.received ? parts[name]!() : undefined);
  const routed = (name: string) => () => (info.routed ? parts[name]!() : undefined);
  const host = (name: string) => () => (info.upstreamChosen ? (parts[name]!() ?? null) : undefined);
  return new PropertyGroup({
    ...parts,
    node,
    cluster_name: routed("cluster_name"),
    cluster_metadata: routed("cluster_metadata"),
    route_name: routed("route_name"),
    route_metadata: routed("route_metadata"),
    virtual_host_name: received("virtual_host_name"),
    virtual_host_metadata: received("virtual_host_metadata"),
    upstream_host_metadata: host("upstream_host_metadata"),
    upstream_host_locality_metadata: host("upstream_host_locality_metadata"),
  });
}

/** A header map as a property: names as they are compared, the values of one joined with a comma. */
function headersOf(headers: HeaderMap | undefined): PropertyMap {
  const get = (name: ByteString): ByteString | undefined => {
    const values = headers?.getAll(headers.key(name)) ?? [];
    return values.length ? values.join(",") : undefined;
  };
  return {
    get: (name) => (/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/i.test(name) ? get(name) : undefined),
    entries: () => new Map((headers?.entries ?? []).map(([name]) => [name, get(name)!])),
  };
}

function sizeOf(headers: HeaderMap | undefined): bigint {
  return BigInt(headers?.byteSize ?? 0);
}

/** The port in an address such as `127.0.0.1:80` or `[::1]:80`. */
function portIn(address: PropertyValue | undefined): bigint | undefined {
  const port = typeof address === "string" ? /^(?:[^:]*|\[[^\]]*\]):(\d+)$/.exec(address)?.[1] : undefined;
  return port === undefined ? undefined : BigInt(port);
}

/** The status that a gRPC message carries: -1 when it is none, as in Envoy; undefined when there is none. */
function grpcStatus(headers: HeaderMap | undefined): bigint | undefined {
  const text = headers?.get("grpc-status");
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) && Number(text) <= 16 ? BigInt(text) : -1n;
}

function grpcStatusOfCode(code: number | undefined): bigint | undefined {
  return code === undefined ? undefined : BigInt(grpcStatusOf(code));
}

/** Groups that were properties of their own until Envoy 1.33. */
const moved: ReadonlySet<string> = new Set(
  (
    "node cluster_name cluster_metadata listener_direction listener_metadata route_name route_metadata " +
    "upstream_host_metadata"
  ).split(" "),
);

function whyNot(path: readonly ByteString[], { stream }: PropertySources): string {
  const [group = "", name = ""] = path;
  const what = `there is no property ${path.join(".")}`;
  if (moved.has(group)) return `${what}: since Envoy 1.33 it is xds.${group}`;
  if (!stream) {
    return `${what} in a root context: without a stream there are xds.node, plugin_name, plugin_root_id, plugin_vm_id`;
  }
  if (path.length === 1 && group.includes(".")) {
    return `${what}: that is one segment; segments are divided by a NUL, in AssemblyScript by the dots of getProperty()`;
  }
  const headers = group === "request" ? stream.request : group === "response" ? stream.response : undefined;
  if (/^re(quest|sponse)$/.test(group) && !headers && headerBacked.test(name)) {
    return `${what} in ${stream.phase}: Envoy takes it from the headers, while the filter has them`;
  }
  if (group === "response" || group === "upstream") return `${what} in ${stream.phase}`;
  return what;
}

const headerBacked = /^(path|url_path|query|host|scheme|method|id|referer|useragent|headers)$/;
