// What crosses the boundary lies in one small region: the names and values that go out, and the answers that the host
// puts where `malloc` told it to. A host call starts by emptying it, so nothing is freed piece by piece, and nothing
// leaks when a host asks for room and then delivers nothing. What does not fit spills to the heap and goes with the rest.

import { bytesOfLiteral } from "./literals";
import { decode, encode, MAX_BYTES_PER_UNIT, sizeOf } from "./utf8";

const REGION_SIZE: usize = 4096;
/** The most bytes that a host may ask room for: what AssemblyScript's allocator gives at most, a little below 1 GiB. */
const MOST_ANSWERED: usize = 0x3fff_ff00;
const region: usize = memory.data(4096, 16);

/** Where the host writes the address of an answer. */
export const answerData: usize = memory.data(8, 8);
/** Where the host writes the size of an answer. */
export const answerSize: usize = answerData + 4;

/** The size in bytes of what `write` wrote or `reserve` was asked for last. */
export let written: usize = 0;

/** The first free byte of the region. */
let top: usize = region;
/** Where the running callback's part of the region begins; what lies below belongs to the callbacks around it. */
let floor: usize = region;
/** The newest block that did not fit. A block starts with the address of the one before. */
let spilled: usize = 0;
/** How many callbacks are active: more than one when the host calls back from inside a host call. */
let depth: i32 = 0;
/** The id of the context whose callback is running. */
export let called: u32 = 0;
/**
 * What the innermost interrupted callback needs again: the frame before, `floor`, `top`, `spilled`, both answers,
 * `called`.
 */
let interrupted: usize = 0;

/** A callback of this context begins; `true` when it is the outermost one. */
export function enterRegion(context: u32): bool {
  const outermost = !depth++;
  if (!outermost) interrupt();
  called = context;
  return outermost;
}

/** A callback ends; `true` when it was the outermost one. */
export function leaveRegion(): bool {
  release();
  if (!--depth) return true;
  resume();
  return false;
}

/** Makes room for a host call: forgets what the one before left behind. */
export function beginCall(): void {
  release();
  store<u64>(answerData, 0);
}

/**
 * Gives the address of the string at `text` as bytes, which must not be changed: those of a literal, or else it is
 * written behind what is in the region. `written` is their size. Takes an address, because a managed argument costs the
 * caller a place on the shadow stack.
 */
export function write(text: usize): usize {
  const bytes = bytesOfLiteral(text);
  if (!bytes) return writeCopy(text);
  written = sizeOf(text) >> 1;
  return bytes;
}

/** As `write`, for bytes that may be changed. */
export function writeCopy(text: usize): usize {
  const room = (sizeOf(text) >> 1) * MAX_BYTES_PER_UNIT;
  const at = room <= region + REGION_SIZE - top ? top : spill(room);
  const end = encode(text, at);
  if (at == top) top = end;
  written = end - at;
  return at;
}

/** Room for `size` bytes until the next host call or the end of the callback. */
export function reserve(size: usize): usize {
  written = size;
  if (size > region + REGION_SIZE - top) return spill(size);
  const at = top;
  top += size;
  return at;
}

/** What the host wants to answer goes here. Never 0 for a size of 0: ngx_wasm_module takes that for a failure. */
export function malloc(size: usize): usize {
  // Between callbacks nothing waits for an older answer: without this, they would pile up.
  if (!depth) release();
  // The allocator aborts where there is no room; 0 makes the host answer InvalidMemoryAccess instead.
  return size <= MOST_ANSWERED && hasRoom(size) ? reserve(size) : 0;
}

/** Whether `reserve` can be asked for so much. Runtimes of asc do not tell. */
function hasRoom(size: usize): bool {
  if (!isDefined(__has_room)) return true;
  return size <= region + REGION_SIZE - top || __has_room(size + sizeof<usize>());
}

/** The host's answer as text. */
export function answerText(): string {
  return decode(load<usize>(answerData), load<usize>(answerSize));
}

/** The host's answer as bytes of its own. */
export function answerBytes(): Uint8Array {
  const size = load<usize>(answerSize);
  const bytes = new Uint8Array(size as i32);
  memory.copy(bytes.dataStart, load<usize>(answerData), size);
  return bytes;
}

function spill(size: usize): usize {
  const block = heap.alloc(size + sizeof<usize>());
  store<usize>(block, spilled);
  spilled = block;
  return block + sizeof<usize>();
}

function release(): void {
  top = floor;
  if (spilled) freeSpilled();
}

function freeSpilled(): void {
  while (spilled) {
    const block = spilled;
    spilled = load<usize>(block);
    heap.free(block);
  }
}

function interrupt(): void {
  const frame = heap.alloc(28);
  store<usize>(frame, interrupted);
  store<usize>(frame, floor, 4);
  store<usize>(frame, top, 8);
  store<usize>(frame, spilled, 12);
  store<u64>(frame, load<u64>(answerData), 16);
  store<u32>(frame, called, 24);
  interrupted = frame;
  floor = top;
  spilled = 0;
}

function resume(): void {
  const frame = interrupted;
  interrupted = load<usize>(frame);
  floor = load<usize>(frame, 4);
  top = load<usize>(frame, 8);
  spilled = load<usize>(frame, 12);
  store<u64>(answerData, load<u64>(frame, 16));
  called = load<u32>(frame, 24);
  heap.free(frame);
}
