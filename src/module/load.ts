// Whether a proxy would take a module, and what stands in its way. The checks and their order are Envoy's.
// Source: proxy-wasm-cpp-host src/v8/v8.cc, src/wasm.cc; what a running Envoy 1.40 refused.

import { LoadError } from "../error.ts";
import type { Limits } from "../limits.ts";
import { type LimitedModule, limitMemory } from "./memory-limit.ts";
import { type AbiVersion, callbackSignatures, envFunctions } from "../profiles/function-types.ts";
import { inspectModule, type ModuleInfo, type Signature } from "./module.ts";
import { envoy } from "../profiles/envoy.ts";
import type { HostProfile } from "../profiles/profile.ts";
import { provision, type Provision } from "./provided.ts";

/** A module that a proxy takes, with its memory limited. */
export interface CheckedModule extends LimitedModule {
  readonly info: ModuleInfo;
  readonly abi: AbiVersion;
  readonly provide: Provision;
}

/** A compiled module. */
export interface LoadedModule {
  readonly module: WebAssembly.Module;
  readonly abi: AbiVersion;
  /** Makes what it imports beside functions. */
  readonly provide: Provision;
}

/** Checks a module; a `LoadError` says what is wrong. `name` stands in it. */
export async function checkModule(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  limits: Limits,
  host: HostProfile,
): Promise<CheckedModule> {
  await checkValid(bytes, name);
  const info = inspectModule(bytes);
  const abi = abiOf(info, name, host);
  checkImports(info, abi, name, host);
  checkExports(info, abi, name, host);
  const provide = provision(info, limits.memoryPages, name);
  return { ...limitMemory(bytes, limits.memoryPages, name), info, abi, provide };
}

/** Compiles a module that has been checked. */
export async function compileModule({ bytes, abi, provide }: CheckedModule): Promise<LoadedModule> {
  return { module: await WebAssembly.compile(bytes), abi, provide };
}

/** Throws a `LoadError` when these are not the bytes of a valid module. */
export async function checkValid(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<void> {
  if (!bytes.length) throw new LoadError(`${name} is empty; a compiled filter was expected`);
  if (bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) {
    throw new LoadError(`${name} is no WebAssembly module: it does not begin with "\\0asm"; give the compiled filter`);
  }
  if (WebAssembly.validate(bytes)) return;
  try {
    // Says where the fault is, unlike `validate`.
    await WebAssembly.compile(bytes);
  } catch (error) {
    throw new LoadError(`${name} is no valid WebAssembly module: ${(error as Error).message}`, { cause: error });
  }
}

function abiOf(info: ModuleInfo, name: string, { markers }: HostProfile): AbiVersion {
  const marker = info.exports.find((item) => item.kind === "function" && Object.hasOwn(markers, item.name));
  if (marker) return markers[marker.name]!;
  throw new LoadError(
    `${name} is no proxy-wasm filter: it exports none of ${Object.keys(markers).join(", ")}. ` +
      'A filter of this SDK gets its exports from "extends": "proxy-wasm/asconfig.json" in asconfig.json.',
  );
}

function checkImports(info: ModuleInfo, abi: AbiVersion, name: string, host: HostProfile): void {
  const problems = info.imports.flatMap((item) => {
    if (item.limits && host.providesMemory) return [];
    const offered = item.kind === "function" ? offeredSignature(item.module, item.name, abi, host) : undefined;
    const wanted = item.signature ?? item.kind;
    if (offered === undefined)
      return [`${item.module}.${item.name} (${wanted}) is missing${importHint(item.name, abi, host.env)}`];
    if (offered !== wanted) return [`${item.module}.${item.name} is ${offered}, the module wants ${wanted}`];
    return [];
  });
  if (problems.length) {
    const who = host === envoy ? "no proxy offers" : `${host.title} does not offer`;
    throw new LoadError(`${name} imports what ${who} to ABI ${abi}: ${problems.join("; ")}`);
  }
}

function offeredSignature(
  module: string,
  name: string,
  abi: AbiVersion,
  { env, wasi, wasiModules }: HostProfile,
): Signature | undefined {
  if (wasiModules.includes(module)) return Object.hasOwn(wasi, name) ? wasi[name] : undefined;
  if (module !== "env" || !Object.hasOwn(env, name)) return undefined;
  const call = env[name]!;
  return call.versions.includes(abi) ? call.signature : undefined;
}

/** What to do about a function that is missing among these, in brackets, or nothing. */
export function importHint(name: string, abi: AbiVersion, env: HostProfile["env"] = envFunctions): string {
  if (name === "abort") return ' (compile with "use": ["abort=~lib/proxy-wasm/assembly/abort/abort"])';
  const versions = Object.hasOwn(env, name) ? env[name]!.versions : [];
  return versions.length && !versions.includes(abi) ? ` (it belongs to ABI ${versions.join(", ")})` : "";
}

function checkExports(info: ModuleInfo, abi: AbiVersion, name: string, host: HostProfile): void {
  const functions = new Map(
    info.exports.flatMap((item) => (item.kind === "function" ? [[item.name, item.signature!] as const] : [])),
  );
  if (!functions.has("malloc") && !functions.has("proxy_on_memory_allocate")) {
    throw new LoadError(`${name} exports no allocator: malloc, or proxy_on_memory_allocate, of type i32 -> i32`);
  }
  const absent = host.requiredExports.filter((required) => !functions.has(required));
  if (absent.length)
    throw new LoadError(`${name} does not export ${absent.join(", ")}, which ${host.title} insists on`);
  for (const [callback, signature] of functions) {
    const wanted = callbackSignature(callback, abi);
    if (wanted !== undefined && signature !== wanted) {
      throw new LoadError(`${name} exports ${callback} as ${signature}; a proxy calls it as ${wanted}`);
    }
  }
}

/** The type that a proxy calls a callback with, or undefined when there is no such callback. */
export function callbackSignature(callback: string, abi: AbiVersion): Signature | undefined {
  if (abi === "0.1.0" && /^proxy_on_(request|response)_headers$/.test(callback)) return "i32 i32 -> i32";
  return Object.hasOwn(callbackSignatures, callback) ? callbackSignatures[callback] : undefined;
}
