// A filter's own list of headers: what it holds after each change, and the bytes that are sent.

import { Headers } from "../headers";
import { beginCall, written } from "../memory";
import { bytes, hex, hexAt } from "./bytes";

const TWO = "02 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 02 00 00 00 61 00 31 00 62 00 32 32 00";

/** The wire form of this list. */
function encoded(headers: Headers): string {
  beginCall();
  const at = headers.encode();
  return hexAt(at, written);
}

/** The list that these bytes spell. */
function decoded(hex: string): Headers {
  const pairs = bytes(hex);
  return Headers.decode(pairs.dataStart, pairs.byteLength);
}

/** The entries as `name=value`, with commas between them. */
function listed(headers: Headers): string {
  return headers
    .entries()
    .map<string>((header) => header.name + "=" + header.value)
    .join(",");
}

function cookies(): Headers {
  return new Headers().append("Cookie", "a").append("x-other", "b").append("cookie", "").append("COOKIE", "c");
}

describe("a new list", () => {
  test("is empty", () => {
    const headers = new Headers();
    expect(headers.size).toBe(0);
    expect(headers.entries().length).toBe(0);
    expect(headers.get("a")).toBeNull();
    expect(headers.getBytes("a")).toBeNull();
    expect(headers.has("a")).toBe(false);
    expect(headers.getAll("a").length).toBe(0);
    expect(headers.getAllBytes("a").length).toBe(0);
    expect(headers.delete("a").size).toBe(0);
  });

  test("has an empty wire form", () => {
    expect(encoded(new Headers())).toBe("");
  });
});

describe("append", () => {
  test("keeps order and repeated names", () => {
    expect(listed(cookies())).toBe("Cookie=a,x-other=b,cookie=,COOKIE=c");
    expect(cookies().size).toBe(4);
  });

  test("takes an empty name and an empty value", () => {
    const headers = new Headers().append("", "").append("a", "");
    expect(listed(headers)).toBe("=,a=");
    expect(headers.get("a")).toBe("");
    expect(headers.get("")).toBe("");
  });

  test("takes text beyond ASCII, and replaces surrogates that are no pair", () => {
    const headers = new Headers().append("ä", "€\u{1f600}").append("a", "\ud800");
    expect(headers.get("ä")).toBe("€\u{1f600}");
    expect(hex(headers.getBytes("a")!)).toBe("ef bf bd");
  });

  test("takes bytes that are no text as they are", () => {
    const headers = new Headers().appendBytes("a", bytes("01 80 ff")).appendBytes("b", new Uint8Array(0));
    expect(hex(headers.getBytes("a")!)).toBe("01 80 ff");
    expect(headers.get("a")).toBe("\x01\ufffd\ufffd");
    expect(headers.getBytes("b")!.length).toBe(0);
  });

  test("leaves out what would split a message", () => {
    const headers = new Headers().append("a", "1").append("b", "2\r\nc: 3").append("d\n", "4").set("a", "5\0");
    headers.appendBytes("a\0", new Uint8Array(0)).appendBytes("e", bytes("0a"));
    expect(headers.size).toBe(1);
    expect(headers.get("a")).toBe("1");
  });

  test("takes bytes from the middle of a buffer", () => {
    expect(new Headers().appendBytes("a", bytes("01 02 03 04").subarray(1, 3)).get("a")).toBe("\x02\x03");
  });

  test("keeps everything when it has to find a larger place, at any size of the last entry", () => {
    // A new list has room for 248 bytes of entries; text is taken for three bytes a unit.
    for (let length = 0; length < 300; length++) {
      const headers = new Headers().append("first", "1").append("long", "x".repeat(length)).append("last", "2");
      expect(headers.size).toBe(3);
      expect(headers.get("first")).toBe("1");
      expect(headers.get("long")!.length).toBe(length);
      expect(headers.get("last")).toBe("2");
    }
  });

  test("stays within its place, at any size of a value", () => {
    for (let length = 0; length < 300; length++) {
      const value = new Uint8Array(length).fill(0xff);
      const lists: Headers[] = [];
      for (let i = 0; i < 8; i++) lists.push(decoded(TWO));
      // The places of the eight lie one behind the other. One that is too small ends in the head of the next.
      for (let i = 0; i < 8; i++) lists[i].appendBytes("c", value).appendBytes("d", value);
      for (let i = 0; i < 8; i++) {
        expect(lists[i].size).toBe(4);
        expect(lists[i].get("b")).toBe("22");
        expect(lists[i].getBytes("c")!.length).toBe(length);
        expect(lists[i].getBytes("d")!.length).toBe(length);
      }
    }
  });

  test("keeps a thousand entries", () => {
    const headers = new Headers();
    for (let i = 0; i < 1000; i++) headers.append("name-" + i.toString(), "value-" + i.toString());
    expect(headers.size).toBe(1000);
    for (let i = 0; i < 1000; i++) expect(headers.get("name-" + i.toString())).toBe("value-" + i.toString());
  });
});

describe("set", () => {
  test("puts one entry at the end in place of all of this name, whatever their case", () => {
    expect(listed(cookies().set("cookie", "d"))).toBe("x-other=b,cookie=d");
    expect(listed(cookies().set("new", "d"))).toBe("Cookie=a,x-other=b,cookie=,COOKIE=c,new=d");
  });

  test("takes bytes", () => {
    expect(hex(cookies().setBytes("cookie", bytes("ff")).getBytes("cookie")!)).toBe("ff");
    expect(cookies().setBytes("cookie", bytes("ff")).size).toBe(2);
  });

  test("does not grow when it is repeated", () => {
    const headers = new Headers();
    for (let i = 0; i < 1000; i++) headers.set("a", i.toString());
    expect(listed(headers)).toBe("a=999");
  });
});

