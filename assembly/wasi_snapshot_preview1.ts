// The functions of WASI that the SDK uses, all of which every proxy has had from the beginning. asc imports a `declare
// function` from the module named like its file. Each answers an errno, 0 when all is well.
// Source: WASI preview 1, witx/wasi_snapshot_preview1.witx; what proxies offer: proxy-wasm-cpp-host src/wasm.cc.

export declare function clock_time_get(clock: u32, precision: u64, returnTime: usize): u32;
export declare function environ_get(returnEntries: usize, returnText: usize): u32;
export declare function environ_sizes_get(returnCount: usize, returnSize: usize): u32;
export declare function random_get(bytes: usize, size: usize): u32;
