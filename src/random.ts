// Random numbers that come again: a test with the same seed sees the same request ids and the same `random_get`.

/** Fills arrays from a seed. Not for secrets. Source: the generator mulberry32. */
export function seededRandom(seed: number): (bytes: Uint8Array) => void {
  let last = seed >>> 0;
  return (bytes) => {
    let state = last;
    for (let i = 0; i < bytes.length; i++) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      bytes[i] = (mixed ^ (mixed >>> 14)) >>> 24;
    }
    last = state;
  };
}
