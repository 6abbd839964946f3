// Properties that a test or a server gives: which ones there are, of which type, and what Envoy has without them.

import { encodeText } from "../encoding/bytes.ts";
import {
  localityType,
  type MessageType,
  metadataType,
  nodeType,
  type Plain,
  PropertyMessage,
  structValue,
  unknownFields,
} from "./property-messages.ts";
import type { PropertyValue } from "./property-value.ts";

/**
 * Properties by their paths, such as `"source.address": "203.0.113.7:4711"` or `"xds.node.metadata": { team: "a" }`. The
 * dots of a key divide it; names inside of an object are taken as they are, so that
 * `"metadata.filter_metadata": { "envoy.lb": { canary: true } }` says what it means. `null` takes a property away.
 * Integers are numbers or bigints, durations and times bigints of nanoseconds. Paths that Envoy does not have are
 * readable too (`"kong.route_id": "…"`): text and bytes as they are, integers in 8 bytes, booleans in one.
 */
export type PropertyOptions = Readonly<Record<string, Plain>>;

type Type = "text" | "integer" | MessageType;

// What comes from the exchange is not in here.
const types: Readonly<Record<string, Readonly<Record<string, Type>> | MessageType>> = {
  request: { protocol: "text" },
  source: { address: "text", port: "integer" },
  destination: { address: "text", port: "integer" },
  connection: {
    id: "integer",
    mtls: "integer",
    requested_server_name: "text",
    ...tlsTypes(),
    transport_failure_reason: "text",
    termination_details: "text",
  },
  upstream: {
    address: "text",
    port: "integer",
    local_address: "text",
    num_endpoints: "integer",
    locality: localityType,
    ...tlsTypes(),
  },
  metadata: metadataType,
  xds: {
    node: nodeType,
    cluster_name: "text",
    cluster_metadata: metadataType,
    route_name: "text",
    route_metadata: metadataType,
    virtual_host_name: "text",
    virtual_host_metadata: metadataType,
    upstream_host_metadata: metadataType,
    upstream_host_locality_metadata: metadataType,
    filter_chain_name: "text",
    listener_direction: "integer",
    listener_metadata: metadataType,
  },
};

function tlsTypes(): Record<string, Type> {
  const names =
    "tls_version subject_local_certificate subject_peer_certificate dns_san_local_certificate dns_san_peer_certificate " +
    "uri_san_local_certificate uri_san_peer_certificate sha256_peer_certificate_digest peer_certificate";
  return Object.fromEntries(names.split(" ").map((name) => [name, "text"]));
}

type Tree = { [name: string]: Plain };

/** What Envoy has when nothing is configured, behind a listener and a cluster like those of the examples. */
const defaults: Tree = tree({
  "source.address": "127.0.0.1:50000",
  "destination.address": "127.0.0.1:10000",
  "connection.mtls": false,
  "connection.requested_server_name": "",
  "upstream.address": "127.0.0.1:3000",
  "upstream.local_address": "127.0.0.1:50001",
  "upstream.num_endpoints": 1,
  "upstream.locality": {},
  metadata: {},
  "xds.node": {
    user_agent_name: "envoy",
    user_agent_build_version: { version: { major_number: 1, minor_number: 40 } },
  },
  "xds.cluster_name": "upstream",
  "xds.cluster_metadata": {},
  "xds.route_name": "",
  "xds.route_metadata": {},
  "xds.virtual_host_name": "all",
  "xds.virtual_host_metadata": {},
  "xds.filter_chain_name": "",
  "xds.listener_direction": 0,
  "xds.listener_metadata": {},
});

/** The properties that are given and not observed. */
export class GivenProperties {
  readonly #make: () => Tree;
  #made: Tree | undefined;
  /** What came of options that cannot change any more: those of a connection stand for all of its streams. */
  #derived: WeakMap<PropertyOptions, GivenProperties> | undefined;

  // Most streams ask for none, and each has its own.
  private constructor(make: () => Tree) {
    this.#make = make;
  }

  /** Envoy's own, with these in their place; a `TypeError` for what comes from elsewhere or has no such field. */
  static from(options: PropertyOptions): GivenProperties {
    return new GivenProperties(() => defaults).with(options);
  }

