// Values of properties in the bytes that hosts give.

import { PropertyMap, PropertyValue } from "../properties";
import { bytes, hex } from "./bytes";

function raw(digits: string): PropertyValue {
  return new PropertyValue(bytes(digits));
}

function text(value: string): PropertyValue {
  return new PropertyValue(Uint8Array.wrap(String.UTF8.encode(value)));
}

describe("a value", () => {
  test("is what Envoy writes", () => {
    expect(raw("c8 00 00 00 00 00 00 00").toI64()).toBe(200);
    expect(raw("ff ff ff ff ff ff ff ff").toI64(0)).toBe(-1);
    expect(raw("00 00 00 00 00 00 f8 3f").toF64()).toBe(1.5);
    expect(raw("00 ca 9a 3b 00 00 00 00").toNanoseconds()).toBe(1_000_000_000);
    expect(raw("01").toBool()).toBe(true);
    expect(raw("00").toBool(true)).toBe(false);
  });

  test("is what ngx_wasm_module writes", () => {
    expect(text("200").toI64()).toBe(200);
    expect(text("-5").toI64()).toBe(-5);
    expect(text("1.5").toF64()).toBe(1.5);
    expect(text("0.005").toNanoseconds()).toBe(5_000_000);
    expect(text("true").toBool()).toBe(true);
    expect(text("false").toBool(true)).toBe(false);
  });

  test("is absent when it is neither", () => {
    expect(text("").toI64()).toBe(-1);
    expect(text("a lot").toI64(-7)).toBe(-7);
    expect(text("-").toI64(-7)).toBe(-7);
    expect(text(".").toNanoseconds(-7)).toBe(-7);
    expect(text("yes").toBool(true)).toBe(true);
    expect(isNaN(raw("01 02").toF64())).toBe(true);
  });
});

describe("a map", () => {
  const two = "02000000  01000000 01000000  02000000 00000000  61 00 01 00  6263 00 00";

  test("has names and values", () => {
    const map = new PropertyMap(bytes(two));
    expect(map.size).toBe(2);
    expect(map.keys().join("|")).toBe("a|bc");
    expect(hex(map.get("a")!.bytes)).toBe("01");
    expect(map.get("bc")!.text).toBe("");
    expect(map.get("A")).toBeNull();
  });

  test("is empty in every form of that", () => {
    expect(new PropertyMap(bytes("")).size).toBe(0);
    expect(new PropertyMap(bytes("00000000")).size).toBe(0);
    expect(new PropertyMap(bytes("ffffffff 00")).size).toBe(0);
  });

  test("is a list when there are only names", () => {
    const list = raw(two).toList();
    expect(list.length).toBe(2);
    expect(list[1].text).toBe("bc");
  });
});
