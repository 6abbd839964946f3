// How the machine reaches registries: directly, through the proxies that the environment names, with or without looking
// at certificates. Node's own `fetch` knows neither proxies (before Node 24) nor how to leave certificates unchecked;
// undici's, from which it comes, does both, and is loaded when it is needed.

import type { Dispatcher } from "undici";

import type { Environment } from "./credentials.ts";
import { ImageError } from "./error.ts";
import { isLoopback } from "./hosts.ts";
import type { Fetch } from "./http.ts";

/** How servers are reached. */
export interface Network {
  readonly fetch: Fetch;
  /** The proxy that a request to this server goes through; undefined when it goes straight there. */
  readonly proxyFor: (url: URL) => URL | undefined;
}

/** The network as an environment describes it. */
export async function openNetwork(environment: Environment, { insecure }: { insecure: boolean }): Promise<Network> {
  const proxyFor = proxiesOf(environment);
  if (!proxyFor && !insecure) return { fetch, proxyFor: () => undefined };
  const { Agent, ProxyAgent, fetch: undiciFetch } = await import("undici");
  const tls = insecure ? { rejectUnauthorized: false } : {};
  const direct = new Agent({ connect: tls });
  const proxied = new Map<string, Dispatcher>();
  const dispatcherFor = (url: URL): Dispatcher => {
    const proxy = proxyFor?.(url);
    if (!proxy) return direct;
    // Proxies that take CONNECT for anything but TLS are rare.
    const agent = proxied.get(proxy.href) ?? new ProxyAgent({ uri: proxy.href, requestTls: tls, proxyTunnel: false });
    proxied.set(proxy.href, agent);
    return agent;
  };
  const send = (url: URL, init: object): unknown =>
    undiciFetch(url, { ...init, dispatcher: dispatcherFor(url) } as object);
  return { fetch: send as Fetch, proxyFor: proxyFor ?? (() => undefined) };
}

/** Which proxy is for which server; undefined when there is none at all. */
function proxiesOf(environment: Environment): Network["proxyFor"] | undefined {
  const find = (name: string): string | undefined => environment[name.toLowerCase()] || environment[name];
  const [http, https] = ["HTTP_PROXY", "HTTPS_PROXY"].map((name) => parseProxy(name, find(name)));
  if (!http && !https) return undefined;
  const isExcepted = exceptions(find("NO_PROXY") ?? "");
  return (url) => {
    // A password that is sent in clear to this machine must not leave it.
    if (isLoopback(url.hostname) || isExcepted(url)) return undefined;
    return url.protocol === "https:" ? (https ?? http) : http;
  };
}

/** Reads a proxy's URL. What is wrong with it is not shown: it may hold a password. */
function parseProxy(variable: string, text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isProxy = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash;
  if (isProxy && [url.username, url.password].every(isEncoded)) return url;
  throw new ImageError(
    `${variable} is no URL such as http://proxy.example:3128; in a password, what is no letter or digit is written as % and two digits`,
  );
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Which servers NO_PROXY names: a host with all that ends in it, maybe with a port; `*` is every one. */
function exceptions(list: string): (url: URL) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[,\s]+/)
    .filter(Boolean);
  return ({ hostname, port, protocol }) => {
    const actual = port || (protocol === "https:" ? "443" : "80");
    return entries.some((entry) => {
      const [, name = "", wanted] = /^(.*?)(?::(\d+))?$/.exec(entry)!;
      const host = name.replace(/^\*?\./, "");
      if (wanted !== undefined && wanted !== actual) return false;
      return host === "*" || hostname === host || hostname.endsWith(`.${host}`);
    });
  };
}