  /** These with others in their place. */
  with(options: PropertyOptions | undefined): GivenProperties {
    if (!options) return this;
    const known = this.#derived?.get(options);
    if (known) return known;
    const given = tree(options);
    check(given);
    const made = new GivenProperties(() => merge(this.#tree, given) as Tree);
    if (Object.isFrozen(options)) (this.#derived ??= new WeakMap()).set(options, made);
    return made;
  }

  /** These, and where they say nothing, others. */
  over(options: PropertyOptions): GivenProperties {
    return new GivenProperties(() => merge(tree(options), this.#tree) as Tree);
  }

  get #tree(): Tree {
    return (this.#made ??= this.#make());
  }

  /** The value at this place, or undefined. */
  value(group: string, name: string): PropertyValue | undefined {
    const data = part(part(this.#tree, group), name);
    const type = Object.hasOwn(types, group) ? types[group] : undefined;
    if (!type || isMessageType(type)) return undefined;
    return data === undefined || data === null ? undefined : typed(type[name], data);
  }

  /** The message at this place. */
  message(group: string): PropertyMessage {
    return new PropertyMessage(types[group] as MessageType, part(this.#tree, group));
  }

  /** Every part of a group that is given, as functions for a `PropertyGroup`. */
  parts(group: string): Record<string, () => PropertyValue | undefined> {
    return Object.fromEntries(
      Object.keys(types[group] ?? {}).map((name) => [name, () => this.value(group, name)] as const),
    );
  }

  /** What other filters keep with the stream, by name. */
  filterState(group: "filter_state" | "upstream_filter_state"): [string, string][] {
    const state = part(this.#tree, group);
    if (!isObject(state)) return [];
    return Object.entries(state).flatMap(([name, data]) =>
      typeof data === "string" || data instanceof Uint8Array ? [[encodeText(name), encodeText(data)]] : [],
    );
  }

  /** What stands at a place that Envoy does not have, or undefined. */
  foreign(name: string): PropertyValue | undefined {
    if (Object.hasOwn(types, name) || observed.has(name)) return undefined;
    const data = part(this.#tree, name);
    return data === undefined || data === null ? undefined : untyped(data);
  }
}

/** Groups of which the exchange, the filter or the plugin's own options say what there is. */
const observed: ReadonlySet<string> = new Set(["response", "filter_state", "upstream_filter_state"]);

/** What gives these instead, for the message. */
const elsewhere: Readonly<Record<string, string>> = {
  request: "it comes from the request itself",
  response: "it comes from the response itself",
  upstream: "it comes from what the upstream does",
  connection_id: 'give "connection.id"',
  plugin_name: "give the option name",
  plugin_root_id: "give the option rootId",
  plugin_vm_id: "give the option vmId",
};

function check(given: Tree): void {
  for (const [group, data] of Object.entries(given)) {
    if (group === "filter_state" || group === "upstream_filter_state") continue;
    const type = Object.hasOwn(types, group) ? types[group] : undefined;
    if (!type && Object.hasOwn(elsewhere, group)) refuse(group, elsewhere[group]!);
    if (!type || data === null) continue;
    if (!isObject(data)) refuse(group, `it is a group: give "${group}.…"`);
    if (isMessageType(type)) checkFields(group, type, data);
    else for (const [name, value] of Object.entries(data)) checkPart(group, name, type, value);
  }
}

function checkPart(group: string, name: string, known: Readonly<Record<string, Type>>, value: Plain): void {
  const path = `${group}.${name}`;
  const type = Object.hasOwn(known, name) ? known[name]! : undefined;
  if (!type) refuse(path, elsewhere[group] ?? `${group} has ${Object.keys(known).join(", ")}`);
  if (value === null) return;
  if (typeof type === "object") {
    if (!isObject(value)) refuse(path, "it is a message: give an object with its fields");
    checkFields(path, type, value);
  } else if (type === "text" && typeof value !== "string" && !(value instanceof Uint8Array)) {
    refuse(path, "it is text");
  } else if (type === "integer" && !["number", "bigint", "boolean"].includes(typeof value)) {
    refuse(path, "it is a number");
  }
}

function checkFields(path: string, type: MessageType, data: Plain): void {
  const [unknown] = unknownFields(type, data);
  if (unknown !== undefined) refuse(`${path}.${unknown}`, `the message has ${Object.keys(type.fields).join(", ")}`);
}

function refuse(path: string, why: string): never {
  throw new TypeError(`the property ${path} cannot be given so: ${why}`);
}

function typed(type: Type | undefined, data: Plain): PropertyValue | undefined {
  if (typeof type === "object") return new PropertyMessage(type, data);
  if (typeof data === "string" || data instanceof Uint8Array) return encodeText(data);
  return typeof data === "number" ? BigInt(Math.trunc(data)) : typeof data === "object" ? undefined : data;
}

/** A value whose type is only seen: whole numbers are integers, objects are groups that can be listed. */
function untyped(data: Plain): PropertyValue {
  if (typeof data === "number" && Number.isInteger(data)) return BigInt(data);
  if (!isObject(data)) return typeof data === "bigint" ? data : structValue(data);
  const given = Object.entries(data).filter(([, value]) => value !== null);
  return new Map(given.map(([name, value]) => [encodeText(name), untyped(value)]));
}

/** Options with dotted keys as a tree of their segments. */
function tree(options: PropertyOptions): Tree {
  let result: Plain = {};
  for (const [path, value] of Object.entries(options)) {
    const nested = path.split(".").reduceRight<Plain>((inner, name) => ({ [name]: inner }), value);
    result = merge(result, nested);
  }
  return result as Tree;
}

function merge(base: Plain | undefined, over: Plain): Plain {
  if (!isObject(base) || !isObject(over)) return over;
  const result: Tree = { ...base };
  for (const [name, value] of Object.entries(over)) {
    result[name] = merge(Object.hasOwn(base, name) ? base[name] : undefined, value);
  }
  return result;
}

function part(data: Plain | undefined, name: string): Plain | undefined {
  return isObject(data) && Object.hasOwn(data, name) ? data[name] : undefined;
}

function isObject(data: Plain | undefined): data is Tree {
  return typeof data === "object" && data !== null && !Array.isArray(data) && !(data instanceof Uint8Array);
}

function isMessageType(type: Readonly<Record<string, Type>> | MessageType): type is MessageType {
  return Object.hasOwn(type, "fields");
}
