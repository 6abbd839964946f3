// What the proxy knows of a stream's connections, of its own configuration and of the plugin: accessors for the properties
// that Envoy names. Each asks the host when it is used, for the stream whose callback is running. Absent text is `null`,
// an absent number -1 (none of them is ever negative), an absent boolean `false`; in a root context there are `xds.node`
// and `plugin` only. ngx_wasm_module has `source`, `destination`, `plugin.name` and what is marked so.
// Source: Envoy "Attributes", source/extensions/filters/common/expr/context.cc; what a running Envoy 1.40 gave when.

import { ipOf } from "./forwarded";
import { knownBool, knownI64, knownMap, knownNanoseconds, knownText, PropertyMap } from "./properties";

// There are no objects behind the groups: their references are numbers that nobody looks at.

/** The client's end of the connection: the last hop, which may be a proxy. */
@unmanaged
export class Source {
  /** Address and port, such as `192.0.2.7:4711` (Envoy), or the address alone (ngx_wasm_module). */
  get address(): string | null {
    return knownText(changetype<usize>("source\0address"));
  }

  /** The IP address alone. */
  get ip(): string | null {
    const address = this.address;
    return address === null ? null : ipOf(address);
  }

  /** The port. */
  get port(): i64 {
    return knownI64(changetype<usize>("source\0port"));
  }
}

/** The proxy's end of the connection. ngx_wasm_module has it with the PROXY protocol only. */
@unmanaged
export class Destination {
  /** Address and port, such as `192.0.2.1:443`. */
  get address(): string | null {
    return knownText(changetype<usize>("destination\0address"));
  }

  /** The IP address alone. */
  get ip(): string | null {
    const address = this.address;
    return address === null ? null : ipOf(address);
  }

  /** The port. */
  get port(): i64 {
    return knownI64(changetype<usize>("destination\0port"));
  }
}

/** The connection from the client. Text about certificates is `null` without TLS. */
@unmanaged
export class Connection {
  /** The number of the connection, from 0 on. Also ngx_wasm_module. */
  get id(): i64 {
    return knownI64(changetype<usize>("connection\0id"));
  }

  /** Whether the client showed a certificate that was verified. Also ngx_wasm_module. */
  get mtls(): bool {
    return knownBool(changetype<usize>("connection\0mtls"));
  }

  /** The server name that the client asked for (SNI); `""` without (Envoy). Also ngx_wasm_module. */
  get requestedServerName(): string | null {
    return knownText(changetype<usize>("connection\0requested_server_name"));
  }

  /** The version of TLS, such as `TLSv1.3`. Also ngx_wasm_module. */
  get tlsVersion(): string | null {
    return knownText(changetype<usize>("connection\0tls_version"));
  }

  /** The subject of the proxy's certificate. */
  get subjectLocalCertificate(): string | null {
    return knownText(changetype<usize>("connection\0subject_local_certificate"));
  }

  /** The subject of the client's certificate. */
  get subjectPeerCertificate(): string | null {
    return knownText(changetype<usize>("connection\0subject_peer_certificate"));
  }

  /** The first DNS name of the proxy's certificate. */
  get dnsSanLocalCertificate(): string | null {
    return knownText(changetype<usize>("connection\0dns_san_local_certificate"));
  }

  /** The first DNS name of the client's certificate. */
  get dnsSanPeerCertificate(): string | null {
    return knownText(changetype<usize>("connection\0dns_san_peer_certificate"));
  }

  /** The first URI of the proxy's certificate. */
  get uriSanLocalCertificate(): string | null {
    return knownText(changetype<usize>("connection\0uri_san_local_certificate"));
  }

  /** The first URI of the client's certificate: in a mesh, its SPIFFE identity. */
  get uriSanPeerCertificate(): string | null {
    return knownText(changetype<usize>("connection\0uri_san_peer_certificate"));
  }

  /** The SHA-256 digest of the client's certificate, in hexadecimal. */
  get sha256PeerCertificateDigest(): string | null {
    return knownText(changetype<usize>("connection\0sha256_peer_certificate_digest"));
  }

  /** The client's certificate: PEM, URL-encoded. Not in every version of Envoy. */
  get peerCertificate(): string | null {
    return knownText(changetype<usize>("connection\0peer_certificate"));
  }

  /** Why the TLS handshake failed. */
  get transportFailureReason(): string | null {
    return knownText(changetype<usize>("connection\0transport_failure_reason"));
  }

  /** Why the proxy ended the connection. */
  get terminationDetails(): string | null {
    return knownText(changetype<usize>("connection\0termination_details"));
  }
}

/**
 * The server behind the proxy. In Envoy its address is known when the request has gone on from the last filter, and what
 * belongs to the connection when it stands: read them in response callbacks and `onLog`.
 */
@unmanaged
export class Upstream {
  /** Address and port (Envoy), or the address alone (ngx_wasm_module). */
  get address(): string | null {
    return knownText(changetype<usize>("upstream\0address"));
  }

  /** The port. Also ngx_wasm_module. */
  get port(): i64 {
    return knownI64(changetype<usize>("upstream\0port"));
  }

  /** How many hosts the cluster has; from the start of the stream on. */
  get numEndpoints(): i64 {
    return knownI64(changetype<usize>("upstream\0num_endpoints"));
  }

  /** Address and port of the proxy's end. */
  get localAddress(): string | null {
    return knownText(changetype<usize>("upstream\0local_address"));
  }

