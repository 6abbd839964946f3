// What Node brings and a browser does not: found when it is asked for, so that nothing imports it.

import type * as Crypto from "node:crypto";
import type * as Fs from "node:fs";
import type * as Inspector from "node:inspector";
import type * as Url from "node:url";
import type * as Vm from "node:vm";
import type * as WorkerThreads from "node:worker_threads";
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

/** Files, where there is Node; undefined elsewhere. */
export function nodeFs(): typeof Fs | undefined {
  return globalThis.process?.getBuiltinModule?.("node:fs");
}

/** Addresses of files, where there is Node; undefined elsewhere. */
export function nodeUrl(): typeof Url | undefined {
  return globalThis.process?.getBuiltinModule?.("node:url");
}

/** Scripts that can be interrupted, where there is Node; undefined elsewhere. */
export function nodeVm(): typeof Vm | undefined {
  return globalThis.process?.getBuiltinModule?.("node:vm");
}

/** Threads, where there is Node; undefined elsewhere. */
export function nodeThreads(): typeof WorkerThreads | undefined {
  return globalThis.process?.getBuiltinModule?.("node:worker_threads");
}

/** The debugger's side, where there is Node; undefined elsewhere. */
export function nodeInspector(): typeof Inspector | undefined {
  return globalThis.process?.getBuiltinModule?.("node:inspector");
}
