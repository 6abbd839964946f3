// A server that Envoy speaks to, as a cluster. Source: Envoy's API, as 1.40 takes it.

import { isIP } from "node:net";

import { type } from "./plugin-config.ts";
import { note } from "./yaml.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** The cluster of one server; https is compared with the machine's authorities. */
export function envoyCluster(name: string, url: URL): object {
  const isTls = url.protocol === "https:";
  const address = url.hostname.replace(/^\[|\]$/g, "");
  const port_value = Number(url.port || (isTls ? 443 : 80));
  const tls = {
    ...type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
    sni: isIP(address) ? undefined : address,
    common_tls_context: {
      validation_context: {
        trusted_ca: {
          filename: note("The authorities that the machine trusts; the path of Debian and Alpine.", AUTHORITIES),
        },
        match_typed_subject_alt_names: [
          { san_type: isIP(address) ? "IP_ADDRESS" : "DNS", matcher: { exact: address } },
        ],
      },
    },
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
      // With its trailers, which Envoy drops otherwise.
      [HTTP_OPTIONS]: {
        ...type(HTTP_OPTIONS),
        explicit_http_config: { http_protocol_options: { enable_trailers: true } },
      },
    },
    transport_socket: isTls ? { name: "tls", typed_config: tls } : undefined,
  };
}

const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
