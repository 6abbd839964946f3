// JSON (RFC 8259), for configurations and bodies: `import { parseJson } from "proxy-wasm/assembly/json"`. A text is checked
// once from end to end; values are then places in it, read when they are asked for. What is wrong is written down, never
// thrown, since a throw ends the VM: what was asked for gets a default, and `accept` says in the end whether all was well.

import {
  firstIn,
  isEnd,
  isNamed,
  magnitude,
  nextIn,
  numberAt,
  readInteger,
  skip,
  textAt,
  valueOf,
} from "./json-places";
import { blanks, check, wanted, wrong, wrongAt } from "./json-syntax";
import { logError } from "./log";
import { beginCall, write, written } from "./memory";
import { decode } from "./utf8";

/** The kinds of values. */
export enum JsonType {
  /** There is no such member or element. */
  Missing = 0,
  /** `null`. */
  Null = 1,
  /** `true` or `false`. */
  Boolean = 2,
  /** A number. */
  Number = 3,
  /** A string. */
  String = 4,
  /** An array. */
  Array = 5,
  /** An object. */
  Object = 6,
}

/** So many mistakes of a text are written down. */
const MOST_MISTAKES: i32 = 16;
/** So much of what was found stands in a message. */
const MOST_SHOWN: i32 = 40;

/** A text and what was wrong in it. */
class JsonText {
  readonly mistakes: string[] = [];
  /** Whether it is no JSON, or cannot be read. */
  failed: bool = false;
  /** The text with a NUL behind it, which no JSON contains: what reads it need not look for its end. */
  private readonly copy: StaticArray<u8>;

  constructor(
    bytes: Uint8Array,
    readonly name: string,
  ) {
    const copy = new StaticArray<u8>(bytes.byteLength + 1);
    memory.copy(changetype<usize>(copy), bytes.dataStart, bytes.byteLength);
    this.copy = copy;
  }

  get start(): usize {
    return changetype<usize>(this.copy);
  }

  get end(): usize {
    return this.start + this.copy.length - 1;
  }

  /** Notes that something else was expected at this address. */
  note(path: string, at: usize, expected: string, found: string): void {
    if (this.mistakes.length == MOST_MISTAKES) return;
    let line = 1;
    let column = 1;
    for (let from = this.start; from < at; from++) {
      const byte = load<u8>(from);
      if (byte == 0x0a) {
        line++;
        column = 1;
      } else if ((byte & 0xc0) != 0x80) {
        column++;
      }
    }
    const place = "line " + line.toString() + ", column " + column.toString();
    const where = path.length ? path + " (" + place + ")" : place;
    this.mistakes.push(this.name + ", " + where + ": expected " + expected + ", found " + found);
  }
}

/**
 * Reads JSON text. `name` stands in messages. No bytes at all mean `{}`, because Istio sends an empty object as no
 * configuration. Text that is no JSON is a mistake, and every value of it is missing:
 *
 * ```ts
 * override onConfigure(_size: u32): bool {
 *   const config = parseJson(this.configurationBytes);
 *   this.header = config.get("header").text();              // must be there
 *   this.limit = config.get("limit").integerOr<u32>(100);   // may be left out
 *   const rules = config.get("rules").items();
 *   for (let i = 0; i < rules.length; i++) this.rules.push(new Rule(rules[i]));
 *   return config.accept();                                  // logs what is wrong
 * }
 * ```
 */
export function parseJson(bytes: Uint8Array | null, name: string = "configuration"): JsonValue {
  const text = new JsonText(bytes !== null ? bytes : new Uint8Array(0), name);
  if (bytes === null) {
    text.failed = true;
    text.mistakes.push(name + ": cannot be read now; a configuration can be in onConfigure");
  }
  const start = text.start;
  const end = text.end;
  if (text.failed) return missing(text);
  if (start == end) return new JsonValue(text, 0, JsonType.Object, null, null, 0);
  const at = blanks(start);
  let rest = check(at, 0);
  if (rest && (rest = blanks(rest)) != end) rest = wrong(rest, changetype<usize>("the end of the text"));
  if (rest) return new JsonValue(text, at, typeAt(at), null, null, 0);
  text.failed = true;
  text.note("", wrongAt, changetype<string>(wanted), foundAt(wrongAt, end));
  if (mayBeStruct(start, end)) {
    text.mistakes.push(
      name +
        ": these bytes may be a google.protobuf.Struct, as Envoy hands it on: configure a StringValue, or read " +
        "them with structToJson",
    );
  }
  return missing(text);
}

