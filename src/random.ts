// Random numbers that come again: a test with the same seed sees the same request ids and the same `random_get`.

/** Fills arrays from a seed. Not for secrets. Source: the generator mulberry32. */
export function seededRandom(seed: number): (bytes: Uint8Array) => void {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 24;
  };
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next();
  };
}
