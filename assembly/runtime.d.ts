// What the runtime of AssemblyScript provides and editors do not know.

/** Makes a managed object of `size` bytes and the class with this id. */
declare function __new(size: usize, id: u32): usize;
/** Tells the garbage collector that `parent` now holds `child`. */
declare function __link(parent: usize, child: usize, expectMultiple: bool): void;
/** Collects what nothing holds. */
declare function __collect(): void;
