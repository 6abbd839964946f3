// Addresses of servers, as text.

/** An address with a port, as in a URL: of IPv6 in brackets. */
export function addressText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The URL of a server that listens there, as a person would type it. */
export function urlOf(host: string, port: number): string {
  return `http://${addressText(host === "127.0.0.1" || host === "::1" ? "localhost" : host, port)}`;
}

/** What a server's URL has in front of each path that is asked for there; `""` for none. */
export function pathPrefix({ pathname }: URL): string {
  return pathname.replace(/\/$/, "");
}
