// Cookies that a client sends. Source: RFC 6265, sections 4.2 and 5.4.

import { find, skipSpace, trimEnd } from "./bytes";
import { beginCall, write, written } from "./memory";
import { Parameters } from "./parameters";
import { decode } from "./utf8";

/**
 * The cookies of a `cookie` header such as `id=7; theme=dark`, in order. Values are as they were sent, without the
 * quotation marks around them: no server agrees with another on escapes. A part without `=` is none.
 */
export function parseCookies(header: string): Parameters {
  const cookies = new Parameters();
  beginCall();
  const at = write(changetype<usize>(header));
  addCookies(cookies, at, at + written);
  return cookies;
}

/** Adds the cookies of the header value between these addresses. */
export function addCookies(cookies: Parameters, at: usize, end: usize): void {
  while (at < end) {
    const next = find(at, end, 0x3b);
    const start = skipSpace(at, next);
    const equals = find(start, next, 0x3d);
    if (equals < next) {
      let value = skipSpace(equals + 1, next);
      let valueEnd = trimEnd(value, next);
      if (valueEnd - value >= 2 && load<u8>(value) == 0x22 && load<u8>(valueEnd - 1) == 0x22) {
        value++;
        valueEnd--;
      }
      cookies.add(decode(start, trimEnd(start, equals) - start), decode(value, valueEnd - value));
    }
    at = next + 1;
  }
}
