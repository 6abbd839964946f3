// The request and the response in the web's words: the parsers against the web's own, and the words across the boundary.

import { MIMEType } from "node:util";

import type { ASUtil } from "@assemblyscript/loader";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { type Filter, loadFilter } from "../src/index.ts";
import "../src/vitest.ts";
import { compileFilter, compileSource } from "./support/compile.ts";
import { loadGuest } from "./support/guest.ts";

interface Guest extends ASUtil, Record<string, unknown> {
  query(text: number): number;
  cookies(text: number): number;
  forwardedFor(text: number): number;
  ip(text: number): number;
  contentType(text: number): number;
  lookUp(text: number, name: number): number;
}

const guest = await loadGuest<Guest>("web-parsers.ts");

function strings(parse: (text: number) => number, text: string): string[] {
  const pointer = guest.__pin(guest.__newString(text));
  try {
    return guest.__getArray(parse(pointer)).map((item) => guest.__getString(item));
  } finally {
    guest.__unpin(pointer);
  }
}

/** Text made of pieces that mean something to a parser, of others, and of any characters. */
function textOf(...pieces: string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...pieces) },
    { weight: 2, arbitrary: fc.constantFrom("a", "b", "name", "ü", "€", "😀", "0", "\ud800") },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
  );
  return fc.array(piece, { maxLength: 24 }).map((parts) => parts.join(""));
}

