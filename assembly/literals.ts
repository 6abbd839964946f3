// The strings in a filter's source. asc stores two bytes for each character and a header for each string; transform.mjs
// puts ASCII ones into the module with one byte a character, and they are made strings again when the module starts.
// That is a tenth of a small filter. Host calls take these bytes as they lie there, without encoding and looking at them
// again.

/// <reference path="./runtime.d.ts" />

// What lies below a string; see heap.ts.
const SIZE: usize = 4;
const CLASS_ID: usize = 8;
/** Of a string in the source: where its bytes are, or 0. */
const BYTES: usize = 12;

// transform.mjs answers these three.

/** Where the bytes begin: for each string its address divided by 16, its length, 16 bits each, and then its bytes. */
function first(): usize {
  return 0;
}

/** Where those begin that hold what no header may hold. */
function firstUnfit(): usize {
  return 0;
}

/** Where they end. */
function last(): usize {
  return 0;
}

/** Makes the strings. transform.mjs has it called before anything else. */
export function makeLiterals(): void {
  let at = first();
  while (at < last()) {
    let text = (load<u16>(at) as usize) << 4;
    const length = load<u16>(at, 2) as u32;
    at += 4;
    store<usize>(text - BYTES, at);
    store<u32>(text - CLASS_ID, idof<string>());
    store<u32>(text - SIZE, length << 1);
    for (const end = at + length; at < end; text += 2) store<u16>(text, load<u8>(at++));
  }
}

/** The bytes of the string at `text` if it stands in the source, otherwise 0. */
export function bytesOfLiteral(text: usize): usize {
  return isDefined(__begin_callback) && text < __heap_base ? load<usize>(text - BYTES) : 0;
}

/** Whether bytes are those of a string in the source that may stand in a header. */
export function isFieldLiteral(bytes: usize): bool {
  return bytes - first() < firstUnfit() - first();
}

makeLiterals();
