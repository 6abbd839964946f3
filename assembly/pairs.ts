// The wire form of a header map: a count, the two sizes of every entry, then every name and value, each with a NUL
// behind it. Numbers are 32 bits, little endian. Source: proxy-wasm/spec v0.2.1, "Serialization".

/** The bytes of the count. */
export const COUNT_SIZE: usize = 4;
/** The bytes of an entry's two sizes. */
export const SIZES_SIZE: usize = 8;

/** How many entries stand in the `size` bytes at `pairs`: 0 for every form of an empty map, and for what is none. */
export function countPairs(pairs: usize, size: usize): u32 {
  if (size < COUNT_SIZE) return 0;
  const count = load<u32>(pairs);
  // A host that miscounts must not lead the filter out of the answer.
  let sum = (COUNT_SIZE as u64) + (count as u64) * (SIZES_SIZE + 2);
  if (sum > (size as u64)) return 0;
  const end = pairs + COUNT_SIZE + (count as usize) * SIZES_SIZE;
  for (let at = pairs + COUNT_SIZE; at < end; at += 4) sum += load<u32>(at) as u64;
  return sum > (size as u64) ? 0 : count;
}

/** Whether two names are the same but for the case of ASCII letters. */
export function sameName(name: usize, nameSize: usize, other: usize, otherSize: usize): bool {
  if (nameSize != otherSize) return false;
  for (let i: usize = 0; i < nameSize; i++) {
    const a = load<u8>(name + i) as u32;
    const b = load<u8>(other + i) as u32;
    if (a != b && ((a ^ b) != 0x20 || (a | 0x20) - 0x61 > 25)) return false;
  }
  return true;
}
