// What a body is: the value of `content-type`. Source: WHATWG MIME Sniffing, "Parsing a MIME type".

import { find, skipSpace, trimEnd } from "./bytes";
import { beginCall, reserve, write, written } from "./memory";
import { Parameters } from "./parameters";
import { decode, sizeOf } from "./utf8";

/** A media type with its parameters. */
export class ContentType {
  constructor(
    /** The media type in lower case, without parameters: `text/html`. */
    readonly type: string,
    /** The parameters; their names are in lower case. */
    readonly parameters: Parameters,
  ) {}

  /** The character set in lower case, such as `utf-8`; `null` when it is not said. */
  get charset(): string | null {
    const charset = this.parameters.get("charset");
    return charset === null ? null : charset.toLowerCase();
  }
}

/** What a value such as `text/html; charset="utf-8"` says; `null` when it is no media type. */
export function parseContentType(value: string): ContentType | null {
  beginCall();
  const at = write(changetype<usize>(value));
  return contentTypeOf(at, at + written);
}

/** What the value between these addresses says; `null` when it is no media type. */
export function contentTypeOf(at: usize, end: usize): ContentType | null {
  at = skipSpace(at, end);
  end = trimEnd(at, end);
  const typeEnd = trimEnd(at, find(at, end, SEMICOLON));
  const slash = find(at, typeEnd, 0x2f);
  if (!isToken(at, slash) || slash == typeEnd || !isToken(slash + 1, typeEnd)) return null;
  const type = new ContentType(lowerCase(at, typeEnd), new Parameters());
  addParameters(type.parameters, typeEnd, end);
  return type;
}

const SEMICOLON: u32 = 0x3b;
const QUOTE: u32 = 0x22;

function addParameters(parameters: Parameters, at: usize, end: usize): void {
  while (at < end) {
    at = skipSpace(find(at, end, SEMICOLON) + 1, end);
    if (at >= end) return;
    const stop = find(at, end, SEMICOLON);
    const equals = find(at, stop, 0x3d);
    if (equals < stop) {
      const from = equals + 1;
      const quoted = from < end && (load<u8>(from) as u32) == QUOTE;
      const valueEnd = quoted ? quotedEnd(from + 1, end) : trimEnd(from, stop);
      if (isToken(at, equals) && (quoted || valueEnd > from) && isText(from, valueEnd)) {
        const name = lowerCase(at, equals);
        const value = quoted ? unquote(from + 1, valueEnd) : decode(from, valueEnd - from);
        if (!parameters.has(name)) parameters.add(name, value);
      }
      at = quoted ? valueEnd : stop;
    } else {
      at = stop;
    }
  }
}

/** The address of the quotation mark that ends the text from `at` on. */
function quotedEnd(at: usize, end: usize): usize {
  while (at < end && (load<u8>(at) as u32) != QUOTE) at += (load<u8>(at) as u32) == 0x5c ? 2 : 1;
  return min(at, end);
}

/** The text between quotation marks; a backslash stands before what is taken as it is. */
function unquote(at: usize, end: usize): string {
  const bytes = reserve(end - at);
  let out = bytes;
  while (at < end) {
    if ((load<u8>(at) as u32) == 0x5c && at + 1 < end) at++;
    store<u8>(out++, load<u8>(at++));
  }
  return decode(bytes, out - bytes);
}

/** Whether there is something between these addresses, and nothing that a name must not hold. */
function isToken(at: usize, end: usize): bool {
  if (at >= end) return false;
  for (; at < end; at++) {
    const byte = load<u8>(at) as u32;
    const isLetter = (byte | 0x20) - 0x61 < 26;
    const isDigit = byte - 0x30 < 10;
    // ! # $ % & ' * + - . ^ _ ` | ~
    const isSign =
      byte == 0x21 ||
      (byte >= 0x23 && byte <= 0x27) ||
      byte == 0x2a ||
      byte == 0x2b ||
      byte == 0x2d ||
      byte == 0x2e ||
      (byte >= 0x5e && byte <= 0x60) ||
      byte == 0x7c ||
      byte == 0x7e;
    if (!isLetter && !isDigit && !isSign) return false;
  }
  return true;
}

/** Whether there are no control characters but tabs between these addresses. */
function isText(at: usize, end: usize): bool {
  for (; at < end; at++) {
    const byte = load<u8>(at) as u32;
    if ((byte < 0x20 && byte != 0x09) || byte == 0x7f) return false;
  }
  return true;
}

/** The text between these addresses, which is ASCII, in lower case. */
function lowerCase(at: usize, end: usize): string {
  const text = decode(at, end - at);
  for (let unit = changetype<usize>(text), last = unit + sizeOf(unit); unit < last; unit += 2) {
    const code = load<u16>(unit) as u32;
    if (code - 0x41 < 26) store<u16>(unit, code | 0x20);
  }
  return text;
}
