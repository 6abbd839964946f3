// Inside the host, header names and values are ByteStrings, the web platform's term: strings whose code units are bytes.
// They compare and concatenate as strings and lose nothing. Text exists at the public surface only.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A string each of whose code units is a byte. */
export type ByteString = string;

/** No bytes. To make an empty array takes longer than one of a few bytes, and nobody can write to it. */
export const noBytes: Uint8Array<ArrayBuffer> = new Uint8Array();

/** The ByteString of these bytes. */
export function byteString(bytes: Uint8Array): ByteString {
  let text = "";
  // A long array as arguments overflows the stack.
  for (let i = 0; i < bytes.length; i += 8192) text += fromCharCodes(bytes.subarray(i, i + 8192));
  return text;
}

// Spreading a typed array takes several times as long as handing it on.
function fromCharCodes(codes: ArrayLike<number>): string {
  return String.fromCharCode.apply(undefined, codes as number[]);
}

/** The bytes of a ByteString. */
export function bytesOf(text: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const beyondAscii = /[^\x00-\x7f]/;

/** The ByteString of this text's UTF-8, or of these bytes. */
export function encodeText(value: string | Uint8Array): ByteString {
  if (typeof value !== "string") return byteString(value);
  return beyondAscii.test(value) ? byteString(encoder.encode(value)) : value;
}

/** The text that a ByteString spells in UTF-8; bytes that are none become U+FFFD. */
export function decodeText(text: ByteString): string {
  return beyondAscii.test(text) ? decoder.decode(bytesOf(text)) : text;
}

/** The UTF-8 bytes of a text; bytes are given back as they are. */
export function toBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value !== "string") return value;
  return value.length > FEW ? encoder.encode(value) : fewBytes(value);
}

/** So many characters are encoded faster one by one than by a TextEncoder. */
const FEW = 64;

function fewBytes(text: string): Uint8Array {
  if (!text) return noBytes;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return encoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** These bytes behind one another, in an array of their own. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The text of UTF-8 bytes. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A ByteString in lower case, as HTTP compares names: ASCII letters only. */
export function lowerCase(name: ByteString): ByteString {
  return /[A-Z]/.test(name) ? name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : name;
}

/** A ByteString without blanks and tabs around it. `trim()` would take a byte 0xA0 too, which may be half a letter. */
export function trimBlanks(text: ByteString): ByteString {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
