// Which hosts are near: this machine, and addresses that only a private network has. Names are not looked up.
// Source: RFC 1918, RFC 4193, RFC 6598, RFC 6761, RFC 6890; Istio pkg/wasm/imagefetcher.go for token servers.

import { BlockList, isIP } from "node:net";

/** Whether a host is one of these addresses, also as IPv6 writes those of IPv4 (`[::ffff:127.0.0.1]`). */
type Addresses = (hostname: string) => boolean;

/** Those of networks such as `10.0.0.0/8`, with spaces between them. */
function addresses(networks: string): Addresses {
  const list = new BlockList();
  const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");
  for (const network of networks.split(" ")) {
    const [address, bits] = network.split("/") as [string, string];
    list.addSubnet(address, Number(bits), family(address));
  }
  return (hostname) => {
    const address = hostname.replace(/^\[(.*)\]$/, "$1");
    return isIP(address) !== 0 && list.check(address, family(address));
  };
}

const isLoopbackAddress = addresses("127.0.0.0/8 ::1/128");

/** What Go calls private, loopback and link-local. */
const isPrivateToGo = addresses(
  "10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7 fe80::/10",
);

/** What no public server has, and the ways in which IPv6 writes addresses of IPv4, which may be any. */
const isNotPublic = addresses(
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16 " +
    "198.18.0.0/15 224.0.0.0/3 ::/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16 fc00::/7 fe80::/10 ff00::/8",
);

/** Whether a host is this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(.*\.)?localhost$/i.test(hostname) || isLoopbackAddress(hostname);
}

/** Whether a host is this machine, on a private network, or a cloud's own service: nothing that a stranger may point at. */
export function isInternal(hostname: string): boolean {
  // With a dot behind it a name is the same name.
  const host = hostname.replace(/\.$/, "").toLowerCase();
  return isLoopback(host) || isNotPublic(host) || host === "metadata.google.internal";
}

/** Why Istio would not answer a registry's challenge, in its own words; undefined when it would. */
export function istioRefusesRealm(wwwAuthenticate: string): string | undefined {
  for (const [, realm] of wwwAuthenticate.matchAll(/realm="([^"]*)"/g)) {
    const why = realmProblem(realm!);
    if (why !== undefined) return `rejected unsafe bearer realm: ${why}`;
  }
  return undefined;
}

function realmProblem(realm: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(realm)?.[1]?.toLowerCase() ?? "";
  if (scheme !== "http" && scheme !== "https") return `realm scheme ${JSON.stringify(scheme)} not allowed`;
  const hostname = URL.canParse(realm) ? new URL(realm).hostname : "";
  if (!hostname) return "realm missing host";
  if (hostname === "metadata.google.internal") return "realm targets cloud metadata service";
  if (hostname === "localhost") return "realm targets localhost";
  return isPrivateToGo(hostname) ? "realm targets private/loopback/link-local IP" : undefined;
}
