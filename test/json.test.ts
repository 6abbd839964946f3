// JSON in filters: what JSON.parse takes is read as it reads it, and nothing else; what is wrong is said with its place.

import { resolve } from "node:path";

import { instantiate } from "@assemblyscript/loader";
import { main as asc } from "assemblyscript/asc";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";

import { LoadError, loadFilter, LogLevel } from "../src/index.ts";
import { type Compiled, compileFilter, compileSource } from "./support/compile.ts";
import { bytesField } from "./support/protobuf.ts";

type Pointer = number;

interface Guest extends Record<string, unknown> {
  readonly Uint8Array_ID: WebAssembly.Global;
  readonly memory: WebAssembly.Memory;
  describe(bytes: Pointer): Pointer;
  askWrongly(bytes: Pointer): Pointer;
  member(bytes: Pointer, name: Pointer): Pointer;
  integer(bytes: Pointer, type: Pointer): Pointer;
  fromStruct(bytes: Pointer): Pointer;
}

let guest: Guest & Awaited<ReturnType<typeof instantiate<Guest>>>["exports"];

beforeAll(async () => {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const baseDir = resolve(import.meta.dirname, "filters");
  const { error, stderr } = await asc(
    ["json.ts", "--baseDir", baseDir, "--outFile", "guest.wasm", "-O3", "--exportRuntime"],
    { writeFile: (_name, contents) => void (binary = contents as Uint8Array<ArrayBuffer>) },
  );
  if (!binary) throw new Error(`${error?.message}\n${stderr.toString()}`);
  const abort = (message: Pointer, _file: Pointer, line: number): never => {
    throw new Error(`${message ? guest.__getString(message) : "abort"} in line ${line}`);
  };
  const env = { abort, proxy_log: () => 0 };
  ({ exports: guest } = await instantiate<Guest>(binary, { env }));
});

const toBytes = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

function withBytes<T>(text: string | Uint8Array, use: (bytes: Pointer) => T): T {
  const pointer = guest.__pin(guest.__newArray(guest.Uint8Array_ID.value, toBytes(text)));
  try {
    return use(pointer);
  } finally {
    guest.__unpin(pointer);
  }
}

const read = (text: string | Uint8Array): string =>
  withBytes(text, (bytes) => guest.__getString(guest.describe(bytes)));
const member = (text: string, name: string): string =>
  withBytes(text, (bytes) => guest.__getString(guest.member(bytes, guest.__newString(name))));
const integer = (text: string, type: string): string =>
  withBytes(text, (bytes) => guest.__getString(guest.integer(bytes, guest.__newString(type))));

/** What `describe` should say of a value, as JSON.parse has it. */
function expected(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return view.getBigUint64(0).toString(16);
  }
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map((item) => `${expected(item)};`).join("")}]`;
  return `{${Object.entries(value as object)
    .map(([name, item]) => `${quoted(name)}:${expected(item)};`)
    .join("")}}`;
}

function quoted(text: string): string {
  return `'${[...Array(text.length).keys()].map((i) => `${text.toWellFormed().charCodeAt(i).toString(16)},`).join("")}`;
}

/** JSON.parse of what may be none; members that are named twice, or like an index, are left to other tests. */
function reference(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

const jsonText = fc.oneof(
  fc.json({ maxDepth: 5, noUnicodeString: false }),
  fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value, null, 2)),
);

