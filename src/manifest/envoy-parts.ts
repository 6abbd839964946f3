// Parts of Envoy's configuration that each one with a filter has: for manifests, and for `proxy-wasm envoy`.
// Members that are undefined are left out when it is written. Source: Envoy's API, as 1.40 takes it.

import { isIP } from "node:net";

/** A message of a type, as `typed_config` has it. */
export const type = (name: string): object => ({ "@type": `type.googleapis.com/${name}` });

/** What an HTTP listener ends with. */
export const router: object = { name: "router", typed_config: type("envoy.extensions.filters.http.router.v3.Router") };

/** An answer of Envoy's own, in place of a server's. */
export const hello: object = { status: 200, body: { inline_string: "Hello, world!" } };

/** What Envoy calls failure policies. */
export const failurePolicies = {
  closed: "FAIL_CLOSED",
  open: "FAIL_OPEN",
  reload: "FAIL_RELOAD",
  fail_open: "FAIL_OPEN",
} as const;

/** An HTTP filter with this PluginConfig. */
export function httpFilter(name: string, config: object): object {
  return { name, typed_config: { ...type("envoy.extensions.filters.http.wasm.v3.Wasm"), config } };
}

/** A configuration as a message, whose content the filter reads: text, or bytes that are none. */
export function configurationMessage(configuration: string | Uint8Array): object {
  try {
    const text =
      typeof configuration === "string"
        ? configuration
        : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(configuration);
    return { ...type("google.protobuf.StringValue"), value: text };
  } catch {
    return {
      ...type("google.protobuf.BytesValue"),
      value: Buffer.from(configuration as Uint8Array).toString("base64"),
    };
  }
}

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** A server as a cluster; `tls` is the context's `common_tls_context`, without which any certificate is taken. */
export function clusterOf(name: string, url: URL, tls?: (address: string) => object): object {
  const isTls = url.protocol === "https:";
  const address = url.hostname.replace(/^\[|\]$/g, "");
  const port_value = Number(url.port || (isTls ? 443 : 80));
  // With its trailers, which Envoy drops otherwise.
  const http1 = { http_protocol_options: { enable_trailers: true } };
  const context = {
    ...type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    sni: isIP(address) ? undefined : address,
    common_tls_context: tls?.(address),
  };
  return {
    name,
    type: isIP(address) ? "STATIC" : "STRICT_DNS",
    dns_lookup_family: isIP(address) ? undefined : "V4_PREFERRED",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value } } } }] }],
    },
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        ...type(HTTP_OPTIONS),
        explicit_http_config: url.protocol === "h2c:" ? { http2_protocol_options: {} } : http1,
      },
    },
    transport_socket: isTls ? { name: "tls", typed_config: context } : undefined,
  };
}
