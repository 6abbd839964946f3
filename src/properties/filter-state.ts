// The objects of a stream's filter state that Envoy makes from a text, with what it makes of the text.
// Source: a running Envoy 1.40, asked for every name in it; Envoy's "Well Known Filter State Objects".

import { Status } from "../../assembly/abi.ts";
import { type ByteString, encodeText } from "../encoding/bytes.ts";
import { parseUnsigned } from "../encoding/decimal.ts";
import { Refusal } from "../error.ts";
import { isIPv4, isIPv6 } from "../encoding/ip.ts";
import { beyond, ENTRY_BYTES, envoyLimits, type Limits } from "../limits.ts";
import type { PropertyMap } from "./property-value.ts";

/** What Envoy makes of a text, as it reads back; undefined when the text is none of that object. */
type Factory = (text: string) => string | undefined;

const any: Factory = (text) => text;
const flag: Factory = (text) => (text === "true" ? "true" : "false");
const some: Factory = (text) => text || undefined;

function unsigned(bits: number): Factory {
  return (text) => parseUnsigned(text, bits)?.toString();
}

const address: Factory = (text) => (endpoint(text) === undefined ? undefined : text);
/** The host that a proxy is asked for, and the proxy's address. */
const proxied: Factory = (text) => (address(/,(.*)/s.exec(text)?.[1] ?? "") === undefined ? undefined : text);
const ip: Factory = (text) => (isIPv4(text) ? `${text}:0` : isIPv6(text) ? `[${text}]:0` : undefined);

const factories: Readonly<Record<string, Factory>> = {
  "envoy.ai.model.request": some,
  "envoy.filters.listener.original_dst.local_ip": address,
  "envoy.filters.listener.original_dst.remote_ip": address,
  "envoy.hashable_string": any,
  "envoy.network.application_protocols": any,
  "envoy.network.ip": ip,
  "envoy.network.network_namespace": any,
  "envoy.network.transport_socket.http_11_proxy.info": proxied,
  "envoy.network.transport_socket.original_dst_address": address,
  "envoy.network.upstream_server_name": any,
  "envoy.network.upstream_subject_alt_names": any,
  "envoy.ratelimit.hits_addend": unsigned(32),
  "envoy.router.debug_config": any,
  "envoy.string": any,
  "envoy.tcp_proxy.cluster": any,
  "envoy.tcp_proxy.disable_tunneling": flag,
  "envoy.tcp_proxy.per_connection_idle_timeout_ms": unsigned(64),
  "envoy.upstream.dynamic_host": any,
  "envoy.upstream.dynamic_port": unsigned(32),
};

/** What Envoy makes of this text: the object's own text, `bad` when it is none, `unknown` for a name it does not know. */
export function makeFilterState(name: string, text: string): { readonly text: string } | "bad" | "unknown" {
  const factory = Object.hasOwn(factories, name) ? factories[name] : undefined;
  const made = factory?.(text);
  return factory ? (made === undefined ? "bad" : { text: made }) : "unknown";
}

/** The objects that have no text in Envoy, so that they cannot be read back. */
const unreadable: ReadonlySet<string> = new Set([
  "envoy.network.application_protocols",
  "envoy.network.transport_socket.http_11_proxy.info",
  "envoy.router.debug_config",
]);

/** The objects that Envoy's parts and the filters leave to each other in a stream. */
export class FilterState implements PropertyMap {
  readonly #values: Map<ByteString, ByteString>;
  readonly #readOnly = new Set<ByteString>();
  readonly #limits: Limits;
  #bytes = 0;

  /** Begins with these objects. */
  constructor(values: Iterable<readonly [ByteString, ByteString]> = [], limits: Limits = envoyLimits) {
    this.#values = new Map(values);
    this.#limits = limits;
  }

  /** Sets an object by its text. */
  set(name: string, text: string): Refusal | undefined {
    return unreadable.has(name) ? undefined : this.#keep(encodeText(name), encodeText(text));
  }

  /** Sets a property of a filter's own, which may be declared to be set only once. */
  setProperty(name: ByteString, value: ByteString, readOnly: boolean): Refusal | undefined {
    const key = `wasm.${name}`;
    if (this.#readOnly.has(key)) {
      return new Refusal(Status.BadArgument, `the property ${name} is declared read-only and is set already`);
    }
    const refusal = this.#keep(key, value);
    if (readOnly && !refusal) this.#readOnly.add(key);
    return refusal;
  }

  #keep(key: ByteString, value: ByteString): Refusal | undefined {
    const current = this.#values.get(key);
    const bytes = this.#bytes + value.length - (current === undefined ? -key.length - ENTRY_BYTES : current.length);
    if (bytes > this.#limits.propertyBytes) {
      return beyond("propertyBytes", "the bytes of properties that the stream keeps", bytes, this.#limits);
    }
    this.#bytes = bytes;
    this.#values.set(key, value);
    return undefined;
  }

  /** The object of this name; undefined when there is none. They cannot be listed. */
  get(name: ByteString): ByteString | undefined {
    return this.#values.get(name);
  }
}

function endpoint(text: string): string | undefined {
  const [, six, four, port] = /^(?:\[(.*)\]|([\d.]*)):(\d{1,5})$/.exec(text) ?? [];
  if (Number(port ?? 65536) > 65535) return undefined;
  return (four !== undefined ? isIPv4(four) : isIPv6(six ?? "")) ? text : undefined;
}
