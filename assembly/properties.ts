// Properties: what the proxy knows of a stream and of itself. For the ones that every host names alike there are
// accessors (request.ts, response.ts, attributes.ts); here is how any of them is read and set.
// Source: proxy-wasm/spec v0.2.1, "Properties"; Envoy "Attributes"; bytes: Envoy source/extensions/common/wasm/context.cc.

import { Status } from "./abi";
import { proxy_get_property, proxy_set_property } from "./env";
import {
  answerBytes,
  answerData,
  answerSize,
  answerText,
  beginCall,
  reserve,
  write,
  writeCopy,
  written,
} from "./memory";
import { COUNT_SIZE, countPairs, SIZES_SIZE } from "./pairs";
import { checked, complain, DONE, FOUND_OR_NOT } from "./status";
import { decode, encode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

// A path is a text whose segments are divided by dots ("xds.node.id"), or an array of segments for those that hold a dot
// themselves (["metadata", "filter_metadata", "envoy.lb", "canary"]): P is string or string[].
//
// Numbers and booleans of AssemblyScript cannot be null, and a box for each would be garbage: who reads one says what
// absence is to look like. The default is what the property cannot be, as far as there is such a value. The same goes
// for bytes that are no number or boolean.

/**
 * A property as text; `null` when there is none, `""` when it is empty. Not for numbers and booleans: Envoy gives them
 * in binary.
 */
export function getProperty<P>(path: P): string | null {
  return ask<P>(path) == Status.Ok ? answerText() : null;
}

/** A property as it came, byte for byte; `null` when there is none, no bytes when it is empty. */
export function getPropertyBytes<P>(path: P): Uint8Array | null {
  return ask<P>(path) == Status.Ok ? answerBytes() : null;
}

/** An integer: 8 bytes (Envoy) or decimal text (ngx_wasm_module, Kong). */
export function getPropertyI64<P>(path: P, absent: i64 = -1): i64 {
  return ask<P>(path) == Status.Ok ? readI64(answerAt(), answerLength(), absent) : absent;
}

/** As `getPropertyI64`, for what has no sign. */
export function getPropertyU64<P>(path: P, absent: u64 = 0): u64 {
  return getPropertyI64<P>(path, absent as i64) as u64;
}

/** A number with a fraction: 8 bytes (Envoy; so are all numbers of metadata) or decimal text. */
export function getPropertyF64<P>(path: P, absent: f64 = NaN): f64 {
  return ask<P>(path) == Status.Ok ? readF64(answerAt(), answerLength(), absent) : absent;
}

/** A boolean: one byte (Envoy), or `true` and `false` as text. */
export function getPropertyBool<P>(path: P, absent: bool = false): bool {
  return ask<P>(path) == Status.Ok ? readBool(answerAt(), answerLength(), absent) : absent;
}

/** A duration, or a time since the Unix epoch, in nanoseconds: 8 bytes (Envoy), or text in seconds (ngx_wasm_module). */
export function getPropertyNanoseconds<P>(path: P, absent: i64 = -1): i64 {
  return ask<P>(path) == Status.Ok ? readNanoseconds(answerAt(), answerLength(), absent) : absent;
}

/** A map, such as `request.headers` or a namespace of metadata; `null` when there is none. */
export function getPropertyMap<P>(path: P): PropertyMap | null {
  const bytes = getPropertyBytes<P>(path);
  return bytes === null ? null : new PropertyMap(bytes);
}

/** A list, such as one in metadata; `null` when there is none. */
export function getPropertyList<P>(path: P): PropertyValue[] | null {
  const bytes = getPropertyBytes<P>(path);
  return bytes === null ? null : listOf(bytes);
}

/**
 * Sets a property of the filter's own. In Envoy it belongs to the stream: other filters on it see it too, later
 * callbacks as well, and the access log as `%FILTER_STATE(wasm.<name>)%`. Read it with the same path. Envoy keeps what
 * it is given under one name: a dotted text is refused (`BadArgument`, and a line in the log), because it could not be
 * read again; write `["my.name"]`. Several segments are for hosts with properties that can be set (ngx_wasm_module's
 * `["ngx", "variable"]`, Kong's `["kong", "service", "target"]`). `NotFound` outside a stream; `BadArgument` when it was
 * declared read-only and is set.
 */
export function setProperty<P>(path: P, value: string): Status {
  beginCall();
  const name = writeName<P>(path);
  if (!name) return Status.BadArgument;
  const data = write(changetype<usize>(value));
  return set(name, pathSize, data, written);
}

/** As `setProperty`, with the value's bytes. */
export function setPropertyBytes<P>(path: P, value: Uint8Array): Status {
  beginCall();
  const name = writeName<P>(path);
  return name ? set(name, pathSize, value.dataStart, value.byteLength) : Status.BadArgument;
}

/** A value inside of a map or a list, with the readings that `getProperty…` has. */
export class PropertyValue {
  constructor(
    /** The value as it came. */
    readonly bytes: Uint8Array,
  ) {}

  /** The value as text. */
  get text(): string {
    return decode(this.bytes.dataStart, this.bytes.byteLength);
  }

  /** The value as an integer; `absent` when it is none. */
  toI64(absent: i64 = -1): i64 {
    return readI64(this.bytes.dataStart, this.bytes.byteLength, absent);
  }

  /** The value as a number with a fraction, as all numbers of metadata are; `absent` when it is none. */
  toF64(absent: f64 = NaN): f64 {
    return readF64(this.bytes.dataStart, this.bytes.byteLength, absent);
  }

  /** The value as a boolean; `absent` when it is none. */
  toBool(absent: bool = false): bool {
    return readBool(this.bytes.dataStart, this.bytes.byteLength, absent);
  }

  /** The value as nanoseconds of a duration or since the Unix epoch; `absent` when it is none. */
  toNanoseconds(absent: i64 = -1): i64 {
    return readNanoseconds(this.bytes.dataStart, this.bytes.byteLength, absent);
  }

  /** The value as a map; an empty one when it is none. */
  toMap(): PropertyMap {
    return new PropertyMap(this.bytes);
  }

  /** The value as a list; an empty one when it is none. */
  toList(): PropertyValue[] {
    return listOf(this.bytes);
  }
}

/** A property with named values, in the order in which the host gave them. Names are compared letter for letter. */
export class PropertyMap {
  /** Reads the bytes that a host gives for a map; what is no map is an empty one. */
  constructor(private readonly bytes: Uint8Array) {}

  /** How many values there are. */
  get size(): i32 {
    return countPairs(this.bytes.dataStart, this.bytes.byteLength) as i32;
  }

  /** The value of this name; `null` when there is none. */
  get(name: string): PropertyValue | null {
    const pairs = this.bytes.dataStart;
    const count = this.size;
    let at = pairs + dataStart(count);
    for (let i = 0; i < count; i++) {
      const nameSize = sizeAt(pairs, i, 0);
      const valueSize = sizeAt(pairs, i, 4);
      if (decode(at, nameSize) == name) return new PropertyValue(copy(at + nameSize + 1, valueSize));
      at += nameSize + valueSize + 2;
    }
    return null;
  }

  /** Every name, in order. */
  keys(): string[] {
    const names: string[] = [];
    const pairs = this.bytes.dataStart;
    const count = this.size;
    let at = pairs + dataStart(count);
    for (let i = 0; i < count; i++) {
      const nameSize = sizeAt(pairs, i, 0);
      names.push(decode(at, nameSize));
      at += nameSize + sizeAt(pairs, i, 4) + 2;
    }
    return names;
  }
}

// For the accessors of known properties, whose paths are written with NULs: `path` is the address of such a text.

/** A known property as text; `null` when there is none. @internal */
export function knownText(path: usize): string | null {
  return askKnown(path) == Status.Ok ? answerText() : null;
}

/** A known integer; -1 when there is none. @internal */
export function knownI64(path: usize): i64 {
  return askKnown(path) == Status.Ok ? readI64(answerAt(), answerLength(), -1) : -1;
}

/** A known duration or time in nanoseconds; -1 when there is none. @internal */
export function knownNanoseconds(path: usize): i64 {
  return askKnown(path) == Status.Ok ? readNanoseconds(answerAt(), answerLength(), -1) : -1;
}

/** A known boolean; `false` when there is none. @internal */
export function knownBool(path: usize): bool {
  return askKnown(path) == Status.Ok && readBool(answerAt(), answerLength(), false);
}

/** A known map; `null` when there is none. @internal */
export function knownMap(path: usize): PropertyMap | null {
  return askKnown(path) == Status.Ok ? new PropertyMap(answerBytes()) : null;
}

/** Asks for a known property: the answer is where host calls put it. @internal */
export function askKnown(path: usize): Status {
  beginCall();
  const at = write(path);
  return get(at, written);
}

/** Asks for a known property below which a name stands, such as a header. @internal */
export function askBelow(path: usize, name: usize): Status {
  beginCall();
  const at = reserve(((sizeOf(path) + sizeOf(name)) >> 1) * MAX_BYTES_PER_UNIT);
  return get(at, encode(name, encode(path, at)) - at);
}

function ask<P>(path: P): Status {
  beginCall();
  const at = writePath<P>(path);
  return get(at, pathSize);
}

// One place for each host call: what it should not answer is said once, not once for each use.
function get(path: usize, size: usize): Status {
  const status = proxy_get_property(path, size, answerData, answerSize);
  return checked(changetype<usize>("proxy_get_property"), status, FOUND_OR_NOT, memory.data(4));
}

function set(path: usize, size: usize, value: usize, valueSize: usize): Status {
  const status = proxy_set_property(path, size, value, valueSize);
  return checked(changetype<usize>("proxy_set_property"), status, DONE, memory.data(4));
}

/** The size in bytes of the path that was written last. */
let pathSize: usize = 0;

/** Writes a path with NULs between its segments. */
function writePath<P>(path: P): usize {
  if (!isString<P>()) return writeSegments(changetype<usize>(path));
  const at = writeCopy(changetype<usize>(path));
  pathSize = written;
  for (let byte = at; byte < at + written; byte++) if (load<u8>(byte) == DOT) store<u8>(byte, 0);
  return at;
}

/** Writes the name of a property to be set; 0 when it could not be read again. */
function writeName<P>(path: P): usize {
  if (!isString<P>()) return writeSegments(changetype<usize>(path));
  const at = write(changetype<usize>(path));
  pathSize = written;
  for (let byte = at; byte < at + written; byte++) {
    if (load<u8>(byte) != DOT) continue;
    complain(
      changetype<usize>(
        'setProperty: not set, because a text with dots is read as a path of several segments: write ["a.b"]',
      ),
      memory.data(4),
    );
    return 0;
  }
  return at;
}

/** Writes the segments of the `string[]` at this address. */
function writeSegments(path: usize): usize {
  const segments = changetype<string[]>(path);
  let room: usize = 0;
  for (let i = 0; i < segments.length; i++) {
    room += (sizeOf(changetype<usize>(unchecked(segments[i]))) >> 1) * MAX_BYTES_PER_UNIT + 1;
  }
  const at = reserve(room);
  let end = at;
  for (let i = 0; i < segments.length; i++) {
    if (i) store<u8>(end++, 0);
    end = encode(changetype<usize>(unchecked(segments[i])), end);
  }
  pathSize = end - at;
  return at;
}

function answerAt(): usize {
  return load<usize>(answerData);
}

function answerLength(): usize {
  return load<usize>(answerSize);
}

const DOT: u8 = 0x2e;
const NANOSECONDS: i64 = 1_000_000_000;

// Eight bytes that are all digits, dots or signs are taken for text. As an integer they would be beyond 3 × 10^18, which
// is a time after the year 2080; as a double, next to nothing.

function readI64(at: usize, size: usize, absent: i64): i64 {
  if (isNumeral(at, size)) return scaled(at, size, 1);
  return size == 8 ? load<i64>(at) : absent;
}

function readNanoseconds(at: usize, size: usize, absent: i64): i64 {
  if (isNumeral(at, size)) return scaled(at, size, NANOSECONDS);
  return size == 8 ? load<i64>(at) : absent;
}

function readF64(at: usize, size: usize, absent: f64): f64 {
  if (isNumeral(at, size)) return parseFloat(decode(at, size));
  return size == 8 ? load<f64>(at) : absent;
}

function readBool(at: usize, size: usize, absent: bool): bool {
  // The byte itself, or its digit.
  if (size == 1 && (load<u8>(at) < 2 || load<u8>(at) >> 1 == 0x18)) return (load<u8>(at) & 1) != 0;
  // "true", "false"
  if (size == 4 && load<u32>(at) == 0x6575_7274) return true;
  if (size == 5 && load<u32>(at) == 0x736c_6166 && load<u8>(at, 4) == 0x65) return false;
  return absent;
}

/** Whether these bytes are a decimal number: digits with one dot at most, and a sign in front. */
function isNumeral(at: usize, size: usize): bool {
  const end = at + size;
  if (at < end && load<u8>(at) == 0x2d) at++;
  let digits = 0;
  let dots = 0;
  for (; at < end; at++) {
    const byte = load<u8>(at) as u32;
    if (byte - 0x30 < 10) digits++;
    else if (byte == (DOT as u32) && !dots) dots++;
    else return false;
  }
  return digits > 0;
}

/** The decimal number in these bytes times a power of ten, without what is left of a fraction then. */
function scaled(at: usize, size: usize, scale: i64): i64 {
  const end = at + size;
  const negative = load<u8>(at) == 0x2d;
  let value: i64 = 0;
  let fraction = false;
  for (at += usize(negative); at < end; at++) {
    const byte = load<u8>(at);
    if (byte == DOT) {
      fraction = true;
    } else {
      if (fraction) {
        if (scale == 1) break;
        scale /= 10;
      }
      value = value * 10 + ((byte - 0x30) as i64);
    }
  }
  value *= scale;
  return negative ? -value : value;
}

/** Where names and values begin behind the sizes of so many pairs. */
function dataStart(count: i32): usize {
  return COUNT_SIZE + (count as usize) * SIZES_SIZE;
}

/** A size of a pair: of its name (`which` is 0) or its value (4). */
function sizeAt(pairs: usize, index: i32, which: usize): usize {
  return load<u32>(pairs + COUNT_SIZE + (index as usize) * SIZES_SIZE + which);
}

function copy(from: usize, size: usize): Uint8Array {
  const bytes = new Uint8Array(size as i32);
  memory.copy(bytes.dataStart, from, size);
  return bytes;
}

/** The items of a list, which stand as the names of pairs without values. */
function listOf(bytes: Uint8Array): PropertyValue[] {
  const items: PropertyValue[] = [];
  const pairs = bytes.dataStart;
  const count = countPairs(pairs, bytes.byteLength) as i32;
  let at = pairs + dataStart(count);
  for (let i = 0; i < count; i++) {
    const size = sizeAt(pairs, i, 0);
    items.push(new PropertyValue(copy(at, size)));
    at += size + sizeAt(pairs, i, 4) + 2;
  }
  return items;
}
