// Text in pieces is the text in one piece, wherever it is cut: the WHATWG Encoding standard's "stream" of a decoder.

import { TextDecoder } from "../text-decoder";
import { decode } from "../utf8";
import { bytes, units } from "./bytes";

/** The units of these bytes, decoded in two pieces. */
function cutAt(from: Uint8Array, cut: i32): string {
  const decoder = new TextDecoder();
  const first = decoder.decode(from.subarray(0, cut));
  return units(first + decoder.decode(from.subarray(cut), true));
}

/** Expects the same of every cut, and of pieces of one byte. */
function expectEveryCut(hex: string): void {
  const from = bytes(hex);
  const whole = units(decode(from.dataStart, from.byteLength));
  for (let cut = 0; cut <= from.length; cut++) expect(cutAt(from, cut)).toBe(whole, hex + " cut at " + cut.toString());
  const decoder = new TextDecoder();
  let text = "";
  for (let i = 0; i < from.length; i++) text += decoder.decode(from.subarray(i, i + 1));
  expect(units(text + decoder.decode(new Uint8Array(0), true))).toBe(whole, hex + " byte by byte");
}

describe("text in pieces", () => {
  it("is whole for characters of one to four bytes", () => {
    expectEveryCut("61 c3 bc e2 82 ac f0 9f 98 80 62");
    expectEveryCut("ef bb bf 61");
  });

  it("has U+FFFD as if it had come at once", () => {
    expectEveryCut("e2 82");
    expectEveryCut("f0 9f 98");
    expectEveryCut("f0 9f e2 82 ac c3");
    expectEveryCut("80 bf 61 ff c0 80 e0 80 80 ed a0 80 f4 90 80 80 f5 61");
    expectEveryCut("e0 a0 c3 28 f0 90 28");
  });

  it("gives a character once it is complete, and not before", () => {
    const decoder = new TextDecoder();
    expect(units(decoder.decode(bytes("61 e2")))).toBe("0061");
    expect(decoder.pending).toBe(1);
    expect(decoder.decode(bytes("82"))).toBe("");
    expect(decoder.pending).toBe(2);
    expect(units(decoder.decode(bytes("ac")))).toBe("20ac");
    expect(decoder.pending).toBe(0);
  });

  it("does not wait for what cannot become a character", () => {
    const decoder = new TextDecoder();
    expect(units(decoder.decode(bytes("c0")))).toBe("fffd");
    expect(units(decoder.decode(bytes("f5")))).toBe("fffd");
    expect(decoder.pending).toBe(0);
  });
});
