// The query of a path, and what it says. Source: WHATWG URL, "application/x-www-form-urlencoded parsing".

import { find } from "./bytes";
import { beginCall, reserve, write, written } from "./memory";
import { Parameters } from "./parameters";
import { decode } from "./utf8";

/**
 * The parameters of a query such as `a=1&b=x+y%21`, without its `?`: percent signs and pluses decoded, as
 * `URLSearchParams` does it on the web. Bytes that are no UTF-8 become U+FFFD.
 */
export function parseQuery(query: string): Parameters {
  beginCall();
  const at = write(changetype<usize>(query));
  return parametersOf(at, at + written);
}

/** The parameters of the query between these addresses. */
export function parametersOf(at: usize, end: usize): Parameters {
  const parameters = new Parameters();
  while (at < end) {
    const next = find(at, end, 0x26);
    if (at < next) {
      const equals = find(at, next, 0x3d);
      parameters.add(unescape(at, equals), equals < next ? unescape(equals + 1, next) : "");
    }
    at = next + 1;
  }
  return parameters;
}

/** The address where query and fragment of the path between these addresses begin; `end` when there are none. */
export function pathEnd(at: usize, end: usize): usize {
  return find(at, find(at, end, 0x23), 0x3f);
}

/** The address behind the `?` of the path between these addresses; `end` when there is none. */
export function queryStart(at: usize, end: usize): usize {
  const mark = pathEnd(at, end);
  return mark < end && load<u8>(mark) == 0x3f ? mark + 1 : end;
}

/** The address of the `#` of the query between these addresses, where it ends; `end` when there is none. */
export function queryEnd(at: usize, end: usize): usize {
  return find(at, end, 0x23);
}

function unescape(at: usize, end: usize): string {
  const bytes = reserve(end - at);
  let out = bytes;
  while (at < end) {
    const byte = load<u8>(at++) as u32;
    if (byte == 0x25 && at + 1 < end) {
      const high = digit(load<u8>(at));
      const low = digit(load<u8>(at + 1));
      if ((high | low) < 16) {
        store<u8>(out++, (high << 4) | low);
        at += 2;
        continue;
      }
    }
    store<u8>(out++, byte == 0x2b ? 0x20 : byte);
  }
  return decode(bytes, out - bytes);
}

/** The value of a hexadecimal digit; 16 or more when it is none. */
function digit(byte: u32): u32 {
  if (byte - 0x30 < 10) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 16;
}
