// Text against bytes by the WHATWG Encoding standard, "UTF-8 decoder": each of the longest beginnings of a valid
// sequence becomes one U+FFFD, and so does every byte that begins none.

import { decode, encode, MAX_BYTES_PER_UNIT, sizeOf } from "../utf8";
import { bytes, hex, hexAt, units } from "./bytes";

const CANARY: u8 = 0xaa;

/** The bytes of this text. Fails when anything beyond them was written. */
function encoded(text: string): string {
  const room = text.length * (MAX_BYTES_PER_UNIT as i32);
  const out = new Uint8Array(room + 8).fill(CANARY);
  const start = out.dataStart;
  const end = encode(changetype<usize>(text), start);
  assert(end - start <= (room as usize), "more than the room for " + units(text));
  for (let i = (end - start) as i32; i < out.length; i++) assert(out[i] == CANARY, "written beyond " + units(text));
  return hexAt(start, end - start);
}

/** The units of the text that these bytes spell. */
function decoded(hex: string): string {
  const from = bytes(hex);
  return units(decode(from.dataStart, from.byteLength));
}

/** `length` letters from "a" on. */
function letters(length: i32): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(0x61 + i);
  return text;
}

describe("sizeOf", () => {
  test("is two bytes a unit", () => {
    expect(sizeOf(changetype<usize>(""))).toBe(0);
    expect(sizeOf(changetype<usize>("abc"))).toBe(6);
    expect(sizeOf(changetype<usize>("\u{1f600}"))).toBe(4);
  });
});

describe("encode", () => {
  test("writes nothing for an empty text", () => {
    expect(encoded("")).toBe("");
  });

  test("takes one to four bytes, at the borders of each length", () => {
    expect(encoded("\0")).toBe("00");
    expect(encoded("\x7f")).toBe("7f");
    expect(encoded("\u0080")).toBe("c2 80");
    expect(encoded("\u07ff")).toBe("df bf");
    expect(encoded("\u0800")).toBe("e0 a0 80");
    expect(encoded("\ud7ff")).toBe("ed 9f bf");
    expect(encoded("\ue000")).toBe("ee 80 80");
    expect(encoded("\ufeff")).toBe("ef bb bf");
    expect(encoded("\uffff")).toBe("ef bf bf");
    expect(encoded("\u{10000}")).toBe("f0 90 80 80");
    expect(encoded("\u{10ffff}")).toBe("f4 8f bf bf");
  });

  test("replaces surrogates that are no pair", () => {
    expect(encoded("\ud800")).toBe("ef bf bd", "high at the end");
    expect(encoded("\udbff")).toBe("ef bf bd", "last high at the end");
    expect(encoded("\udc00")).toBe("ef bf bd", "low");
    expect(encoded("\udfff")).toBe("ef bf bd", "last low");
    expect(encoded("\ud800a")).toBe("ef bf bd 61", "high before a letter");
    expect(encoded("a\udc00b")).toBe("61 ef bf bd 62", "low between letters");
    expect(encoded("\udc00\ud800")).toBe("ef bf bd ef bf bd", "low before high");
    expect(encoded("\ud83d\ud83d\ude00")).toBe("ef bf bd f0 9f 98 80", "high before a pair");
    expect(encoded("\ud83d\ude00\ude00")).toBe("f0 9f 98 80 ef bf bd", "low after a pair");
    expect(encoded("\ud800\ue000")).toBe("ef bf bd ee 80 80", "high before the first unit beyond the low ones");
  });

  test("finds a wide character at any place of a group of four", () => {
    for (let length = 0; length <= 12; length++) {
      const plain = letters(length);
      expect(encoded(plain)).toBe(hex(Uint8Array.wrap(String.UTF8.encode(plain))));
      for (let at = 0; at <= length; at++) {
        const before = plain.substring(0, at);
        const after = plain.substring(at);
        const text = before + "é" + after + "\u{1f600}" + after;
        expect(encoded(text)).toBe(hex(Uint8Array.wrap(String.UTF8.encode(text))), text);
      }
    }
  });

  test("takes a unit that differs from ASCII by one bit for wide, at any place of a group of four", () => {
    for (let bit = 7; bit < 16; bit++) {
      for (let at = 0; at < 4; at++) {
        const text = "abcd".substring(0, at) + String.fromCharCode(0x63 | (1 << bit)) + "abcd".substring(at);
        expect(encoded(text)).toBe(hex(Uint8Array.wrap(String.UTF8.encode(text))));
      }
    }
  });
});