describe("reading", () => {
  test("gives what JSON.parse gives", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(read(text)).toBe(expected(JSON.parse(text)));
      }),
      { numRuns: 2000 },
    );
  });

  test("takes numbers as JSON.parse does, to the last bit", () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,24})(\.\d{1,25})?([eE][+-]?\d{1,3})?$/);
    const numbers = fc.oneof(digits, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String));
    fc.assert(
      fc.property(numbers, (text) => {
        const value = JSON.parse(text) as number;
        if (Number.isFinite(value)) expect(read(text)).toBe(expected(value));
        else expect(read(text)).toContain("expected a number");
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    "9007199254740993",
    "0.500000000000000166533453693773481063544750213623046875",
    "0.50000000000000016653345369377348106354475021362304687500000000000000001",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "4.9e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1e-400",
    "1.7976931348623158e308",
    `1${"0".repeat(308)}`,
    `0.${"0".repeat(900)}1e901`,
    `${"9".repeat(900)}e-900`,
    `0.${"3".repeat(1500)}`,
    "0e999999999999",
    "1e-99999999999999999999",
    "-0.0",
  ])("takes %s to the last bit", (text) => {
    expect(read(text)).toBe(expected(JSON.parse(text)));
  });

  test("takes numbers halfway between two to the even one", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 54n - 1n }),
        fc.integer({ min: -80, max: 200 }),
        (odd, shift) => {
          // An odd number of 54 bits lies halfway between two of 53.
          const number = odd | 1n;
          const text = shift < 0 ? `${number * 5n ** BigInt(-shift)}e${shift}` : String(number << BigInt(shift));
          for (const close of [text, text.replace(/(e|$)/, ".0000000000000001$1")]) {
            expect(read(close)).toBe(expected(JSON.parse(close)));
          }
        },
      ),
    );
  });

  test("takes every escape", () => {
    for (const text of [
      String.raw`"\"\\\/\b\f\n\r\t"`,
      String.raw`"\u0041\u00e9\u20AC\uD83D\uDE00"`,
      String.raw`"\ud83d"`,
      String.raw`"\ude00\ud83d"`,
      String.raw`"\ud83d\ud83d\ude00x"`,
      String.raw`"\u0000"`,
      '"é€😀"',
    ]) {
      expect(read(text)).toBe(expected(JSON.parse(text)));
    }
  });

  test("refuses what JSON.parse refuses: mutations of JSON", () => {
    const pieces = fc.constantFrom(
      ..."{}[]\",:\\0123456789.eE+-truefalsn \n\t\0\x01/'u".split(""),
      "null",
      "\u{1f600}",
    );
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 3 }), fc.array(pieces, { maxLength: 3 })), {
      minLength: 1,
      maxLength: 4,
    });
    let refused = 0;
    fc.assert(
      fc.property(jsonText, edits, (text, edits) => {
        let changed = text;
        for (const [where, removed, added] of edits) {
          const at = where % (changed.length + 1);
          changed = changed.slice(0, at) + added.join("") + changed.slice(at + removed);
        }
        changed = changed.toWellFormed();
        const value = reference(changed);
        const said = read(changed);
        if (!value && changed) {
          refused++;
          expect(said).toMatch(/^!configuration, line \d+, column \d+: expected .+, found /s);
        } else if (value && said.startsWith("!")) {
          expect(said).toMatch(/expected a number, found -?\d/);
        } else if (value && !/"(\d+|__proto__)"/.test(changed)) {
          expect(JSON.stringify(said).length).toBeGreaterThanOrEqual(JSON.stringify(expected(value.value)).length);
        }
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test("survives any bytes, and being asked for all that is not there", () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), jsonText.map(toBytes));
    fc.assert(
      fc.property(bytes, (bytes) => {
        read(bytes);
        withBytes(bytes, (pointer) => guest.__getString(guest.askWrongly(pointer)));
      }),
      { numRuns: 3000 },
    );
  });

  test("ends at 128 values in each other, without a trap", () => {
    expect(read("[".repeat(128) + "]".repeat(128))).toBe("[".repeat(128) + "];".repeat(127) + "]");
    for (const text of ["[".repeat(129) + "]".repeat(129), "[".repeat(1e6), '{"a":'.repeat(1e5)]) {
      expect(read(text)).toContain("expected no more than 128 values in each other");
    }
  });

  test("keeps memory flat", () => {
    const text = JSON.stringify({ name: "abc", rate: 2.5, tags: ["a", "b"], rules: [{ path: "/a", limit: 5 }] });
    for (let i = 0; i < 2000; i++) read(text);
    const pages = guest.memory.buffer.byteLength;
    for (let i = 0; i < 20_000; i++) read(text);
    expect(guest.memory.buffer.byteLength).toBe(pages);
  });

  test("finds members by their names, however these are written", () => {
    const text = String.raw`{ "a": 1, "\u0062": 2, "c\n": 3, "é": 4, "": 5, "ab": 6, "a\"b": 7 }`;
    for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, number>)) {
      expect(member(text, name)).toBe(expected(value));
    }
    for (const name of ["b\n", "c", "abc", "e"]) expect(member(text, name)).toBe("missing");
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.nat()), fc.string(), (object, other) => {
        const text = JSON.stringify(object);
        const names = new Map(Object.entries(JSON.parse(text) as Record<string, number>));
        for (const [name, value] of names) {
          if (name.isWellFormed()) expect(member(text, name)).toBe(expected(value));
        }
        if (!names.has(other)) expect(member(text, other)).toBe("missing");
      }),
    );
  });

  test.each([
    ["u8", 0n, 255n],
    ["i8", -128n, 127n],
    ["u16", 0n, 65535n],
    ["i16", -32768n, 32767n],
    ["u32", 0n, 4294967295n],
    ["i32", -2147483648n, 2147483647n],
    ["u64", 0n, 18446744073709551615n],
    ["i64", -9223372036854775808n, 9223372036854775807n],
  ])("%s takes whole numbers that fit", (type, least, most) => {
    for (const value of [least, most, 0n, 1n, 100n]) expect(integer(String(value), type)).toBe(String(value));
    expect(integer("1e2", type)).toBe("100");
    expect(integer("5.0", type)).toBe("5");
    expect(integer("-0", type)).toBe("0");
    for (const text of [
      String(least - 1n),
      String(most + 1n),
      "0.5",
      "1e30",
      "99999999999999999999999",
      '"1"',
      "null",
    ]) {
      expect(integer(text, type)).toContain(`expected a whole number from ${least} to ${most}, found ${text}`);
    }
  });
});

