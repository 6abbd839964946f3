// What the runtime of AssemblyScript provides and editors do not know.

/** Makes a managed object of `size` bytes and the class with this id. */
declare function __new(size: usize, id: u32): usize;
/** Tells the garbage collector that `parent` now holds `child`. */
declare function __link(parent: usize, child: usize, expectMultiple: bool): void;
/** Keeps an object that nothing holds, and gives it back. */
declare function __pin(object: usize): usize;
/** Collects what nothing holds. */
declare function __collect(): void;
/** Calls `__visit` for every reference in a global. */
declare function __visit_globals(cookie: u32): void;
/** Calls `__visit` for every reference in an object. */
declare function __visit_members(object: usize, cookie: u32): void;
/** The version of the ABI; see version.ts. */
declare const PROXY_WASM_ABI: i32;
/** How hard the runtime `proxy-wasm` tests those who use it; see heap.ts. */
declare const GC_STRESS: i32;
/** The runtime `proxy-wasm` only: a callback begins. */
declare function __begin_callback(): void;
/** The runtime `proxy-wasm` only: a callback ends. */
declare function __end_callback(): void;
/** The runtime `proxy-wasm` only: whether `heap.alloc` finds room for so many bytes. */
declare function __has_room(size: usize): bool;
