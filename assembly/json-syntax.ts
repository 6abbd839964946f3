// Whether a text is JSON. Each function takes the address where something should stand and gives the one behind it, or 0
// for what is none. A NUL behind the text ends it.

import { sizeOf } from "./utf8";

/** Arrays and objects may lie so deep in each other. */
const MOST_DEPTH: i32 = 128;

/** Where it is wrong, and the address of a string that says what should stand there. */
export let wrongAt: usize = 0;
export let wanted: usize = 0;

/** Notes what should stand at this address. */
export function wrong(at: usize, expected: usize): usize {
  wrongAt = at;
  wanted = expected;
  return 0;
}

/** Whether a byte is white space of JSON. */
export function isBlank(byte: u32): bool {
  return byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09;
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

/** The address behind white space. */
export function blanks(at: usize): usize {
  while (isBlank(load<u8>(at) as u32)) at++;
  return at;
}

/** Checks a value, which lies so deep in others. */
export function check(at: usize, depth: i32): usize {
  switch (load<u8>(at) as u32) {
    case 0x22:
      return checkString(at);
    case 0x5b:
      return checkArray(at, depth + 1);
    case 0x7b:
      return checkObject(at, depth + 1);
    case 0x74:
      return checkWord(at, changetype<usize>("true"));
    case 0x66:
      return checkWord(at, changetype<usize>("false"));
    case 0x6e:
      return checkWord(at, changetype<usize>("null"));
    default:
      return checkNumber(at);
  }
}

function checkObject(at: usize, depth: i32): usize {
  if (depth > MOST_DEPTH) return wrong(at, changetype<usize>("no more than 128 values in each other"));
  at = blanks(at + 1);
  if ((load<u8>(at) as u32) == 0x7d) return at + 1;
  while (true) {
    if ((load<u8>(at) as u32) != 0x22) return wrong(at, changetype<usize>("a name in double quotes"));
    at = checkString(at);
    if (!at) return 0;
    at = blanks(at);
    if ((load<u8>(at) as u32) != 0x3a) return wrong(at, changetype<usize>('":"'));
    at = check(blanks(at + 1), depth);
    if (!at) return 0;
    at = blanks(at);
    if ((load<u8>(at) as u32) == 0x7d) return at + 1;
    if ((load<u8>(at) as u32) != 0x2c) return wrong(at, changetype<usize>('"," or "}"'));
    at = blanks(at + 1);
  }
}

function checkArray(at: usize, depth: i32): usize {
  if (depth > MOST_DEPTH) return wrong(at, changetype<usize>("no more than 128 values in each other"));
  at = blanks(at + 1);
  if ((load<u8>(at) as u32) == 0x5d) return at + 1;
  while (true) {
    at = check(at, depth);
    if (!at) return 0;
    at = blanks(at);
    if ((load<u8>(at) as u32) == 0x5d) return at + 1;
    if ((load<u8>(at) as u32) != 0x2c) return wrong(at, changetype<usize>('"," or "]"'));
    at = blanks(at + 1);
  }
}

function checkString(at: usize): usize {
  at++;
  while (true) {
    const byte = load<u8>(at) as u32;
    if (byte == 0x22) return at + 1;
    if (byte < 0x20) return wrong(at, changetype<usize>("no control character in a string, and its closing quote"));
    at++;
    if (byte != 0x5c) continue;
    const escape = load<u8>(at) as u32;
    if (escape == 0x75) {
      for (let i = 0; i < 4; i++) {
        if (hexDigit(load<u8>(++at) as u32) < 0)
          return wrong(at, changetype<usize>("four hexadecimal digits after \\u"));
      }
    } else if (!plainEscape(escape)) {
      return wrong(at, changetype<usize>('one of " \\ / b f n r t u after \\'));
    }
    at++;
  }
}

function checkNumber(at: usize): usize {
  const start = at;
  if ((load<u8>(at) as u32) == 0x2d) at++;
  if (!isDigit(load<u8>(at) as u32)) return wrong(start, changetype<usize>("a value"));
  if ((load<u8>(at) as u32) == 0x30) at++;
  else at = digits(at);
  if (isDigit(load<u8>(at) as u32)) return wrong(at, changetype<usize>("no digit after a leading 0"));
  if ((load<u8>(at) as u32) == 0x2e) {
    if (!isDigit(load<u8>(++at) as u32)) return wrong(at, changetype<usize>("a digit after the point"));
    at = digits(at);
  }
  if (((load<u8>(at) as u32) | 0x20) == 0x65) {
    const sign = load<u8>(++at) as u32;
    if (sign == 0x2b || sign == 0x2d) at++;
    if (!isDigit(load<u8>(at) as u32)) return wrong(at, changetype<usize>("a digit in the exponent"));
    at = digits(at);
  }
  return at;
}

function digits(at: usize): usize {
  while (isDigit(load<u8>(at) as u32)) at++;
  return at;
}

function checkWord(at: usize, word: usize): usize {
  const start = at;
  const last = word + sizeOf(word);
  for (; word < last; word += 2)
    if ((load<u8>(at++) as u32) != load<u16>(word)) return wrong(start, changetype<usize>("a value"));
  return at;
}

/** The value of a hexadecimal digit; -1 of another byte. */
export function hexDigit(byte: u32): i32 {
  if (isDigit(byte)) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : -1;
}

/** What a letter behind a backslash stands for; 0 for none. */
export function plainEscape(letter: u32): u32 {
  switch (letter) {
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    case 0x22:
    case 0x2f:
    case 0x5c:
      return letter;
    default:
      return 0;
  }
}