  /** The version of TLS. */
  get tlsVersion(): string | null {
    return knownText(changetype<usize>("upstream\0tls_version"));
  }

  /** The subject of the proxy's certificate. */
  get subjectLocalCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0subject_local_certificate"));
  }

  /** The subject of the upstream's certificate. */
  get subjectPeerCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0subject_peer_certificate"));
  }

  /** The first DNS name of the proxy's certificate. */
  get dnsSanLocalCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0dns_san_local_certificate"));
  }

  /** The first DNS name of the upstream's certificate. */
  get dnsSanPeerCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0dns_san_peer_certificate"));
  }

  /** The first URI of the proxy's certificate. */
  get uriSanLocalCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0uri_san_local_certificate"));
  }

  /** The first URI of the upstream's certificate. */
  get uriSanPeerCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0uri_san_peer_certificate"));
  }

  /** The SHA-256 digest of the upstream's certificate, in hexadecimal. */
  get sha256PeerCertificateDigest(): string | null {
    return knownText(changetype<usize>("upstream\0sha256_peer_certificate_digest"));
  }

  /** The upstream's certificate: PEM, URL-encoded. Not in every version of Envoy. */
  get peerCertificate(): string | null {
    return knownText(changetype<usize>("upstream\0peer_certificate"));
  }

  /** Why there was no connection; `""` when there was one. */
  get transportFailureReason(): string | null {
    return knownText(changetype<usize>("upstream\0transport_failure_reason"));
  }

  /** How often the request was sent: 0 before it was. */
  get requestAttemptCount(): i64 {
    return knownI64(changetype<usize>("upstream\0request_attempt_count"));
  }

  /** Nanoseconds until a connection was ready. */
  get connectionReadyDuration(): i64 {
    return knownNanoseconds(changetype<usize>("upstream\0cx_pool_ready_duration"));
  }

  /** The region of the locality of the host. */
  get region(): string | null {
    return knownText(changetype<usize>("upstream\0locality\0region"));
  }

  /** The zone of the locality of the host. */
  get zone(): string | null {
    return knownText(changetype<usize>("upstream\0locality\0zone"));
  }
}

/**
 * How the proxy is configured (Envoy). Metadata by namespace: `xds.routeMetadata` is a map whose values are maps; one
 * value alone is cheaper with `getProperty(["xds", "route_metadata", "filter_metadata", "envoy.lb", "canary"])`.
 */
@unmanaged
export class Xds {
  /** The id of this proxy. In a root context too. */
  get nodeId(): string | null {
    return knownText(changetype<usize>("xds\0node\0id"));
  }

  /** The cluster that this proxy belongs to. In a root context too. */
  get nodeCluster(): string | null {
    return knownText(changetype<usize>("xds\0node\0cluster"));
  }

  /** The metadata of this proxy; Istio has labels, namespace, workload in it. In a root context too. */
  get nodeMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0node\0metadata"));
  }

  /** The upstream cluster that the route leads to. */
  get clusterName(): string | null {
    return knownText(changetype<usize>("xds\0cluster_name"));
  }

  /** The metadata of that cluster. */
  get clusterMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0cluster_metadata\0filter_metadata"));
  }

  /** The name of the route; `""` when it has none. */
  get routeName(): string | null {
    return knownText(changetype<usize>("xds\0route_name"));
  }

  /** The metadata of the route. */
  get routeMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0route_metadata\0filter_metadata"));
  }

  /** The name of the virtual host. */
  get virtualHostName(): string | null {
    return knownText(changetype<usize>("xds\0virtual_host_name"));
  }

  /** The metadata of the virtual host. */
  get virtualHostMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0virtual_host_metadata\0filter_metadata"));
  }

  /** The metadata of the upstream's host, once one was chosen. */
  get upstreamHostMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0upstream_host_metadata\0filter_metadata"));
  }

  /** The name of the filter chain; `""` when it has none. */
  get filterChainName(): string | null {
    return knownText(changetype<usize>("xds\0filter_chain_name"));
  }

  /** Where the traffic of the listener goes: 0 not said, 1 inbound, 2 outbound. */
  get listenerDirection(): i64 {
    return knownI64(changetype<usize>("xds\0listener_direction"));
  }

  /** The metadata of the listener. */
  get listenerMetadata(): PropertyMap | null {
    return knownMap(changetype<usize>("xds\0listener_metadata\0filter_metadata"));
  }
}

/** The plugin itself. In a root context too. */
@unmanaged
export class Plugin {
  /** Its name in the proxy's configuration. */
  get name(): string | null {
    return knownText(changetype<usize>("plugin_name"));
  }

  /** Which of the module's root contexts it is (`root_id`; a number in ngx_wasm_module). */
  get rootId(): string | null {
    return knownText(changetype<usize>("plugin_root_id"));
  }

  /** `vm_id`: plugins with the same one share data and queues. */
  get vmId(): string | null {
    return knownText(changetype<usize>("plugin_vm_id"));
  }
}

/** The client's end of the connection. */
export const source: Source = changetype<Source>(1);
/** The proxy's end of the connection. */
export const destination: Destination = changetype<Destination>(1);
/** The connection from the client. */
export const connection: Connection = changetype<Connection>(1);
/** The server behind the proxy. */
export const upstream: Upstream = changetype<Upstream>(1);
/** How the proxy is configured. */
export const xds: Xds = changetype<Xds>(1);
/** The plugin itself. */
export const plugin: Plugin = changetype<Plugin>(1);
