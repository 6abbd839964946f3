// Finding one's way in a JSON text that has been checked, and reading what stands there. Addresses are those of values;
// nothing here looks for the end.

import { parseDecimal } from "./decimal";
import { blanks, hexDigit, isBlank, isDigit, plainEscape } from "./json-syntax";
import { decode, encodePoint } from "./utf8";

/** Above this a number with a fraction or an exponent is no exact integer any more. */
const MOST_EXACT: f64 = 9007199254740992;

/** The first element or name in an array or object; 0 when it is empty. */
export function firstIn(at: usize): usize {
  at = blanks(at + 1);
  return isClosing(load<u8>(at)) ? 0 : at;
}

/** The element or name after a value that ends here; 0 when that was the last. */
export function nextIn(at: usize): usize {
  at = blanks(at);
  return isClosing(load<u8>(at)) ? 0 : blanks(at + 1);
}

/** The value behind a name. */
export function valueOf(name: usize): usize {
  return blanks(blanks(skip(name)) + 1);
}

function isClosing(byte: u32): bool {
  return (byte | 0x20) == 0x7d;
}

/** The address behind a value. */
export function skip(at: usize): usize {
  let depth = 0;
  do {
    const byte = load<u8>(at);
    if (byte == 0x22) {
      while (load<u8>(++at) != 0x22) if (load<u8>(at) == 0x5c) at++;
      at++;
    } else if ((byte | 0x20) == 0x7b) {
      depth++;
      at++;
    } else if (isClosing(byte)) {
      depth--;
      at++;
    } else if (depth) {
      at++;
    } else {
      while (!isEnd(load<u8>(at))) at++;
    }
  } while (depth);
  return at;
}

/** Whether a number or a word ends before this byte. */
export function isEnd(byte: u32): bool {
  return !byte || byte == 0x2c || isClosing(byte) || isBlank(byte);
}

/** Whether the string at `at` is the one of `size` bytes at `name`. */
export function isNamed(at: usize, name: usize, size: usize): bool {
  for (let i: usize = 1; ; i++) {
    const byte = load<u8>(at + i);
    if (byte == 0x5c) break;
    if (byte == 0x22) return i == size + 1;
    if (i > size || byte != load<u8>(name + i - 1)) {
      // It may be the same in other words: "\u0061" is "a".
      while (load<u8>(at + i) != 0x22) if (load<u8>(at + i++) == 0x5c) return isSame(textAt(at), name, size);
      return false;
    }
  }
  return isSame(textAt(at), name, size);
}

function isSame(text: string, name: usize, size: usize): bool {
  return text == decode(name, size);
}

/** The text of the string at `at`. */
export function textAt(at: usize): string {
  const from = at + 1;
  let to = from;
  let escaped = false;
  for (; load<u8>(to) != 0x22; to++) {
    if (load<u8>(to) != 0x5c) continue;
    escaped = true;
    to++;
  }
  if (!escaped) return decode(from, to - from);
  // No escape is shorter than the bytes it stands for.
  const block = new ArrayBuffer((to - from) as i32);
  const bytes = changetype<usize>(block);
  return decode(bytes, unescape(from, to, bytes) - bytes);
}

function unescape(from: usize, to: usize, out: usize): usize {
  while (from < to) {
    const byte = load<u8>(from++);
    if (byte != 0x5c) {
      store<u8>(out++, byte);
      continue;
    }
    const letter = load<u8>(from++);
    if (letter != 0x75) {
      store<u8>(out++, plainEscape(letter));
      continue;
    }
    let point = unitAt(from);
    from += 4;
    if ((point & 0xf800) == 0xd800) {
      const next = from + 6 <= to && load<u16>(from) == 0x755c ? unitAt(from + 2) : 0;
      if (point < 0xdc00 && (next & 0xfc00) == 0xdc00) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (next & 0x3ff);
        from += 6;
      } else {
        point = 0xfffd;
      }
    }
    if (point < 0x80) store<u8>(out++, point);
    else out = encodePoint(point, out);
  }
  return out;
}

/** The number of four hexadecimal digits. */
function unitAt(at: usize): u32 {
  let unit = 0;
  for (let i = 0; i < 4; i++) unit = (unit << 4) | hexDigit(load<u8>(at + i));
  return unit;
}

/** The number at `at`. */
export function numberAt(at: usize): f64 {
  return parseDecimal(at, numberEnd(at));
}

function numberEnd(at: usize): usize {
  while (isNumberByte(load<u8>(at) as u32)) at++;
  return at;
}

function isNumberByte(byte: u32): bool {
  return isDigit(byte) || byte == 0x2d || byte == 0x2b || byte == 0x2e || (byte | 0x20) == 0x65;
}

/** What `readInteger` has read, without its sign. */
export let magnitude: u64 = 0;

/** Reads the number at `at` when it is whole and 64 bits hold it. */
export function readInteger(at: usize): bool {
  const stop = numberEnd(at);
  let value: u64 = 0;
  let from = at;
  if (load<u8>(from) == 0x2d) from++;
  for (; from < stop; from++) {
    const digit = (load<u8>(from) as u64) - 0x30;
    if (digit > 9) break;
    if (value > (u64.MAX_VALUE - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (from < stop) {
    const number = abs(numberAt(at));
    if (!(number <= MOST_EXACT) || number != trunc(number)) return false;
    value = number as u64;
  }
  magnitude = value;
  return true;
}
