// Looking through bytes: what the parsers of header values and queries share. Addresses, so that nothing is copied
// before it is known to be wanted.

/** The address of the first byte `wanted` from `at` on; `end` when there is none. */
export function find(at: usize, end: usize, wanted: u32): usize {
  while (at < end && (load<u8>(at) as u32) != wanted) at++;
  return at;
}

/** Whether a byte is HTTP's white space: blank, tab, CR or LF. */
function isSpace(byte: u32): bool {
  return byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d;
}

/** The address of the first byte from `at` on that is no white space. */
export function skipSpace(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(at))) at++;
  return at;
}

/** The end of these bytes without the white space there. */
export function trimEnd(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(end - 1))) end--;
  return end;
}
