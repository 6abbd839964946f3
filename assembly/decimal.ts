// The number that decimal digits stand for: the nearest of 64 bits, ties to even, as IEEE 754 and JSON.parse have it.
// AssemblyScript's own parseFloat is off by one in the last place for many numbers, and by a factor of ten for some.

/** More digits than this decide nothing: halfway between two numbers of 64 bits lies none with more than 767. */
const MOST_DIGITS: i32 = 800;
/** Powers of ten up to this one have no rounding error. */
const MOST_EXACT_POWER: i32 = 22;
/** Beyond these exponents a number is infinite, or 0. */
const MOST_EXPONENT: i32 = 400;
const LEAST_EXPONENT: i32 = -1200;
/** The 32-bit parts of the largest number that is worked with, and some room. */
const PARTS: i32 = 256;

/** The number at these addresses, in JSON's form. */
export function parseDecimal(from: usize, to: usize): f64 {
  const negative = load<u8>(from) == 0x2d;
  if (negative) from++;
  let exponent: i32 = exponentIn(from, to);
  let head: u64 = 0;
  let digits = 0;
  let behindPoint = false;
  let last = from;
  for (; last < to && (load<u8>(last) | 0x20) != 0x65; last++) {
    const byte = load<u8>(last);
    if (byte == 0x2e) {
      behindPoint = true;
      continue;
    }
    if (behindPoint) exponent--;
    // Digits beyond the most count for their place only.
    if (digits == MOST_DIGITS) exponent++;
    else if (digits || byte != 0x30) digits++;
    if (digits <= 19) head = head * 10 + (byte - 0x30);
  }
  let value: f64 = 0;
  if (!digits || exponent < LEAST_EXPONENT) value = 0;
  else if (digits + exponent > MOST_EXPONENT) value = Infinity;
  else if (head <= 1 << 53 && digits <= 19 && exponent >= -MOST_EXACT_POWER && exponent <= MOST_EXACT_POWER) {
    value = exponent < 0 ? (head as f64) / power(-exponent) : (head as f64) * power(exponent);
  } else {
    value = nearest(from, last, exponent);
  }
  return negative ? -value : value;
}

/** What stands behind `e`, within bounds that no number needs; 0 when there is none. */
function exponentIn(from: usize, to: usize): i32 {
  while (from < to && (load<u8>(from) | 0x20) != 0x65) from++;
  if (from == to) return 0;
  const sign = load<u8>(++from);
  if (sign == 0x2d || sign == 0x2b) from++;
  let exponent = 0;
  for (; from < to; from++) if (exponent < 100_000_000) exponent = exponent * 10 + (load<u8>(from) - 0x30);
  return sign == 0x2d ? -exponent : exponent;
}

function power(exponent: i32): f64 {
  let value: f64 = 1;
  while (exponent--) value *= 10;
  return value;
}

/** The digits between the addresses times a power of ten, worked out in full. */
function nearest(from: usize, to: usize, exponent: i32): f64 {
  const parts = new StaticArray<u32>(PARTS);
  const number = changetype<usize>(parts);
  let size = 1;
  let digits = 0;
  let rest = false;
  for (; from < to; from++) {
    const byte = load<u8>(from);
    if (byte == 0x2e) continue;
    if (digits == MOST_DIGITS) rest = rest || byte != 0x30;
    else if (digits || byte != 0x30) {
      digits++;
      size = multiply(number, size, 10, byte - 0x30);
    }
  }
  for (; exponent > 0; exponent--) size = multiply(number, size, 10, 0);
  // So far to the left that 64 bits are left after the divisions: a power of ten has less than 10 bits for 3 digits.
  let shift = 0;
  if (exponent < 0) {
    const more = 3 + (-exponent * 10) / 96;
    memory.copy(number + more * 4, number, size * 4);
    memory.fill(number, 0, more * 4);
    size += more;
    shift = more * 32;
  }
  for (; exponent < 0; exponent++) {
    let remainder: u64 = 0;
    for (let i = size - 1; i >= 0; i--) {
      const part = (remainder << 32) | load<u32>(number + i * 4);
      store<u32>(number + i * 4, (part / 10) as u32);
      remainder = part % 10;
    }
    rest = rest || remainder != 0;
  }
  while (!load<u32>(number + (size - 1) * 4)) size--;
  return round(number, size, shift, rest);
}

/** Multiplies by a small number, adds another, and gives the new size. */
function multiply(number: usize, size: i32, factor: u64, summand: u64): i32 {
  for (let i = 0; i < size; i++) {
    const part = (load<u32>(number + i * 4) as u64) * factor + summand;
    store<u32>(number + i * 4, part as u32);
    summand = part >> 32;
  }
  if (summand) store<u32>(number + size++ * 4, summand as u32);
  return size;
}

/** The number of these parts, `shift` bits to the right; `rest` says that it is a little larger. */
function round(number: usize, size: i32, shift: i32, rest: bool): f64 {
  const zeros = clz(load<u32>(number + (size - 1) * 4)) as i32;
  // The first 64 bits, the highest of them set; whether any other is.
  let head: u64 = 0;
  for (let i = 0; i < 3; i++) {
    const at = size - 1 - i;
    const part = at >= 0 ? (load<u32>(number + at * 4) as u64) : 0;
    if (i < 2) head |= part << (32 - i * 32);
    else if (zeros) {
      head = (head << zeros) | (part >> (32 - zeros));
      rest = rest || ((part << zeros) as u32) != 0;
    } else {
      rest = rest || part != 0;
    }
  }
  for (let at = size - 4; at >= 0 && !rest; at--) rest = load<u32>(number + at * 4) != 0;
  // The value lies below 2 to this power, and not below half of it.
  const exponent = size * 32 - zeros - shift;
  if (exponent > 1024) return Infinity;
  // The smallest numbers have fewer than 53 bits.
  const precision = exponent > -1022 ? 53 : 53 + exponent + 1021;
  if (precision < 0) return 0;
  let mantissa = precision ? head >> (64 - precision) : 0;
  const dropped = precision ? head << precision : head;
  const half: u64 = 1 << 63;
  if (dropped > half || (dropped == half && (rest || mantissa & 1))) mantissa++;
  // A mantissa that has become too large for its bits carries into the exponent, as it should.
  return reinterpret<f64>(precision == 53 ? (((exponent + 1021) as u64) << 52) + mantissa : mantissa);
}