describe("delete", () => {
  test("removes every entry of this name, whatever its case", () => {
    expect(listed(cookies().delete("cOOKIE"))).toBe("x-other=b");
    expect(cookies().delete("cOOKIE").size).toBe(1);
  });

  test("removes the first, a middle, the last and the only entry", () => {
    const three = (): Headers => new Headers().append("a", "1").append("b", "2").append("c", "3");
    expect(listed(three().delete("a"))).toBe("b=2,c=3");
    expect(listed(three().delete("b"))).toBe("a=1,c=3");
    expect(listed(three().delete("c"))).toBe("a=1,b=2");
    expect(listed(new Headers().append("a", "1").delete("a"))).toBe("");
  });

  test("removes nothing for a name that is not there, or begins or ends one", () => {
    expect(cookies().delete("cook").delete("cookies").delete("").size).toBe(4);
  });

  test("moves entries that are longer than the gap", () => {
    const long = "0123456789".repeat(10);
    const headers = new Headers().append("a", "1").append("b", long).append("c", "3").delete("a");
    expect(listed(headers)).toBe("b=" + long + ",c=3");
  });
});

describe("get, getAll and has", () => {
  test("gives the first value, or all of them in order", () => {
    expect(cookies().get("cookie")).toBe("a");
    expect(cookies().getAll("cookie").join(",")).toBe("a,,c");
    expect(cookies().getAllBytes("cookie").length).toBe(3);
    expect(cookies().has("COOKIE")).toBe(true);
    expect(cookies().has("cook")).toBe(false);
  });

  test("gives bytes of their own", () => {
    const headers = new Headers().append("a", "b");
    headers.getBytes("a")![0] = 0x63;
    expect(headers.get("a")).toBe("b");
  });
});

describe("encode", () => {
  test("writes count, sizes, then names and values with a NUL behind each", () => {
    expect(encoded(new Headers().append("a", "1").append("b", "22"))).toBe(TWO);
  });

  test("counts bytes, not characters", () => {
    expect(encoded(new Headers().append("é", "€"))).toBe("01 00 00 00 02 00 00 00 03 00 00 00 c3 a9 00 e2 82 ac 00");
  });

  test("writes empty names and values", () => {
    expect(encoded(new Headers().append("", ""))).toBe("01 00 00 00 00 00 00 00 00 00 00 00 00 00");
  });

  test("writes nothing again when all entries are gone", () => {
    expect(encoded(new Headers().append("a", "1").delete("a"))).toBe("");
  });

  test("writes more than the region holds", () => {
    const long = "x".repeat(10_000);
    beginCall();
    const at = new Headers().append("a", long).encode();
    expect(written).toBe(4 + 8 + 2 + 10_001);
    const headers = Headers.decode(at, written);
    expect(headers.get("a")).toBe(long);
    beginCall();
  });

  test("writes two lists one behind the other", () => {
    beginCall();
    const first = new Headers().append("a", "1").encode();
    const second = new Headers().append("b", "2").encode();
    expect(Headers.decode(first, 18).get("a")).toBe("1");
    expect(Headers.decode(second, written).get("b")).toBe("2");
  });
});

describe("decode", () => {
  test("reads what the specification shows", () => {
    expect(listed(decoded(TWO))).toBe("a=1,b=22");
  });

  test("reads every form of an empty map", () => {
    expect(Headers.decode(0, 0).size).toBe(0);
    expect(decoded("").size).toBe(0);
    expect(decoded("00").size).toBe(0);
    expect(decoded("00 00 00 00").size).toBe(0);
  });

  test("gives an empty list for what is no map", () => {
    expect(decoded("ff ff ff ff").size).toBe(0);
    expect(decoded("01 00 00 00 ff 00 00 00 00 00 00 00 00 00").size).toBe(0);
  });

  test("keeps bytes that are no text, NUL included", () => {
    const headers = decoded("01 00 00 00 01 00 00 00 03 00 00 00 61 00 ff 00 80 00");
    expect(hex(headers.getBytes("a")!)).toBe("ff 00 80");
    expect(encoded(headers)).toBe("01 00 00 00 01 00 00 00 03 00 00 00 61 00 ff 00 80 00");
  });

  test("gives a list that can be changed and sent on", () => {
    expect(listed(decoded(TWO).append("c", "333").delete("a"))).toBe("b=22,c=333");
    expect(listed(decoded("").append("a", "1"))).toBe("a=1");
    expect(encoded(decoded(TWO))).toBe(TWO);
  });
});

describe("appendAll", () => {
  test("adds every entry of the other list, and leaves it as it was", () => {
    const other = cookies();
    const headers = new Headers().append("first", "1").appendAll(other);
    expect(listed(headers)).toBe("first=1,Cookie=a,x-other=b,cookie=,COOKIE=c");
    expect(headers.size).toBe(5);
    expect(other.size).toBe(4);
  });

  test("makes room for what does not fit, and takes nothing from an empty list", () => {
    const headers = new Headers().append("a", "1");
    const other = new Headers();
    for (let i = 0; i < 40; i++) other.append("name-" + i.toString(), "a value of some length");
    headers.appendAll(other).appendAll(new Headers()).append("z", "2");
    expect(headers.size).toBe(42);
    expect(headers.get("name-39")).toBe("a value of some length");
    expect(headers.get("z")).toBe("2");
  });
});
