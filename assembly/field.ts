// What may stand in a header.

import { isFieldLiteral } from "./literals";
import { complain } from "./status";

const LOW: u64 = 0x0e0e_0e0e_0e0e_0e0e;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/**
 * Whether the `size` bytes at `text` hold no NUL, CR or LF; logged when they do. Proxies take such a name or value and
 * send it as it is, and a line break in it begins a header, or a message, that the filter never wrote.
 * Source: RFC 9110, section 5.5; a running Envoy 1.40.
 */
export function isField(text: usize, size: usize): bool {
  if (isFieldLiteral(text)) return true;
  if (size < 8) return isFieldSlowly(text, size);
  // Eight bytes at a time, the last of which may overlap: none may lie below 0x0e, or they are looked at one by one.
  const last = text + size - 8;
  let at = text;
  while (!hasLow(load<u64>(at))) {
    if (at == last) return true;
    at = min(at + 8, last);
  }
  return isFieldSlowly(text, size);
}

function hasLow(bytes: u64): bool {
  return ((bytes - LOW) & ~bytes & HIGH_BITS) != 0;
}

function isFieldSlowly(text: usize, size: usize): bool {
  for (const end = text + size; text < end; text++) {
    const byte = load<u8>(text) as u32;
    if (byte == 0 || byte == 0x0a || byte == 0x0d) return refuse();
  }
  return true;
}

function refuse(): bool {
  complain(
    changetype<usize>("a header was not set: its name or value holds a NUL, CR or LF, and would split the message"),
    memory.data(4),
  );
  return false;
}