describe("decode", () => {
  test("gives an empty text for no bytes", () => {
    expect(decoded("")).toBe("");
    expect(decode(0, 0).length).toBe(0);
  });

  test("reads one to four bytes, at the borders of each length", () => {
    expect(decoded("00")).toBe("0000");
    expect(decoded("7f")).toBe("007f");
    expect(decoded("c2 80")).toBe("0080");
    expect(decoded("df bf")).toBe("07ff");
    expect(decoded("e0 a0 80")).toBe("0800");
    expect(decoded("ed 9f bf")).toBe("d7ff");
    expect(decoded("ee 80 80")).toBe("e000");
    expect(decoded("ef bf bf")).toBe("ffff");
    expect(decoded("f0 90 80 80")).toBe("d800 dc00");
    expect(decoded("f3 bf bf bf")).toBe("dbbf dfff");
    expect(decoded("f4 8f bf bf")).toBe("dbff dfff");
  });

  test("keeps a byte order mark", () => {
    expect(decoded("ef bb bf 61")).toBe("feff 0061");
  });

  test("replaces bytes that begin nothing", () => {
    expect(decoded("80")).toBe("fffd", "continuation");
    expect(decoded("bf")).toBe("fffd", "last continuation");
    expect(decoded("80 80 80")).toBe("fffd fffd fffd", "continuations");
    expect(decoded("c0 80")).toBe("fffd fffd", "c0");
    expect(decoded("c1 bf")).toBe("fffd fffd", "c1");
    expect(decoded("f5 80 80 80")).toBe("fffd fffd fffd fffd", "f5");
    expect(decoded("f8 88 80 80 80")).toBe("fffd fffd fffd fffd fffd", "five bytes");
    expect(decoded("fe")).toBe("fffd", "fe");
    expect(decoded("ff")).toBe("fffd", "ff");
  });

  test("replaces longer forms than needed", () => {
    expect(decoded("e0 80 80")).toBe("fffd fffd fffd");
    expect(decoded("e0 9f bf")).toBe("fffd fffd fffd");
    expect(decoded("f0 80 80 80")).toBe("fffd fffd fffd fffd");
    expect(decoded("f0 8f bf bf")).toBe("fffd fffd fffd fffd");
  });

  test("replaces surrogates", () => {
    expect(decoded("ed a0 80")).toBe("fffd fffd fffd", "first");
    expect(decoded("ed bf bf")).toBe("fffd fffd fffd", "last");
    expect(decoded("ed a0 bd ed b8 80")).toBe("fffd fffd fffd fffd fffd fffd", "a pair (CESU-8)");
  });

  test("replaces what lies beyond U+10FFFF", () => {
    expect(decoded("f4 90 80 80")).toBe("fffd fffd fffd fffd");
    expect(decoded("f4 bf bf bf")).toBe("fffd fffd fffd fffd");
  });

  test("replaces a sequence that is cut off by one character, whatever is left of it", () => {
    expect(decoded("c2")).toBe("fffd");
    expect(decoded("df")).toBe("fffd");
    expect(decoded("e0")).toBe("fffd");
    expect(decoded("e0 a0")).toBe("fffd");
    expect(decoded("ed 9f")).toBe("fffd");
    expect(decoded("ef bf")).toBe("fffd");
    expect(decoded("f0")).toBe("fffd");
    expect(decoded("f0 90")).toBe("fffd");
    expect(decoded("f0 90 80")).toBe("fffd");
    expect(decoded("f4 8f bf")).toBe("fffd");
  });

  test("reads on with the byte that breaks a sequence", () => {
    expect(decoded("c2 41")).toBe("fffd 0041");
    expect(decoded("c2 c2 80")).toBe("fffd 0080");
    expect(decoded("e2 82 41")).toBe("fffd 0041");
    expect(decoded("e2 41 82")).toBe("fffd 0041 fffd");
    expect(decoded("e2 82 e2 82 ac")).toBe("fffd 20ac");
    expect(decoded("f0 9f 98 41")).toBe("fffd 0041");
    expect(decoded("f0 9f 41 98")).toBe("fffd 0041 fffd");
    expect(decoded("f0 9f 98 f0 9f 98 80")).toBe("fffd d83d de00");
    expect(decoded("f0 c2 80")).toBe("fffd 0080");
  });

  test("reads the example of the Unicode standard, table 3-8 to 3-11", () => {
    expect(decoded("c0 af e0 80 bf f0 81 82 41")).toBe("fffd fffd fffd fffd fffd fffd fffd fffd 0041");
    expect(decoded("ed a0 80 ed bf bf ed af 41")).toBe("fffd fffd fffd fffd fffd fffd fffd fffd 0041");
    expect(decoded("f4 91 92 93 ff 41 80 bf 42")).toBe("fffd fffd fffd fffd fffd 0041 fffd fffd 0042");
    expect(decoded("e1 80 e2 f0 91 92 f1 bf 41")).toBe("fffd fffd fffd fffd 0041");
  });

  test("finds a wide character at any place of a group of four, wherever the bytes begin", () => {
    for (let length = 0; length <= 12; length++) {
      const plain = letters(length);
      for (let at = 0; at <= length; at++) {
        const text = plain.substring(0, at) + "é" + plain.substring(at) + "€";
        const from = Uint8Array.wrap(String.UTF8.encode(text));
        const shifted = new Uint8Array(from.length + 4);
        for (let shift = 0; shift < 4; shift++) {
          shifted.set(from, shift);
          expect(decode(shifted.dataStart + shift, from.length)).toBe(text);
          expect(decode(shifted.dataStart + shift, at)).toBe(plain.substring(0, at));
        }
      }
    }
  });

  test("does not read beyond the bytes it is given", () => {
    const from = bytes("61 e2 82 ac 62");
    expect(units(decode(from.dataStart, 3))).toBe("0061 fffd");
    expect(units(decode(from.dataStart, 4))).toBe("0061 20ac");
  });

  test("gives a text that works as any other", () => {
    const from = bytes("78 2d e2 82 ac 2d 61");
    const text = decode(from.dataStart, from.byteLength);
    expect(text.length).toBe(5);
    expect(text + "!").toBe("x-€-a!");
    expect(text.split("-").length).toBe(3);
  });
});
