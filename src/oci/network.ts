// How the machine reaches registries: directly, through the proxies that the environment names, with or without looking
// at certificates. Node's own `fetch` knows neither proxies (before Node 24) nor how to leave certificates unchecked;
// undici's, from which it comes, does both, and is loaded when it is needed.

import type { Environment } from "./credentials.ts";
import { ImageError } from "./error.ts";
import type { Fetch } from "./http.ts";

/** Never behind a proxy. */
const nearby = ["localhost", "127.0.0.1", "[::1]"];

/** `fetch` for this environment. */
export async function networkFetch(environment: Environment, { insecure }: { insecure: boolean }): Promise<Fetch> {
  const find = (name: string): string | undefined => environment[name] || environment[name.toUpperCase()];
  const proxies = { httpProxy: find("http_proxy"), httpsProxy: find("https_proxy") };
  const isProxied = Object.values(proxies).some((proxy) => proxy !== undefined);
  if (!isProxied && !insecure) return fetch;
  for (const [name, proxy] of Object.entries(proxies)) {
    if (proxy === undefined || /^https?:\/\/[^/]/.test(proxy)) continue;
    const variable = name === "httpProxy" ? "HTTP_PROXY" : "HTTPS_PROXY";
    throw new ImageError(`${variable} is no URL such as http://proxy.example:3128`);
  }
  const { Agent, EnvHttpProxyAgent, fetch: undiciFetch } = await import("undici");
  const tls = insecure ? { rejectUnauthorized: false } : {};
  const dispatcher = isProxied
    ? new EnvHttpProxyAgent({
        ...(proxies.httpProxy !== undefined && { httpProxy: proxies.httpProxy }),
        ...(proxies.httpsProxy !== undefined && { httpsProxy: proxies.httpsProxy }),
        noProxy: [...nearby, find("no_proxy") ?? ""].join(","),
        connect: tls,
        requestTls: tls,
        // Proxies that take CONNECT for anything but TLS are rare.
        proxyTunnel: false,
      })
    : new Agent({ connect: tls });
  return ((url: URL, init: object) => undiciFetch(url, { ...init, dispatcher })) as unknown as Fetch;
}
