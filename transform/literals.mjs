// Puts the strings of a filter's source into the module with one byte a character, where they are ASCII, and leaves out
// those that nothing refers to any more; assembly/literals.ts makes them strings again.

import { SDK } from "./contexts.mjs";
import { replacer } from "./replace.mjs";

/** A static object is a header and what follows: its size, twelve bytes of which the last four are its class's number. */
const HEADER_SIZE = 20;
const STRING = 2;
const PLACE = 16;
/** What a record can say of an address, and of a length. */
const MOST = 0xffff;

const DATA_END = "~lib/memory/__data_end";
const HEAP_BASE = "~lib/memory/__heap_base";
const STACK_POINTER = "~lib/memory/__stack_pointer";

/**
 * Shortens the strings of the module. `optimizes` is whether asc will. Does nothing with a compiler, or a runtime, that is
 * built differently: the filter works all the same.
 */
export function shortenLiterals(module, binaryen, optimizes) {
  const start = module.getFunction("~start");
  const made = `${SDK}literals/makeLiterals`;
  if (!start || !module.getFunction(made) || !module.getFunction(`${SDK}heap/newObject`)) return;
  if (typeof module.getNumDataSegments !== "function") return;
  const segments = dataSegments(module);
  const literals = segments.filter(isAsciiString);
  const others = segments.filter((segment) => !literals.includes(segment));
  // Before what nobody uses is gone: of a filter that makes no object, these numbers too.
  const at = numberOf(module, binaryen, DATA_END);
  const heapBase = numberOf(module, binaryen, HEAP_BASE);
  // Functions that were only called by exports that are gone; in debug builds all stay.
  if (optimizes) module.runPasses(["remove-unused-module-elements"]);
  const referred = referredAddresses(module, others);
  const used = literals.filter(isAmong(referred));
  const fit = Buffer.concat(used.filter(isField).map(toRecord));
  const unfit = Buffer.concat(used.filter((literal) => !isField(literal)).map(toRecord));
  const grown = growStaticData(module, binaryen, fit.length + unfit.length);
  const { initial, max } = module.getMemoryInfo();
  const pages = Math.max(initial, Math.ceil((heapBase + grown) / 65_536));
  const data = [...others, { offset: at, data: Buffer.concat([fit, unfit]) }];
  const active = data.map(({ offset, data }) => ({ offset: module.i32.const(offset), data }));
  module.setMemory(pages, max ?? -1, null, active);
  const replace = replacer(module, binaryen);
  replace("literals/first", module.i32.const(at));
  replace("literals/firstUnfit", module.i32.const(at + fit.length));
  replace("literals/last", module.i32.const(at + fit.length + unfit.length));
  // Before anything else, since whatever runs first may use a string.
  const { body } = binaryen.getFunctionInfo(start);
  const own = module.getFunction(`start:${SDK}literals`);
  if (own) binaryen.Function.setBody(own, module.nop());
  binaryen.Function.setBody(start, module.block(null, [module.call(made, [], binaryen.none), body]));
}

function dataSegments(module) {
  return Array.from({ length: module.getNumDataSegments() }, (_, i) => {
    const { offset, data } = module.getDataSegmentInfo(module.getDataSegmentByIndex(i));
    return { offset, data: Buffer.from(data) };
  });
}

/** Whether a segment is a string that a record can tell of; everything of its header is as asc writes it. */
function isAsciiString({ offset, data }) {
  if (data.length < HEADER_SIZE || data.readUInt32LE(12) !== STRING) return false;
  const size = data.readUInt32LE(16);
  const place = (offset + HEADER_SIZE) / PLACE;
  if (!Number.isInteger(place) || place > MOST || size >> 1 > MOST) return false;
  if (data.readUInt32LE(0) + 4 !== data.length || data.readUInt32LE(4) || data.readUInt32LE(8)) return false;
  for (let at = HEADER_SIZE; at < HEADER_SIZE + size; at += 2) if (data.readUInt16LE(at) > 0x7f) return false;
  return true;
}

/** Every number in the code and in these segments that may be an address, in order. */
function referredAddresses(module, segments) {
  const numbers = new Set();
  // A segment's own address is no reference to it.
  const code = module.emitText().replaceAll(/^ \(data .*$/gm, "");
  for (const [, number] of code.matchAll(/i32\.const (\d+)/g)) numbers.add(Number(number));
  for (const { data } of segments) {
    for (let at = 0; at + 4 <= data.length; at += 4) numbers.add(data.readUInt32LE(at));
  }
  return [...numbers].sort((a, b) => a - b);
}

/** Whether one of these numbers lies within a segment. */
function isAmong(numbers) {
  return ({ offset, data }) => {
    const at = numbers.findIndex((number) => number >= offset);
    return at >= 0 && numbers[at] <= offset + data.length;
  };
}

function textOf({ data }) {
  return data.toString("utf16le", HEADER_SIZE, HEADER_SIZE + data.readUInt32LE(16));
}

/** Whether a string may stand in a header. */
function isField(literal) {
  return !/[\0\r\n]/.test(textOf(literal));
}

/** What assembly/literals.ts reads of a string. */
function toRecord(literal) {
  const text = textOf(literal);
  const record = Buffer.alloc(4 + text.length);
  record.writeUInt16LE((literal.offset + HEADER_SIZE) / PLACE);
  record.writeUInt16LE(text.length, 2);
  record.write(text, 4, "latin1");
  return record;
}

/** Makes room behind static data and gives its size: shadow stack and heap move up. */
function growStaticData(module, binaryen, size) {
  const more = (size + 15) & ~15;
  for (const name of [DATA_END, HEAP_BASE, STACK_POINTER]) {
    if (!module.getGlobal(name)) continue;
    const { mutable, type } = binaryen.getGlobalInfo(module.getGlobal(name));
    const moved = module.i32.const(numberOf(module, binaryen, name) + more);
    module.removeGlobal(name);
    module.addGlobal(name, type, mutable, moved);
  }
  return more;
}

/** The number that a global begins with. */
function numberOf(module, binaryen, global) {
  return binaryen.getExpressionInfo(binaryen.getGlobalInfo(module.getGlobal(global)).init).value;
}
