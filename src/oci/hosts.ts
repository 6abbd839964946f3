// Which hosts are near: this machine, and addresses that only a private network has. Names are not looked up.
// Source: RFC 1918, RFC 4193, RFC 6890; Istio pkg/wasm/imagefetcher.go for token servers.

/** Whether a host is this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}

/** Whether a host is an address of a private network, or one that exists on one link only. */
export function isPrivateAddress(hostname: string): boolean {
  return (
    /^(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2,3}$/.test(hostname) ||
    /^\[(::1|f[cd][0-9a-f:.]*|fe[89ab][0-9a-f:.]*)\]$/i.test(hostname)
  );
}

/** Whether a host is this machine, on a private network, or a cloud's own service: nothing that a stranger may point at. */
export function isInternal(hostname: string): boolean {
  return isLoopback(hostname) || isPrivateAddress(hostname) || hostname === "metadata.google.internal";
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
  return isPrivateAddress(hostname) ? "realm targets private/loopback/link-local IP" : undefined;
}