test("a Struct becomes JSON", () => {
  const fromStruct = (bytes: Uint8Array): unknown => {
    const pointer = withBytes(bytes, (bytes) => guest.fromStruct(bytes));
    return pointer ? JSON.parse(new TextDecoder().decode(guest.__getUint8Array(pointer))) : undefined;
  };
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (object) => {
      const plain = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
      expect(fromStruct(struct(plain))).toEqual(plain);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void fromStruct(bytes)));
  expect(fromStruct(Uint8Array.of(0x0a, 5, 1))).toBeUndefined();
});

/** A `google.protobuf.Struct` with these members. */
function struct(members: Record<string, unknown>): Buffer {
  return Buffer.concat(
    Object.entries(members).map(([name, value]) =>
      bytesField(1, Buffer.concat([bytesField(1, name), bytesField(2, structValue(value))])),
    ),
  );
}

function structValue(value: unknown): Buffer {
  if (value === null) return Buffer.of(0x08, 0);
  if (typeof value === "boolean") return Buffer.of(0x20, Number(value));
  if (typeof value === "string") return bytesField(3, value);
  if (Array.isArray(value)) return bytesField(6, Buffer.concat(value.map((item) => bytesField(1, structValue(item)))));
  if (typeof value === "object") return bytesField(5, struct(value as Record<string, unknown>));
  const number = Buffer.alloc(9, 0x11);
  number.writeDoubleLE(value as number, 1);
  return number;
}

