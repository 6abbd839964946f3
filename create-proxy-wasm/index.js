#!/usr/bin/env node
// `npm create proxy-wasm`: the same as `proxy-wasm init`.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const manifest = require.resolve("proxy-wasm/package.json");
process.argv.splice(2, 0, "init");
await import(pathToFileURL(join(manifest, "..", require(manifest).bin["proxy-wasm"])).href);
