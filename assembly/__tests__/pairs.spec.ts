// The wire form of header maps. The bytes are the specification's own example, put right (its text shows one-byte
// lengths and wrong digits).

import { countPairs, sameName } from "../pairs";
import { bytes } from "./bytes";

const TWO = "02000000  01000000 01000000  01000000 02000000  61 00 31 00  62 00 32 32 00";

/** How many entries these bytes hold. */
function count(hex: string): u32 {
  const pairs = bytes(hex);
  return countPairs(pairs.dataStart, pairs.byteLength);
}

/** Whether these two texts are the same name. */
function same(a: string, b: string): bool {
  const name = String.UTF8.encode(a);
  const other = String.UTF8.encode(b);
  return sameName(changetype<usize>(name), name.byteLength, changetype<usize>(other), other.byteLength);
}

describe("countPairs", () => {
  test("reads the count of a well-formed map", () => {
    expect(count(TWO)).toBe(2);
    expect(count("01000000  00000000 00000000  00 00")).toBe(1, "an empty name and an empty value");
  });

  test("is 0 for every form of an empty map", () => {
    expect(countPairs(0, 0)).toBe(0, "no bytes at no address");
    expect(count("")).toBe(0, "no bytes");
    expect(count("00")).toBe(0, "one byte");
    expect(count("00000000")).toBe(0, "a count of nothing");
  });

  test("is 0 for less than a count", () => {
    expect(count("02")).toBe(0);
    expect(count("020000")).toBe(0);
  });

  test("is 0 when the bytes end too early, wherever that is", () => {
    const pairs = bytes(TWO);
    for (let size: usize = 0; size < (pairs.byteLength as usize); size++) {
      expect(countPairs(pairs.dataStart, size)).toBe(0);
    }
  });

  test("does not mind bytes behind the last entry", () => {
    expect(count(TWO + "ff ff")).toBe(2);
  });

  test("is 0 for a count that the bytes cannot hold", () => {
    expect(count("03000000  01000000 01000000  01000000 02000000  61 00 31 00  62 00 32 32 00")).toBe(0);
    expect(count("ffffffff  01000000 01000000  61 00 31 00")).toBe(0, "the most");
    expect(count("00000020  01000000 01000000  61 00 31 00")).toBe(0, "a size table of 2³² bytes");
  });

  test("is 0 for sizes that the bytes cannot hold", () => {
    expect(count("01000000  02000000 01000000  61 00 31 00")).toBe(0, "the name");
    expect(count("01000000  01000000 02000000  61 00 31 00")).toBe(0, "the value");
    expect(count("01000000  ffffffff 01000000  61 00 31 00")).toBe(0, "the most");
    expect(count("01000000  ffffffff 03000000  61 00 31 00")).toBe(0, "a sum that is small in 32 bits");
    expect(count("02000000  00000080 00000080  00000080 00000080  00 00 00 00")).toBe(0, "a sum of 2³³");
  });
});

describe("sameName", () => {
  test("compares without regard to the case of ASCII letters", () => {
    expect(same("", "")).toBe(true);
    expect(same("x-name", "x-name")).toBe(true);
    expect(same("X-Name", "x-nAME")).toBe(true);
    expect(same("az", "AZ")).toBe(true);
  });

  test("tells different names apart", () => {
    expect(same("x-name", "x-nam")).toBe(false, "shorter");
    expect(same("x-name", "y-name")).toBe(false, "first letter");
    expect(same("x-name", "x-namf")).toBe(false, "last letter");
  });

  test("takes only letters for letters", () => {
    // Each of these pairs differs in the bit that tells upper from lower case.
    expect(same("@", "`")).toBe(false, "before A");
    expect(same("[", "{")).toBe(false, "behind Z");
    expect(same("0", "\x10")).toBe(false, "a digit");
    expect(same("-", "\r")).toBe(false, "a sign");
  });

  test("compares all but ASCII byte by byte", () => {
    expect(same("é", "é")).toBe(true);
    expect(same("é", "É")).toBe(false);
    expect(same("\u{1f600}", "\u{1f600}")).toBe(true);
  });
});
