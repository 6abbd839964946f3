// The heap of a filter. Objects lie one behind the other: room for one is taken at `top`, and when a callback ends of
// which nothing was kept, `top` goes back to where it was at its start. That is the usual callback, and it leaves
// nothing to collect. What was kept stays where it is and is collected, when so much was taken as lives, by marking
// what can be reached; the gaps between what lives are found one by one as room is needed.
//
// transform.mjs makes this the runtime `proxy-wasm` of asc. asc keeps the references of active functions on its shadow
// stack, so a collection may happen inside a callback.

/// <reference path="./runtime.d.ts" />

// A block is a header and the object behind it. Blocks fill the heap without a gap; their sizes are multiples of 8.
/** The block's size, `BLACK` or not, `HELD` or not. */
const INFO: usize = 16;
/** While marking: the next object whose members are to be visited. */
const NEXT: usize = 12;
/** The class. asc reads it here. */
const CLASS_ID: usize = 8;
/** The object's size. asc reads it here. */
const SIZE: usize = 4;
const HEADER_SIZE: usize = 16;

/** Flips with each collection: blocks whose bit is not `white` once marking is over were not reached. */
const COLOR: u32 = 1;
/** The block belongs to `heap.alloc` and lives until `heap.free`. */
const HELD: u32 = 2;
const FLAGS: u32 = 7;

/** The most bytes of an object. */
const MOST: usize = 0x3fff_ffe0;
/** No collection before so many bytes were taken. */
const PATIENCE: usize = 0x4000;
/** Up to here a loop clears faster than `memory.fill`. */
const CLEARED_BY_LOOP: usize = 256;

/** What `__visit` is for: to mark what can be reached, or to see whether any of it was made by the running callback. */
const MARK: u32 = 0;
const LOOK: u32 = 1;

/** `--use GC_STRESS=1` overwrites what is freed, `=2` also collects before every allocation: for tests. */
const STRESS: i32 = isDefined(GC_STRESS) ? GC_STRESS : 0;
const FREED: u8 = 0xee;

let start: usize = 0;
let end: usize = 0;
/** The gap that is being filled. */
let top: usize = 0;
let limit: usize = 0;
/** What lies between here and `end` has not been swept since the last marking. */
let cursor: usize = 0;

let white: u32 = 0;
/** The objects whose members are to be visited. */
let gray: usize = 0;
/** How often was marked: static objects have it in place of a color, since nobody sweeps them. */
let cycle: u32 = 0;
/** Bytes that lived at the last marking. */
let live: usize = 0;
/** Bytes of the gaps that were taken since. */
let taken: usize = 0;

/** Where `top` was when the running callback began, whether something behind it is kept, and how many blocks are held. */
let floor: usize = 0;
let kept: bool = false;
let held: i32 = 0;

/** Pinned objects: a list of `heap.alloc` blocks with the next one and the object. */
let pins: usize = 0;

/** A callback begins. */
export function beginCallback(): void {
  floor = top;
  kept = false;
  held = 0;
}

/** A callback ends: what it made goes, unless something that was there before refers to it. */
export function endCallback(): void {
  if (top == floor || kept || held) return;
  __visit_globals(LOOK);
  if (kept) return;
  if (STRESS > 0) memory.fill(floor, FREED, top - floor);
  top = floor;
}

/** Makes a managed object, all zeros but for a string, which is written as a whole at once. */
export function newObject(size: usize, classId: u32): usize {
  const object = take(size, 0);
  store<u32>(object - CLASS_ID, classId);
  store<u32>(object - SIZE, size as u32);
  if (classId == idof<string>()) return object;
  if (top - object <= CLEARED_BY_LOOP) for (let at = object; at < top; at += 8) store<u64>(at, 0);
  else memory.fill(object, 0, size);
  return object;
}

/** Gives an object another size: the same when its block is large enough, else a copy. What is added is zeros. */
export function renew(object: usize, size: usize): usize {
  const before = load<u32>(object - SIZE) as usize;
  if (object >= __heap_base && size <= roomOf(object)) {
    store<u32>(object - SIZE, size as u32);
    if (size > before) memory.fill(object + before, 0, size - before);
    return object;
  }
  const larger = newObject(size, load<u32>(object - CLASS_ID));
  memory.copy(larger, object, min(size, before));
  return larger;
}

/** `heap.alloc`: bytes that live until `release`. */
export function hold(size: usize): usize {
  held++;
  return take(size, HELD);
}

/** Whether `hold` finds room for so many bytes, less than 1 GiB, rather than stop the filter. */
export function hasRoom(size: usize): bool {
  const block = blockFor(size);
  if (block > limit - top) refill(block);
  return block <= limit - top;
}

/** `heap.free`. Nothing happens to 0, to static data, and to what is free already. */
export function release(block: usize): void {
  if (block < __heap_base) return;
  const info = load<u32>(block - INFO);
  if (!(info & HELD)) return;
  if (isYoung(block)) held--;
  store<u32>(block - INFO, (info & ~FLAGS) | white);
}

/** `heap.realloc`. Static data is copied; nobody knows where it ends. */
export function rehold(block: usize, size: usize): usize {
  const isStatic = block < __heap_base;
  const room = isStatic ? size : roomOf(block);
  if (size <= room && !isStatic) return block;
  const larger = hold(size);
  memory.copy(larger, block, room);
  release(block);
  return larger;
}

/** An object was stored in another one. */
export function link(parent: usize, child: usize): void {
  if (isYoung(child) && !isYoung(parent)) kept = true;
}

