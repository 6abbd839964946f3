// Text of AssemblyScript (UTF-16) to and from the bytes of the wire (UTF-8), as the WHATWG Encoding standard has it:
// whatever is no valid text becomes U+FFFD. Four ASCII characters at a time, since header names and values hardly ever
// hold anything else.

/// <reference path="./runtime.d.ts" />

/** A group of four UTF-16 units with any of these bits holds a unit beyond ASCII. */
const WIDE_UNITS: u64 = 0xff80_ff80_ff80_ff80;
/** A group of four bytes with any of these bits holds a byte beyond ASCII. */
const WIDE_BYTES: u64 = 0x8080_8080;
const REPLACEMENT: u32 = 0xfffd;

/** The most bytes one UTF-16 unit can take. */
export const MAX_BYTES_PER_UNIT: usize = 3;

/** The bytes that a string takes in memory, two a unit: what its header says. */
export function sizeOf(text: usize): usize {
  return load<u32>(text - 4);
}

/**
 * Writes the string at `text` to `out`, where `MAX_BYTES_PER_UNIT` bytes a unit must be free, and gives the address
 * behind it.
 */
export function encode(text: usize, out: usize): usize {
  let from = text;
  const end = from + sizeOf(text);
  while (from + 8 <= end) {
    const units = load<u64>(from);
    if (units & WIDE_UNITS) break;
    const pairs = (units | (units >> 8)) & 0x0000_ffff_0000_ffff;
    store<u32>(out, (pairs | (pairs >> 16)) as u32);
    from += 8;
    out += 4;
  }
  while (from < end) {
    const unit = load<u16>(from) as u32;
    from += 2;
    if (unit < 0x80) {
      store<u8>(out++, unit);
    } else {
      let point = unit;
      if ((unit & 0xf800) == 0xd800) {
        const next = from < end ? (load<u16>(from) as u32) : 0;
        if (unit < 0xdc00 && (next & 0xfc00) == 0xdc00) {
          point = 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff);
          from += 2;
        } else {
          point = REPLACEMENT;
        }
      }
      out = encodePoint(point, out);
    }
  }
  return out;
}

/** Writes a code point to `out` and gives the address behind it. */
export function encodePoint(point: u32, out: usize): usize {
  let more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  // 110xxxxx, 1110xxxx or 11110xxx, then 10xxxxxx for each further byte; the store keeps the low eight bits.
  store<u8>(out++, (0xff00 >> (more + 1)) | (point >> (6 * more)));
  while (more--) store<u8>(out++, 0x80 | ((point >> (6 * more)) & 0x3f));
  return out;
}

/** The text of `size` bytes at `from`. */
export function decode(from: usize, size: usize): string {
  const end = from + size;
  // No byte gives more than one unit. What is too much is cut off in the string's header.
  const text = __new(size << 1, idof<string>());
  let out = text;
  while (from < end) {
    while (from + 4 <= end) {
      const bytes = load<u32>(from) as u64;
      if (bytes & WIDE_BYTES) break;
      const pairs = (bytes | (bytes << 16)) & 0x0000_ffff_0000_ffff;
      store<u64>(out, (pairs | (pairs << 8)) & 0x00ff_00ff_00ff_00ff);
      from += 4;
      out += 8;
    }
    if (from == end) break;
    let point = load<u8>(from++) as u32;
    if (point >= 0x80) {
      let more = point < 0xc2 || point > 0xf4 ? 0 : 1 + i32(point >= 0xe0) + i32(point >= 0xf0);
      // What the first byte allows as the second, so that no code point has two forms and none is a surrogate.
      let low: u32 = point == 0xe0 ? 0xa0 : point == 0xf0 ? 0x90 : 0x80;
      let high: u32 = point == 0xed ? 0x9f : point == 0xf4 ? 0x8f : 0xbf;
      point = more ? point & (0x3f >> more) : REPLACEMENT;
      for (; more; more--) {
        const next = from < end ? (load<u8>(from) as u32) : 0;
        if (next < low || next > high) {
          point = REPLACEMENT;
          break;
        }
        point = (point << 6) | (next & 0x3f);
        low = 0x80;
        high = 0xbf;
        from++;
      }
    }
    if (point >= 0x10000) {
      store<u16>(out, 0xd7c0 + (point >> 10));
      out += 2;
      point = 0xdc00 | (point & 0x3ff);
    }
    store<u16>(out, point);
    out += 2;
  }
  store<u32>(text - 4, (out - text) as u32);
  return changetype<string>(text);
}
