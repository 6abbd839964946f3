// The parsers behind the web's words, with what is easily got wrong; test/web-words.test.ts holds them to the web's own.

import { parseContentType } from "../content-type";
import { parseCookies } from "../cookies";
import { ipOf, parseForwardedFor } from "../forwarded";
import { Parameters } from "../parameters";
import { parseQuery, pathEnd, queryEnd, queryStart } from "../query";

function show(parameters: Parameters): string {
  let text = "";
  const entries = parameters.entries();
  for (let i = 0; i < entries.length; i++) text += "[" + entries[i].name + "|" + entries[i].value + "]";
  return text;
}

/** The path, query and fragment of a request's path. */
function split(path: string): string {
  const bytes = Uint8Array.wrap(String.UTF8.encode(path));
  const end = bytes.dataStart + bytes.byteLength;
  const pathStop = pathEnd(bytes.dataStart, end);
  const start = queryStart(bytes.dataStart, end);
  const stop = queryEnd(start, end);
  const at = (address: usize): i32 => address as i32;
  const origin = at(bytes.dataStart);
  return path.substring(0, at(pathStop) - origin) + "|" + path.substring(at(start) - origin, at(stop) - origin);
}

describe("a path", () => {
  test("ends at the query or the fragment", () => {
    expect(split("/a?b#c")).toBe("/a|b");
    expect(split("/a#b?c")).toBe("/a|");
    expect(split("/a?b?c")).toBe("/a|b?c");
    expect(split("/a?")).toBe("/a|");
    expect(split("/a")).toBe("/a|");
    expect(split("")).toBe("|");
  });
});

describe("a query", () => {
  test("is decoded like a form", () => {
    expect(show(parseQuery("a=1&b=x+y&c=%C3%BC%21"))).toBe("[a|1][b|x y][c|ü!]");
    expect(show(parseQuery("a&=1&&b="))).toBe("[a|][|1][b|]");
    expect(show(parseQuery("a=b=c&%61%=%4"))).toBe("[a|b=c][a%|%4]");
    expect(show(parseQuery(""))).toBe("");
    expect(show(parseQuery("%ff=1"))).toBe("[\uFFFD|1]");
  });

  test("may be longer than the region for what crosses the boundary", () => {
    const long = "x".repeat(5000);
    const parameters = parseQuery("a=" + long + "&b=%20" + long);
    expect(parameters.get("a")!.length).toBe(5000);
    expect(parameters.get("b")!.length).toBe(5001);
    expect(parameters.get("c")).toBeNull();
  });
});

describe("cookies", () => {
  test("are trimmed, and their quotation marks taken away", () => {
    expect(show(parseCookies('id=7; theme="dark" ;a=b=c'))).toBe("[id|7][theme|dark][a|b=c]");
    expect(show(parseCookies("none; =x; y=;"))).toBe("[|x][y|]");
    expect(show(parseCookies('a="; b="'))).toBe('[a|"][b|"]');
  });
});

describe("a content type", () => {
  test("is lower case, its parameters have the values that were sent", () => {
    const type = parseContentType(' Text/HTML ; Charset="UTF-8"; a=B')!;
    expect(type.type).toBe("text/html");
    expect(type.charset).toBe("utf-8");
    expect(show(type.parameters)).toBe("[charset|UTF-8][a|B]");
    expect(parseContentType("text/html")!.charset).toBeNull();
  });

  test("is none without type and subtype", () => {
    expect(parseContentType("")).toBeNull();
    expect(parseContentType("text")).toBeNull();
    expect(parseContentType("text/")).toBeNull();
    expect(parseContentType("/html")).toBeNull();
    expect(parseContentType("a b/c")).toBeNull();
  });
});

describe("addresses", () => {
  test("are a list, the client's first", () => {
    expect(parseForwardedFor(" 192.0.2.1 , 2001:db8::1,,").join("|")).toBe("192.0.2.1|2001:db8::1");
    expect(parseForwardedFor("").length).toBe(0);
  });

  test("have a port or none", () => {
    expect(ipOf("192.0.2.1:80")).toBe("192.0.2.1");
    expect(ipOf("[2001:db8::1]:80")).toBe("2001:db8::1");
    expect(ipOf("2001:db8::1")).toBe("2001:db8::1");
  });
});