/** Keeps an object until `unpin`. */
export function pin(object: usize): usize {
  if (object) {
    const entry = hold(8);
    store<usize>(entry, pins);
    store<usize>(entry, object, 4);
    pins = entry;
  }
  return object;
}

/** Undoes one `pin`. */
export function unpin(object: usize): void {
  if (!object) return;
  let before: usize = 0;
  let entry = pins;
  while (entry && load<usize>(entry, 4) != object) {
    before = entry;
    entry = load<usize>(entry);
  }
  if (!entry) throw new Error("the object is not pinned");
  if (before) store<usize>(before, load<usize>(entry));
  else pins = load<usize>(entry);
  release(entry);
}

/** Called for every reference in the globals and in an object's members. */
export function visit(object: usize, why: u32): void {
  if (!object) return;
  if (why == LOOK) {
    if (isYoung(object)) kept = true;
    return;
  }
  const info = load<u32>(object - INFO);
  if (object < __heap_base) {
    if (info == cycle) return;
    store<u32>(object - INFO, cycle);
  } else {
    if ((info & COLOR) != white) return;
    store<u32>(object - INFO, info ^ COLOR);
    live += info & ~FLAGS;
  }
  // Buffers and strings refer to nothing.
  if (load<u32>(object - CLASS_ID) <= idof<string>()) return;
  store<usize>(object - NEXT, gray);
  gray = object;
}

/** Finds out what can be reached; the rest is free from now on. */
export function collect(): void {
  sweep(usize.MAX_VALUE);
  closeGap();
  live = 0;
  cycle++;
  __visit_globals(MARK);
  for (let slot = __stack_pointer; slot < __heap_base; slot += sizeof<usize>()) visit(load<usize>(slot), MARK);
  for (let entry = pins; entry; entry = load<usize>(entry)) visit(load<usize>(entry, 4), MARK);
  while (gray) {
    const object = gray;
    gray = load<usize>(object - NEXT);
    __visit_members(object, MARK);
  }
  white ^= COLOR;
  cursor = start;
  taken = 0;
}

/** Collects, and gives the bytes of what is left: objects that can be reached, and held blocks. For tests. */
export function livingBytes(): usize {
  collect();
  let bytes: usize = 0;
  for (let at = start; at < end;) {
    const info = load<u32>(at);
    const size = info & ~FLAGS;
    if (info & HELD || (info & COLOR) == white) bytes += size;
    at += size;
  }
  return bytes;
}

/** Room for `size` bytes behind a header. */
function take(size: usize, flags: u32): usize {
  if (STRESS > 1) collect();
  const block = blockFor(size);
  if (size > MOST || block > limit - top) makeRoom(size);
  const at = top;
  top = at + block;
  store<u32>(at, (block as u32) | white | flags);
  return at + HEADER_SIZE;
}

/** Whether the running callback made this object. An empty one lies where the next block begins, at `top` even. */
function isYoung(object: usize): bool {
  return object - floor - 1 < top - floor;
}

/** The bytes that fit into the block of this object. */
function roomOf(object: usize): usize {
  return ((load<u32>(object - INFO) & ~FLAGS) as usize) - HEADER_SIZE;
}

/** The size of the block for so many bytes. */
function blockFor(size: usize): usize {
  return (size + (HEADER_SIZE + 7)) & ~7;
}

/** Goes on with a gap for an object of `size` bytes. */
function makeRoom(size: usize): void {
  const isTooLarge = size > MOST;
  if (isTooLarge || !hasRoom(size)) throw new RangeError(isTooLarge ? "allocation too large" : "out of memory");
}

/** Goes on with a gap of at least `size` bytes; with none when there is no such gap. */
function refill(size: usize): void {
  closeGap();
  if (sweep(size)) return;
  if (taken >= max(live, PATIENCE)) {
    collect();
    if (sweep(size)) return;
  }
  grow(size);
}

/** Leaves the rest of the gap as a block that nobody refers to. */
function closeGap(): void {
  kept = true;
  if (top < limit) store<u32>(top, ((limit - top) as u32) | white);
  top = limit;
}

/** Goes on with the next gap of at least `size` bytes among the blocks not swept yet; `false` when there is none. */
function sweep(size: usize): bool {
  while (cursor < end) {
    const gap = cursor;
    let at = gap;
    let info: u32 = 0;
    while (at < end) {
      info = load<u32>(at);
      if (info & HELD || (info & COLOR) == white) break;
      at += info & ~FLAGS;
    }
    cursor = at < end ? at + (info & ~FLAGS) : end;
    if (at - gap >= size) {
      openGap(gap, at);
      return true;
    }
    if (at > gap) store<u32>(gap, ((at - gap) as u32) | white);
  }
  return false;
}

function openGap(from: usize, to: usize): void {
  if (STRESS > 0) memory.fill(from, FREED, to - from);
  top = from;
  limit = to;
  taken += to - from;
}

/** Goes on behind the end of the heap, when memory can grow so much. */
function grow(size: usize): void {
  if (!start) {
    start = (__heap_base + 7) & ~7;
    end = start;
    cursor = start;
  }
  const room = ((memory.size() as usize) << 16) - end;
  if (room < size) {
    const needed = ((size - room + 0xffff) >> 16) as i32;
    const wanted = max(needed, ((end - start) >> 18) as i32);
    if (memory.grow(wanted) < 0 && memory.grow(needed) < 0) return;
  }
  const from = end;
  end = ((memory.size() as usize) << 16) & ~7;
  cursor = end;
  openGap(from, end);
}
