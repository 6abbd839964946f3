// Which version of the ABI the module is built for. Extending `proxy-wasm/abi-0.2.0.json` or `proxy-wasm/abi-0.1.0.json`
// in place of `proxy-wasm/asconfig.json` chooses an older one, for older proxies; transform.mjs exports its marker.

/// <reference path="./runtime.d.ts" />

/** 10 for ABI 0.1.0, 20 for 0.2.0, 21 for 0.2.1. */
export const ABI: i32 = isDefined(PROXY_WASM_ABI) ? PROXY_WASM_ABI : 21;