/** Whether these bytes begin as a Struct does with its first member, and hold the tag of a member's value. */
function mayBeStruct(at: usize, end: usize): bool {
  if (load<u8>(at) != 0x0a) return false;
  while (at < end && load<u8>(at) != 0x12) at++;
  return at < end;
}

function missing(text: JsonText): JsonValue {
  return new JsonValue(text, 0, JsonType.Missing, null, null, 0);
}

/** A member of an object. */
export class JsonMember {
  constructor(
    /** Its name. */
    readonly name: string,
    /** Its value. */
    readonly value: JsonValue,
  ) {}
}

/**
 * A value in a JSON text, also one that is not there: its methods say what is expected, and note a mistake with path,
 * place, what was expected and what was found when it is something else. Those that end in `Or` give their default for
 * a value that is missing or `null`; of another type it is a mistake all the same.
 */
export class JsonValue {
  /** @internal */
  constructor(
    private readonly source: JsonText,
    private readonly start: usize,
    /** What it is. */
    readonly type: JsonType,
    private readonly parent: JsonValue | null,
    private readonly name: string | null,
    private readonly index: i32,
  ) {}

  /** Whether it is there; `null` is. */
  get exists(): bool {
    return this.type != JsonType.Missing;
  }

  /** Whether it is missing or `null`. */
  get isAbsent(): bool {
    return this.type <= JsonType.Null;
  }

  /** Where it stands: `rules[2].path`; `""` for the whole text. */
  get path(): string {
    const parent = this.parent;
    if (parent === null) return "";
    const name = this.name;
    if (name === null) return parent.path + "[" + this.index.toString() + "]";
    const above = parent.path;
    return above.length ? above + "." + name : name;
  }

  /** The member of this name. Missing when there is none and in what is absent; two of one name are a mistake. */
  get(name: string): JsonValue {
    let found: usize = 0;
    if (this.isKind(JsonType.Object, "an object")) {
      beginCall();
      const key = write(changetype<usize>(name));
      const size = written;
      for (let at = firstIn(this.start); at; at = nextIn(skip(valueOf(at)))) {
        if (!isNamed(at, key, size)) continue;
        if (found) this.source.note(this.path, at, "each name once", shown(at, skip(at)) + " again");
        found = valueOf(at);
      }
    }
    return new JsonValue(this.source, found, found ? typeAt(found) : JsonType.Missing, this, name, 0);
  }

  /** Whether there is a member of this name. */
  has(name: string): bool {
    return this.get(name).exists;
  }

  /** The members of an object, in order; none of what is absent. */
  members(): JsonMember[] {
    const members = new Array<JsonMember>();
    if (!this.isKind(JsonType.Object, "an object")) return members;
    for (let at = firstIn(this.start); at; at = nextIn(skip(valueOf(at)))) {
      const name = textAt(at);
      const value = valueOf(at);
      members.push(new JsonMember(name, new JsonValue(this.source, value, typeAt(value), this, name, 0)));
    }
    return members;
  }

  /** The elements of an array, in order; none of what is absent. */
  items(): JsonValue[] {
    const items = new Array<JsonValue>();
    if (!this.isKind(JsonType.Array, "an array")) return items;
    for (let at = firstIn(this.start); at; at = nextIn(skip(at))) {
      items.push(new JsonValue(this.source, at, typeAt(at), this, null, items.length));
    }
    return items;
  }

  /** Its text. A string must be there; `""` otherwise. */
  text(): string {
    if (this.type == JsonType.String) return textAt(this.start);
    this.fail("a string");
    return "";
  }

  /** Its text, or the default. */
  textOr(fallback: string): string {
    return this.isAbsent ? fallback : this.text();
  }

  /** Whether it is `true`. A boolean must be there; `false` otherwise. */
  bool(): bool {
    if (this.type == JsonType.Boolean) return load<u8>(this.start) == 0x74;
    this.fail("true or false");
    return false;
  }

  /** Whether it is `true`, or the default. */
  boolOr(fallback: bool): bool {
    return this.isAbsent ? fallback : this.bool();
  }

  /** Its number, the nearest that 64 bits can hold. A number must be there; 0 otherwise. */
  number(): f64 {
    if (this.type == JsonType.Number) {
      const number = numberAt(this.start);
      if (isFinite(number)) return number;
    }
    this.fail("a number");
    return 0;
  }

  /** Its number, or the default. */
  numberOr(fallback: f64): f64 {
    return this.isAbsent ? fallback : this.number();
  }

