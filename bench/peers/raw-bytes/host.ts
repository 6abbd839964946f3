// Memory without any SDK: what a callback takes goes when the next one begins.

export const found: usize = memory.data(8, 4);
const arena: usize = memory.data(16384, 8);
let top: usize = arena;

export function begin(): void {
  top = arena;
}

export function malloc(size: usize): usize {
  const at = top;
  top += size;
  return at;
}

export function proxy_abi_version_0_2_1(): void {}

/** Bytes behind what was taken last. */
export function append(from: usize, size: usize): void {
  memory.copy(malloc(size), from, size);
}
