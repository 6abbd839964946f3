// What Node brings and a browser does not: found when it is asked for, so that nothing imports it.

import type * as Crypto from "node:crypto";
import type * as Zlib from "node:zlib";

export type { KeyObject } from "node:crypto";

/** Compression, where there is Node; undefined elsewhere. */
export function nodeZlib(): typeof Zlib | undefined {
  return globalThis.process?.getBuiltinModule?.("node:zlib");
}

/** Signatures, where there is Node; undefined elsewhere. */
export function nodeCrypto(): typeof Crypto | undefined {
  return globalThis.process?.getBuiltinModule?.("node:crypto");
}
