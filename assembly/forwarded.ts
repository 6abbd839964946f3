// Where a request came from, hop by hop. Source: Envoy "HTTP header manipulation", `x-forwarded-for`.

import { find, skipSpace, trimEnd } from "./bytes";
import { beginCall, write, written } from "./memory";
import { decode } from "./utf8";

/** The addresses of an `x-forwarded-for` header, the client's first; empty parts are left out. */
export function parseForwardedFor(header: string): string[] {
  const addresses: string[] = [];
  beginCall();
  const at = write(changetype<usize>(header));
  addForwarded(addresses, at, at + written);
  return addresses;
}

/** Adds the addresses of the header value between these addresses of memory. */
export function addForwarded(addresses: string[], at: usize, end: usize): void {
  while (at < end) {
    const next = find(at, end, 0x2c);
    const start = skipSpace(at, next);
    const stop = trimEnd(start, next);
    if (start < stop) addresses.push(decode(start, stop - start));
    at = next + 1;
  }
}

/** The IP address in an address with or without a port: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`. */
export function ipOf(address: string): string {
  if (address.startsWith("[")) {
    const end = address.indexOf("]");
    return end < 0 ? address : address.substring(1, end);
  }
  const colon = address.indexOf(":");
  return colon < 0 || address.indexOf(":", colon + 1) >= 0 ? address : address.substring(0, colon);
}
