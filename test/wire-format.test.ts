// Round trips across the boundary: what the SDK makes of text and header lists, against what Node and a plain
// JavaScript encoder make of them. @assemblyscript/loader reads and writes AssemblyScript's own objects.

import type { ASUtil } from "@assemblyscript/loader";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { loadGuest } from "./support/guest.ts";

type Pointer = number;
type Pair = readonly [name: string, value: Uint8Array];

interface Guest extends ASUtil, Record<string, unknown> {
  readonly Uint8Array_ID: WebAssembly.Global;
  encodeText(text: Pointer): Pointer;
  decodeText(bytes: Pointer): Pointer;
  isSameName(name: Pointer, other: Pointer): number;
  count(pairs: Pointer): number;
  newHeaders(): Pointer;
  decodeHeaders(pairs: Pointer): Pointer;
  encodeHeaders(headers: Pointer): Pointer;
  append(headers: Pointer, name: Pointer, value: Pointer): void;
  appendBytes(headers: Pointer, name: Pointer, value: Pointer): void;
  set(headers: Pointer, name: Pointer, value: Pointer): void;
  setBytes(headers: Pointer, name: Pointer, value: Pointer): void;
  remove(headers: Pointer, name: Pointer): void;
  getBytes(headers: Pointer, name: Pointer): Pointer;
  countOf(headers: Pointer, name: Pointer): number;
  entries(headers: Pointer): Pointer;
}

const guest = await loadGuest<Guest>("wire-format.ts");
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** One UTF-16 unit: mostly ASCII, often half a surrogate pair, sometimes anything. */
const unit = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 0x7f }) },
  { weight: 3, arbitrary: fc.integer({ min: 0xd800, max: 0xdfff }) },
  { weight: 3, arbitrary: fc.constantFrom(0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
);
const text = fc.array(unit, { maxLength: 80 }).map((units) => String.fromCharCode(...units));

/** Some bytes: ASCII, a whole character, one that is cut off or broken, or anything. */
const piece = fc.oneof(
  fc.string({ unit: "grapheme-ascii" }).map((text) => encoder.encode(text)),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).map((text) => encoder.encode(text)),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).map((text) => encoder.encode(text).slice(0, -1)),
  fc
    .constantFrom(0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff)
    .map((byte) => Uint8Array.of(byte)),
  fc.uint8Array({ maxLength: 8 }),
);
const bytes = fc
  .array(piece, { maxLength: 20 })
  .map((pieces) => Uint8Array.from(pieces.flatMap((piece) => [...piece])));

const name = fc.oneof(fc.constantFrom("a", "A", "b", "x-name", "X-Name", "", "é", "É"), text);
const pairs = fc.array(fc.tuple(name, bytes), { maxLength: 12 });

/** Whether the list takes it: no NUL, CR or LF, which would split the message. */
const isSendable = ([name, value]: Pair): boolean =>
  ![...encoder.encode(name), ...value].some((byte) => byte === 0 || byte === 0x0a || byte === 0x0d);