describe("parsers", () => {
  test("read a query as URLSearchParams does", () => {
    const text = textOf("&", "=", "+", "%", "%20", "%41", "%c3%bc", "%C3", "%zz", "%f0%9f%98%80", "?", "#", "%00");
    fc.assert(
      fc.property(text, (text) => {
        // The "&" keeps a leading "?" from being taken away. Node takes characters behind an escape for bytes, so
        // those beyond ASCII are escaped first.
        const escaped = text.toWellFormed().replace(/[^\x00-\x7f]+/g, encodeURIComponent);
        expect(strings(guest.query, text)).toEqual([...new URLSearchParams(`&${escaped}`)].flat());
      }),
      { numRuns: 2000 },
    );
  });

  test("find the first value of a name, or all, or none", () => {
    const lookUp = (text: string, name: string): string[] => {
      const pointers = [text, name].map((value) => guest.__pin(guest.__newString(value)));
      const found = guest.__getArray(guest.lookUp(pointers[0]!, pointers[1]!)).map((item) => guest.__getString(item));
      for (const pointer of pointers) guest.__unpin(pointer);
      return found;
    };
    expect(lookUp("a=1&b=2&a=3", "a")).toEqual(["has", '"1"', "1", "3"]);
    expect(lookUp("a&b=2", "a")).toEqual(["has", '""', ""]);
    expect(lookUp("A=1", "a")).toEqual(["-", "null"]);
  });

  test("read cookies as their definition says", () => {
    const text = textOf(";", "; ", "=", '"', " ", "\t", "id=1", 'q="x y"', ",", "%20");
    const trim = (part: string): string => part.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
    fc.assert(
      fc.property(text, (text) => {
        const expected = text
          .toWellFormed()
          .split(";")
          .filter((part) => part.includes("="))
          .flatMap((part) => {
            const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(part)!;
            return [trim(name), trim(value).replace(/^"(.*)"$/s, "$1")];
          });
        expect(strings(guest.cookies, text)).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("read a content type as the web's MIMEType does", () => {
    const pieces = [
      "text/html",
      "application/json",
      ";",
      "; ",
      "charset=",
      "utf-8",
      "UTF-8",
      "=",
      "\\",
      "/",
      " ",
      "a=b",
    ];
    fc.assert(
      fc.property(contentTypes(pieces, '[^"]'), (value) => {
        expect(strings(guest.contentType, value)).toEqual(mimeType(value));
      }),
      { numRuns: 2000 },
    );
  });

  test("read quoted parameters of a content type as the standard says", () => {
    const pieces = [";", "; ", "charset=", "utf-8", "=", "\\", " ", "a=b", 'b="c;d"', 'c="\\""', '"', '="', "x="];
    fc.assert(
      fc.property(contentTypes(pieces, "."), (value) => {
        expect(strings(guest.contentType, value)).toEqual(standardMimeType(value));
      }),
      { numRuns: 2000 },
    );
  });

  test("read forwarded addresses in order", () => {
    fc.assert(
      fc.property(textOf(",", ", ", " ", "\t", "192.0.2.1", "2001:db8::1", "unknown"), (text) => {
        const parts = text.toWellFormed().split(",");
        const addresses = parts.map((part) => part.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "")).filter((part) => part);
        expect(strings(guest.forwardedFor, text)).toEqual(addresses);
      }),
    );
  });

  test.each([
    ["192.0.2.1:80", "192.0.2.1"],
    ["192.0.2.1", "192.0.2.1"],
    ["[2001:db8::1]:80", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["/run/socket", "/run/socket"],
    ["", ""],
    ["[", "["],
  ])("find the IP address in %j", (address, ip) => {
    expect(guest.__getString(guest.ip(guest.__newString(address)))).toBe(ip);
  });
});

/** Values made of these pieces and of other characters that the pattern allows. */
function contentTypes(pieces: string[], allowed: string): fc.Arbitrary<string> {
  const other = fc.string({ unit: "grapheme-ascii", maxLength: 2 });
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: other.filter((text) => new RegExp(`^${allowed}*$`).test(text)) },
  );
  return fc
    .tuple(fc.constantFrom("", "text/html", "Text/X", " text/plain "), fc.array(piece, { maxLength: 12 }))
    .map(([start, parts]) => start + parts.join(""));
}

/** The reference: type and parameters as Node has them, nothing when it throws. */
function mimeType(value: string): string[] {
  try {
    const type = new MIMEType(value);
    return [type.essence, ...[...type.params.entries()].flat()];
  } catch {
    return [];
  }
}

/** The reference for quoted values, with which Node takes away a character too many. */
function standardMimeType(value: string): string[] {
  const trimmed = value.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const [, type, rest = ""] = /^([^/;]*\/[^;]*?)[ \t\r\n]*(;.*)?$/s.exec(trimmed) ?? [];
  const token = /^[!#$%&'*+\-.^_`|~\w]+$/;
  if (!type?.split(/\/(.*)/s, 2).every((part) => token.test(part))) return [];
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, plain = ""] of rest.matchAll(
    /;[ \t\r\n]*([^;=]*)(?:=(?:"((?:\\.|[^"\\])*\\?)"?[^;]*|([^;]*)))?/gs,
  )) {
    const value = quoted?.replace(/\\(.)/gs, "$1") ?? plain.replace(/[ \t\r\n]+$/, "");
    const key = name.toLowerCase();
    const wanted = quoted !== undefined || value !== "";
    if (wanted && token.test(key) && /^[\t\x20-\x7e]*$/.test(value) && !parameters.has(key)) parameters.set(key, value);
  }
  return [type.toLowerCase(), ...[...parameters].flat()];
}

const headers = {
  "x-many": ["1", "2"],
  cookie: ['id=7; theme="dark"', "id=8"],
  "content-type": 'Text/HTML; Charset="UTF-8"',
  "x-forwarded-for": "192.0.2.7, 192.0.2.8",
  "user-agent": "ua",
};
const upstream = () => ({ headers: { "content-type": "text/plain", "set-cookie": ["a=1", "b=2"] }, body: "x" });
const path = "/a%20b?a=1&b=x+%C3%BC&a";

describe("words", () => {
  let filter: Filter;
  let lines: string[];
  beforeAll(async () => {
    filter = await loadFilter((await compileFilter("web-words")).bytes);
    lines = (await filter.request({ path, headers }, { upstream })).logs.map(({ message }) => message);
  }, 60_000);
  const said = (where: string): string[] =>
    lines.filter((line) => line.startsWith(where)).map((line) => line.slice(where.length + 1));

  const request = [
    `words "GET""${path}""localhost""http"`,
    'path "/a%20b""a=1&b=x+%C3%BC&a"a=1;b=x ü;a=;',
    'header "1"1|2',
    'cookies id=7;theme=dark;id=8;"7"',
    'type text/html "utf-8"',
  ];

  test("are there while the proxy has the headers", () => {
    expect(said("request")).toEqual([
      ...request,
      'from 192.0.2.7>192.0.2.8"id"',
      'agent "ua"null"HTTP/1.1"',
      "size 0 began",
      "response -1 null nullnull0 -1",
    ]);
  });

  test("are null when the headers have gone on, and those of the response are there", () => {
    expect(said("response")).toEqual([
      "words nullnullnullnull",
      "path nullnull",
      "header null",
      "cookies null",
      "type null",
      "from null",
      'agent nullnull"HTTP/1.1"',
      "size 0 began",
      'response 200 text/plain a=1|b=2null"via_upstream"0 2',
    ]);
  });

  test("come back in onLog", () => {
    expect(said("log")).toEqual([
      ...request,
      'from 192.0.2.7>192.0.2.8"id"',
      'agent "ua"null"HTTP/1.1"',
      "size 0 began",
      'response 200 text/plain a=1|b=2null"via_upstream"0 2',
    ]);
  });

  test("are there all the time when they were kept, all of them or some", () => {
    expect(said("kept")).toEqual([...request, 'from 192.0.2.7>192.0.2.8"1"']);
    expect(said("some")).toEqual([
      ...request.slice(0, 2),
      "header null",
      'cookies id=7;theme=dark;id=8;"7"',
      "type null",
      'from "1"',
    ]);
  });

  test("come from properties where a host has no header map", async () => {
    const { bytes } = await compileFilter("web-words");
    const properties: Record<string, string> = {
      "request.method": "PUT",
      "request.path": "/p?x=y",
      "request.headers.cookie": "id=9",
      "request.headers.x-forwarded-for": "192.0.2.9",
      "request.headers.content-type": "text/css",
      "request.size": "12",
      "request.time": "1700000000.5",
    };
    const logs = runOn(bytes, (call, ask) => {
      if (call === "proxy_get_header_map_value") return 2;
      const value = call === "proxy_get_property" ? properties[ask.replaceAll("\0", ".").toLowerCase()] : undefined;
      return value ?? (call === "proxy_get_header_map_pairs" ? "" : 1);
    });
    expect(logs).toContain('request words "PUT""/p?x=y"nullnull');
    expect(logs).toContain('request path "/p""x=y"x=y;');
    expect(logs).toContain('request cookies id=9;"9"');
    expect(logs).toContain("request type text/css null");
    expect(logs).toContain("request from 192.0.2.9null");
    expect(logs).toContain("request size 12 began");
  });

  test("live through every status that a host may answer", async () => {
    const { bytes } = await compileFilter("web-words");
    for (const status of [1, 2, 3, 4, 6, 7, 10, 12, 13, 99, -1]) {
      expect(runOn(bytes, () => status)).toContain("request words nullnullnullnull");
    }
  });
});

describe("what is not used", () => {
  const filterOf = (body: string): string => `
    import { Action, HttpContext, registerHttpContext, source } from "proxy-wasm/assembly";
    class Filter extends HttpContext {
      override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
        ${body}
        return Action.Continue;
      }
    }
    registerHttpContext(() => new Filter());`;

  test("is not in the module", async () => {
    const plain = await compileSource(filterOf('this.requestHeaders.delete("a");'));
    expect(plain.imports).not.toContain("env.proxy_get_property");
    const word = await compileSource(filterOf('if (source.port == 1) this.requestHeaders.delete("a");'));
    expect(word.imports).toContain("env.proxy_get_property");
    expect(word.imports).not.toContain("env.proxy_get_header_map_value");
    expect(word.bytes.length - plain.bytes.length).toBeLessThan(1536);
  });
});

/** Runs a filter's request headers callback on a host that answers so: a status, or text for Ok. Gives what it logged. */
function runOn(bytes: Uint8Array, answer: (call: string, name: string) => number | string): string[] {
  const logs: string[] = [];
  const memory = (): ArrayBuffer => (instance.exports["memory"] as WebAssembly.Memory).buffer;
  const text = (at: number, size: number): string => Buffer.from(memory(), at, size).toString();
  const exports = (): Record<string, (...args: number[]) => number> => instance.exports as never;
  const reply = (call: string, name: string, data: number, size: number): number => {
    const given = answer(call, name);
    if (typeof given === "number") return given;
    const at = exports()["malloc"]!(given.length);
    Buffer.from(memory()).write(given, at);
    new Uint32Array(memory(), data, 1)[0] = at;
    new Uint32Array(memory(), size, 1)[0] = given.length;
    return 0;
  };
  const env: Record<string, (...args: number[]) => number> = {
    proxy_log: (_level, at, size) => logs.push(text(at!, size!)) && 0,
    proxy_get_property: (path, pathSize, data, size) =>
      reply("proxy_get_property", text(path!, pathSize!), data!, size!),
    proxy_get_header_map_value: (_map, key, keySize, data, size) =>
      reply("proxy_get_header_map_value", text(key!, keySize!), data!, size!),
    proxy_get_header_map_pairs: (_map, data, size) => reply("proxy_get_header_map_pairs", "", data!, size!),
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), {
    env: new Proxy(env, { get: (calls, name: string) => calls[name] ?? (() => 0), has: () => true }),
  });
  exports()["_initialize"]!();
  exports()["proxy_on_context_create"]!(1, 0);
  exports()["proxy_on_context_create"]!(2, 1);
  exports()["proxy_on_request_headers"]!(2, 1, 1);
  return logs;
}
