// What the specs share: bytes that a person can read.

const DIGITS = "0123456789abcdef";

/** The bytes that these pairs of hexadecimal digits spell; anything else between them is layout. */
export function bytes(hex: string): Uint8Array {
  const digits: i32[] = [];
  for (let i = 0; i < hex.length; i++) {
    const digit = DIGITS.indexOf(hex.charAt(i));
    if (digit >= 0) digits.push(digit);
  }
  assert(!(digits.length & 1), "half a byte in " + hex);
  const result = new Uint8Array(digits.length >> 1);
  for (let i = 0; i < result.length; i++) result[i] = ((digits[2 * i] << 4) | digits[2 * i + 1]) as u8;
  return result;
}

/** The `size` bytes at `from` as pairs of digits with spaces between them. */
export function hexAt(from: usize, size: usize): string {
  let text = "";
  for (let i: usize = 0; i < size; i++) {
    const byte = load<u8>(from + i) as i32;
    text += (i ? " " : "") + DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15);
  }
  return text;
}

/** These bytes as pairs of digits with spaces between them. */
export function hex(bytes: Uint8Array): string {
  return hexAt(bytes.dataStart, bytes.byteLength);
}

/** The units of this text, so that unpaired surrogates and invisible characters show. */
export function units(text: string): string {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    result += (i ? " " : "") + text.charCodeAt(i).toString(16).padStart(4, "0");
  }
  return result;
}