describe("text", () => {
  test("becomes the bytes that Node makes of it", () => {
    fc.assert(
      fc.property(text, (text) => {
        expect(encodeText(text)).toEqual(encoder.encode(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("is what Node reads in the same bytes, whatever they are", () => {
    fc.assert(
      fc.property(bytes, (bytes) => {
        expect(decodeText(bytes)).toBe(decoder.decode(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test("is what Node reads in each sequence of one and two bytes, and of three that begin one of four", () => {
    for (let first = 0; first < 256; first++) {
      // One long text for all that share a first byte; the letter behind each ends a sequence that is cut off.
      const sequences: number[] = [first, 0x61];
      for (let second = 0; second < 256; second++) {
        sequences.push(first, second, 0x61);
        if (first >= 0xe0) for (const third of [0x7f, 0x80, 0xbf, 0xc0]) sequences.push(first, second, third, 0x61);
      }
      const bytes = Uint8Array.from(sequences);
      expect(decodeText(bytes)).toBe(decoder.decode(bytes));
    }
  });

  test("comes back as it was, but for surrogates that are no pair", () => {
    fc.assert(
      fc.property(text, (text) => {
        expect(decodeText(encodeText(text))).toBe(text.replace(/\p{Surrogate}/gu, "\ufffd"));
      }),
    );
  });
});

describe("the name of a header", () => {
  test("is the same when ASCII letters differ in case only", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(isSameName(a, b)).toBe(lowerCase(a) === lowerCase(b));
        expect(isSameName(a, upperCase(a))).toBe(true);
      }),
    );
  });

  test("differs in any other single byte", () => {
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        const [one, other] = [Uint8Array.of(0x78, a), Uint8Array.of(0x78, b)];
        if (isSameName(one, other) !== (lowerCase(one) === lowerCase(other))) expect.fail(`${a} and ${b}`);
      }
    }
  });
});

describe("a list of headers", () => {
  test("is encoded as the reference does it", () => {
    fc.assert(
      fc.property(pairs, (pairs) => {
        withHeaders(guest.newHeaders(), (headers) => {
          for (const [name, value] of pairs) onBytes(guest.appendBytes, headers, name, value);
          expect(encoded(headers)).toEqual(encodePairs(pairs.filter(isSendable)));
        });
      }),
    );
  });

  test("is decoded to the entries that were encoded", () => {
    fc.assert(
      fc.property(pairs, (pairs) => {
        withHeaders(decodedFrom(encodePairs(pairs)), (headers) => {
          expect(entriesOf(headers)).toEqual(pairs.map(([name, value]) => [encoder.encode(name), value]));
          expect(encoded(headers)).toEqual(encodePairs(pairs));
        });
      }),
    );
  });

  test("holds what the same changes leave in a plain array", () => {
    const change = fc.tuple(fc.constantFrom("append", "appendBytes", "set", "setBytes", "delete"), name, bytes);
    fc.assert(
      fc.property(pairs, fc.array(change, { maxLength: 20 }), (pairs, changes) => {
        let model: Pair[] = [...pairs];
        withHeaders(decodedFrom(encodePairs(pairs)), (headers) => {
          for (const [kind, name, value] of changes) {
            const asText = decoder.decode(value);
            const added = [name, kind === "append" || kind === "set" ? encoder.encode(asText) : value] as Pair;
            const refused = kind !== "delete" && !isSendable(added);
            if (kind !== "append" && kind !== "appendBytes" && !refused)
              model = model.filter(([other]) => !equalNames(name, other));
            if (kind !== "delete" && !refused) model.push(added);
            if (kind === "append") onText(guest.append, headers, name, asText);
            if (kind === "set") onText(guest.set, headers, name, asText);
            if (kind === "appendBytes") onBytes(guest.appendBytes, headers, name, value);
            if (kind === "setBytes") onBytes(guest.setBytes, headers, name, value);
            if (kind === "delete") withText(name, (name) => guest.remove(headers, name));
          }
          expect(encoded(headers)).toEqual(encodePairs(model));
          for (const name of ["a", "x-name", "", "é"]) {
            const same = model.filter(([other]) => equalNames(name, other));
            expect(withText(name, (name) => guest.countOf(headers, name))).toBe(same.length);
            expect(withText(name, (name) => read(guest.getBytes(headers, name)))).toEqual(same[0]?.[1] ?? null);
          }
        });
      }),
    );
  });

  test("finds a name again that was half a surrogate pair", () => {
    withHeaders(guest.newHeaders(), (headers) => {
      onText(guest.append, headers, "\ud800", "x");
      expect(withText("\ud800", (name) => guest.countOf(headers, name))).toBe(1);
    });
  });

  test("of any bytes at all is empty or lies within them", () => {
    const cut = fc.tuple(pairs, fc.nat(200), fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 }));
    fc.assert(
      fc.property(cut, ([pairs, length, changes]) => {
        const bytes = encodePairs(pairs).slice(0, length);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const count = withBytes(bytes, (pairs) => guest.count(pairs) >>> 0);
        const total = withHeaders(decodedFrom(bytes), (headers) => {
          const entries = entriesOf(headers);
          expect(entries.length).toBe(count);
          return entries.reduce((sum, [name, value]) => sum + 8 + name.length + 1 + value.length + 1, 4);
        });
        expect(count).toBe(countPairs(bytes));
        if (count > 0) expect(total).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Puts an object into the guest for the time of a call; what lies in JavaScript only, its collector does not see. */
function withPinned<T>(pointer: Pointer, use: (pointer: Pointer) => T): T {
  guest.__pin(pointer);
  try {
    return use(pointer);
  } finally {
    guest.__unpin(pointer);
  }
}

const withHeaders = withPinned;

function withText<T>(text: string, use: (text: Pointer) => T): T {
  return withPinned(guest.__newString(text), use);
}

function withBytes<T>(bytes: Uint8Array, use: (bytes: Pointer) => T): T {
  return withPinned(guest.__newArray(guest.Uint8Array_ID.value, bytes), use);
}

/** The bytes of an object in the guest; `null` when there is none. */
function read(pointer: Pointer): Uint8Array | null {
  return pointer ? guest.__getUint8Array(pointer) : null;
}

function encodeText(text: string): Uint8Array {
  return withText(text, (text) => guest.__getUint8Array(guest.encodeText(text)));
}

function decodeText(bytes: Uint8Array): string {
  return withBytes(bytes, (bytes) => guest.__getString(guest.decodeText(bytes)));
}

function isSameName(name: Uint8Array, other: Uint8Array): boolean {
  return withBytes(name, (name) => withBytes(other, (other) => guest.isSameName(name, other) !== 0));
}

type Change = (headers: Pointer, name: Pointer, value: Pointer) => void;

function onText(change: Change, headers: Pointer, name: string, value: string): void {
  withText(name, (name) => withText(value, (value) => change(headers, name, value)));
}

function onBytes(change: Change, headers: Pointer, name: string, value: Uint8Array): void {
  withText(name, (name) => withBytes(value, (value) => change(headers, name, value)));
}

function decodedFrom(pairs: Uint8Array): Pointer {
  return withBytes(pairs, guest.decodeHeaders);
}

function encoded(headers: Pointer): Uint8Array {
  return guest.__getUint8Array(guest.encodeHeaders(headers));
}

function entriesOf(headers: Pointer): [name: Uint8Array, value: Uint8Array][] {
  const parts = guest.__getArray(guest.entries(headers)).map((part) => guest.__getUint8Array(part));
  return Array.from({ length: parts.length / 2 }, (_, i) => [parts[2 * i]!, parts[2 * i + 1]!]);
}

/** The reference: the wire form of a header list, nothing for an empty one. */
function encodePairs(pairs: readonly Pair[]): Uint8Array {
  if (!pairs.length) return new Uint8Array();
  const numbers = [pairs.length];
  const data: number[] = [];
  for (const [name, value] of pairs) {
    const key = encoder.encode(name);
    numbers.push(key.length, value.length);
    data.push(...key, 0, ...value, 0);
  }
  const sizes = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((number, i) => sizes.setUint32(4 * i, number, true));
  return Uint8Array.from([...new Uint8Array(sizes.buffer), ...data]);
}

/** The reference: how many entries there are, 0 when the bytes do not hold as many. */
function countPairs(bytes: Uint8Array): number {
  if (bytes.length < 4) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  let total = 4;
  for (let i = 0; i < count; i++) {
    if (4 + 8 * (i + 1) > bytes.length) return 0;
    total += 8 + view.getUint32(4 + 8 * i, true) + 1 + view.getUint32(8 + 8 * i, true) + 1;
  }
  return total > bytes.length ? 0 : count;
}

function equalNames(name: string, other: string): boolean {
  return lowerCase(encoder.encode(name)) === lowerCase(encoder.encode(other));
}

/** The bytes with ASCII letters in lower case, as something that `===` compares. */
function lowerCase(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte)));
}

function upperCase(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte));
}