  /**
   * Its number as an integer of this type: `integer<u32>()`. A whole number that fits must be there; 0 otherwise. `1e3`
   * and `5.0` are whole: who writes JSON from numbers of 64 bits may write them so.
   */
  integer<T extends number>(): T {
    if (this.type == JsonType.Number) {
      const bits = 8 * sizeof<T>();
      const most: u64 = isSigned<T>() ? u64.MAX_VALUE >> (65 - bits) : u64.MAX_VALUE >> (64 - bits);
      const negative = load<u8>(this.start) == 0x2d;
      if (readInteger(this.start) && magnitude <= (negative ? (isSigned<T>() ? most + 1 : 0) : most)) {
        return (negative ? -(magnitude as i64) : magnitude) as T;
      }
    }
    this.fail("a whole number from " + rangeOf<T>());
    return 0 as T;
  }

  /** Its number as an integer of this type, or the default. */
  integerOr<T extends number>(fallback: T): T {
    return this.isAbsent ? fallback : this.integer<T>();
  }

  /**
   * Notes a mistake in an object that has members of other names than these: most are misspelt. Names that begin with
   * `_` are let pass, since they are for those in between, such as Higress' `_rules_`.
   */
  only(names: string[]): void {
    const members = this.members();
    for (let i = 0; i < members.length; i++) {
      const name = unchecked(members[i]).name;
      if (!name.startsWith("_") && !names.includes(name)) {
        unchecked(members[i]).value.note("one of " + names.join(", "), "the name " + name);
      }
    }
  }

  /** Notes that something else was expected here, in your words: `rate.fail("a rate below 1000")`. */
  fail(expected: string): void {
    this.note(
      expected,
      this.start ? foundAt(this.start, this.source.end) : this.type == JsonType.Object ? "nothing in it" : "nothing",
    );
  }

  private note(expected: string, found: string): void {
    // Of a text that is no JSON nothing more is said, since all of it is missing.
    if (this.source.failed) return;
    const at = this.place();
    this.source.note(this.path, at, expected, found);
  }

  /**
   * Whether all that was read of the text so far is what was expected. Otherwise every mistake stands in the proxy's
   * log: `configuration, rules[2].limit (line 3, column 14): expected a whole number from 0 to 255, found "ten"`.
   */
  accept(): bool {
    const mistakes = this.source.mistakes;
    for (let i = 0; i < mistakes.length; i++) logError(unchecked(mistakes[i]));
    return !mistakes.length;
  }

  /** The mistakes so far, in the words of the log. */
  get mistakes(): string[] {
    return this.source.mistakes;
  }

  /** The address of the value, or of the nearest one around it that is there. */
  private place(): usize {
    const parent = this.parent;
    if (this.start) return this.start;
    return parent !== null ? parent.place() : this.source.start;
  }

  /** Whether it is of this type; a mistake when it is of another one and not absent. */
  private isKind(type: JsonType, expected: string): bool {
    // The object that no bytes stand for has no members.
    if (this.type == type) return this.start != 0;
    if (!this.isAbsent) this.fail(expected);
    return false;
  }
}

function typeAt(at: usize): JsonType {
  switch (load<u8>(at)) {
    case 0x22:
      return JsonType.String;
    case 0x5b:
      return JsonType.Array;
    case 0x7b:
      return JsonType.Object;
    case 0x74:
    case 0x66:
      return JsonType.Boolean;
    case 0x6e:
      return JsonType.Null;
    default:
      return JsonType.Number;
  }
}

function rangeOf<T>(): string {
  const bits = 8 * sizeof<T>();
  if (!isSigned<T>()) return "0 to " + (u64.MAX_VALUE >> (64 - bits)).toString();
  return (i64.MIN_VALUE >> (64 - bits)).toString() + " to " + (i64.MAX_VALUE >> (64 - bits)).toString();
}

/** What stands at an address, for a message. */
function foundAt(at: usize, end: usize): string {
  if (at >= end) return "the end of the text";
  const byte = load<u8>(at);
  if (byte == 0x7b) return "an object";
  if (byte == 0x5b) return "an array";
  if (byte == 0x22) {
    // In a text that is no JSON, the string may have no end.
    let to = at + 1;
    while (to < end && load<u8>(to) != 0x22) to += load<u8>(to) == 0x5c ? 2 : 1;
    return shown(at, min(to + 1, end));
  }
  if (byte < 0x20) return "the control character " + byte.toString();
  let to = at + 1;
  while (to < end && !isEnd(load<u8>(to)) && load<u8>(to) != 0x22 && load<u8>(to) != 0x3a) to++;
  return shown(at, to);
}

/** The text between two addresses, cut when it is long. */
function shown(from: usize, to: usize): string {
  const text = decode(from, min(to - from, (MOST_SHOWN * 4) as usize));
  return text.length > MOST_SHOWN ? text.substring(0, MOST_SHOWN) + "…" : text;
}