describe("a configuration", () => {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compileFilter("json-configuration");
  });

  const good = { header: "x-a", limit: 5, rate: 0.5, strict: true, tags: ["a", "b"], rules: [{ path: "/", limit: 1 }] };
  const logs = async (config: unknown): Promise<string[]> => {
    const lines: string[] = [];
    const onLog = ({ level, message }: { level: number; message: string }): void => {
      lines.push(`${LogLevel[level]} ${message}`);
    };
    const error = await loadFilter(compiled.bytes, { config, onLog }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error) expect(error).toBeInstanceOf(LoadError);
    return [...(error ? ["refused"] : []), ...lines];
  };

  test("that is right is read into the author's classes", async () => {
    expect(await logs(good)).toEqual(["Info x-a 5 0.5 true [a,b] /:1"]);
    expect(await logs({ header: "x-a", limit: null, other: { deep: 1 } })).toEqual(["Info x-a 100 1.0 false [] "]);
  });

  test("that is wrong is refused with all mistakes and their places", async () => {
    const text = `{
  "header": 5,
  "limit": "ten", "rate": "é", "strict": 1,
  "tags": ["a", {}],
  "rules": [{ "path": "/", "limit": 256 }, { "limit": -1 }]
}`;
    expect(await logs(text)).toEqual([
      "refused",
      "Error configuration, header (line 2, column 13): expected a string, found 5",
      'Error configuration, limit (line 3, column 12): expected a whole number from 0 to 4294967295, found "ten"',
      'Error configuration, rate (line 3, column 27): expected a number, found "é"',
      "Error configuration, strict (line 3, column 42): expected true or false, found 1",
      "Error configuration, tags[1] (line 4, column 17): expected a string, found an object",
      "Error configuration, rules[0].limit (line 5, column 37): expected a whole number from 0 to 255, found 256",
      "Error configuration, rules[1].path (line 5, column 44): expected a string, found nothing",
      "Error configuration, rules[1].limit (line 5, column 55): expected a whole number from 0 to 255, found -1",
    ]);
  });

  test.each([
    ["", "header (line 1, column 1): expected a string, found nothing"],
    ["{", "line 1, column 2: expected a name in double quotes, found the end of the text"],
    ['{"header": "x-a",}', "line 1, column 18: expected a name in double quotes, found }"],
    ["{'header': 1}", "line 1, column 2: expected a name in double quotes, found 'header'"],
    ['{"header" "x-a"}', 'line 1, column 11: expected ":", found "x-a"'],
    ['{"header": tru}', "line 1, column 12: expected a value, found tru"],
    ['{"header": "x-a"} more', "line 1, column 19: expected the end of the text, found more"],
    [
      '{"header": "x-a',
      "line 1, column 16: expected no control character in a string, and its closing quote, found the end of the text",
    ],
    [
      '{"header": "x\ny"}',
      "line 1, column 14: expected no control character in a string, and its closing quote, found the control character 10",
    ],
    ['{"limit": 01}', "line 1, column 12: expected no digit after a leading 0, found 1"],
    ["[]", "line 1, column 1: expected an object, found an array"],
    ['{"header": "a", "header": "b"}', 'line 1, column 17: expected each name once, found "header" again'],
    [
      '{"header": "a", "headre": "b"}',
      "headre (line 1, column 27): expected one of header, limit, rate, strict, tags, rules, other, found the name headre",
    ],
    ["\uFEFF{}", "line 1, column 1: expected a value, found \uFEFF{"],
  ])("%j is refused: %s", async (text, reason) => {
    const [first, line] = await logs(text);
    expect(first).toBe("refused");
    expect(line).toBe(`Error configuration, ${reason}`);
  });

  test("that is a binary Struct is refused with what to do", async () => {
    // The length of a first member of 10 bytes looks like a line's end.
    for (const config of [good, { ab: "cd" }, { abcde: 0 }]) {
      const lines = await logs(struct(config));
      expect(lines[0]).toBe("refused");
      expect(lines.at(-1)).toMatch(/may be a google.protobuf.Struct/);
    }
    expect((await logs('\n{"header": 1')).at(-1)).not.toMatch(/Struct/);
  });

  test("is read the same when every allocation collects", async () => {
    const { bytes } = await compileFilter("json-configuration", ["--use", "GC_STRESS=2"]);
    const escaped = JSON.stringify(good)
      .replaceAll('"x-a"', String.raw`"x\u002d\u0061"`)
      .replaceAll('"limit"', String.raw`"\u006cimit"`);
    const filter = await loadFilter(bytes, { config: escaped });
    expect(filter.rootTrace.logs.map(({ message }) => message)).toEqual(["x-a 5 0.5 true [a,b] /:1"]);
  });

  test("cannot be read outside of onConfigure, which is said", async () => {
    const filter = await loadFilter(compiled.bytes, { config: good });
    const response = await filter.request("/", { upstream: () => ({}) });
    expect(response.trace.logs.map(({ message }) => message)).toEqual([
      "configuration: cannot be read now; a configuration can be in onConfigure",
    ]);
  });
});

test("JSON costs nothing where it is not used, and little where it is", async () => {
  const source = (imports: string, body: string): string => `${imports}
    import { logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";
    class Root extends RootContext {
      override onConfigure(_size: u32): bool { ${body} }
    }
    registerRootContext("", () => new Root());`;
  const plain = await compileSource(source("", "logInfo(this.configuration!); return true;"));
  const json = await compileSource(
    source(
      'import { parseJson } from "proxy-wasm/assembly/json";',
      'const json = parseJson(this.configurationBytes); logInfo(json.get("a").text()); return json.accept();',
    ),
  );
  expect(json.bytes.length - plain.bytes.length).toBeLessThan(10_240);
});
