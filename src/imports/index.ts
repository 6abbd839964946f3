// The import object of a module: every host call, wrapped so that its answer becomes a number and leaves a trace.

import { Status } from "../../assembly/abi.ts";
import type { HostContext } from "../contexts/context.ts";
import { Gap, LoadError, Misuse } from "../error.ts";
import type { Host, Plugin } from "../contexts/plugin.ts";
import type { HostProfile } from "../profiles/profile.ts";
import type { Vm } from "../module/vm.ts";
import { bufferCalls } from "./buffers.ts";
import { calloutCalls } from "./callouts.ts";
import { clockCalls } from "./clock.ts";
import { contextCalls } from "./contexts.ts";
import { dnsCalls } from "./dns.ts";
import type { HostCall } from "./families.ts";
import { grpcCalls } from "./grpc.ts";
import { foreignCalls } from "./foreign.ts";
import { headerCalls } from "./headers.ts";
import { logCalls } from "./log.ts";
import { metricCalls } from "./metrics.ts";
import { propertyCalls } from "./properties.ts";
import { queueCalls } from "./queues.ts";
import { sharedDataCalls } from "./shared-data.ts";
import { envFunctions, wasiFunctions } from "../profiles/function-types.ts";
import { streamCalls } from "./stream.ts";
import { wasiCalls } from "./wasi.ts";

const families = [
  logCalls,
  clockCalls,
  contextCalls,
  bufferCalls,
  headerCalls,
  propertyCalls,
  streamCalls,
  metricCalls,
  sharedDataCalls,
  queueCalls,
  calloutCalls,
  grpcCalls,
  foreignCalls,
  dnsCalls,
];

/** What may be called from the start functions and from an allocator; everything else fails the VM there. */
const allowed: Record<"start" | "malloc", ReadonlySet<string>> = {
  start: new Set([
    "proxy_log",
    "emscripten_notify_memory_growth",
    ...Object.keys(wasiFunctions).filter(
      (name) => !["fd_read", "fd_seek", "fd_close", "path_open", "sched_yield", "proc_exit"].includes(name),
    ),
  ]),
  malloc: new Set(["proxy_log", "fd_write", "clock_time_get", "poll_oneoff"]),
};

/** The imports of an instance of the module in this plugin. */
export function makeImports(plugin: Plugin, vm: Vm<HostContext>): WebAssembly.Imports {
  // Plugins may share the VM: a line goes to the log of the one whose context it is.
  const log: Host["log"] = (entry, context) => (context?.plugin ?? plugin).host.log(entry, context);
  const host: Host = { ...plugin.host, log };
  const surroundings = { vm, plugin, host };
  const calls: Record<string, HostCall> = Object.assign({}, ...families.map((family) => family(surroundings)));
  const { profile } = host.proxy;
  const env: Record<string, WebAssembly.ImportValue> = {};
  for (const name of Object.keys(profile.env)) {
    const call = calls[profile.aliases[name] ?? name] ?? missing(name);
    env[name] = wrap(name, profile.notImplemented.includes(name) ? ending(name, profile) : call, plugin, vm);
  }
  env["pthread_equal"] = (a: number, b: number) => (a === b ? 1 : 0);
  env["emscripten_notify_memory_growth"] = () => {};
  const wasi: Record<string, WebAssembly.ImportValue> = {};
  for (const [name, ours] of Object.entries(wasiCalls(surroundings))) {
    const errno = profile.wasiErrors[name];
    const answer = errno === undefined ? ours : () => errno;
    const call = profile.notImplemented.includes(name) ? ending(name, profile) : answer;
    wasi[name] = (...args: (number | bigint)[]) => {
      guard(name, vm, profile);
      return call(...(unsigned(args) as never[]));
    };
  }
  return { env, wasi_snapshot_preview1: wasi, wasi_unstable: wasi };
}

function wrap(name: string, call: HostCall, plugin: Plugin, vm: Vm<HostContext>): WebAssembly.ImportValue {
  const isLog = name === "proxy_log";
  const { profile } = plugin.host.proxy;
  return (...args: (number | bigint)[]): number => {
    guard(name, vm, profile);
    const context = vm.context;
    if (!context && !isLog) throw new Error(`${name} was called outside of any callback`);
    const fault = (context?.plugin ?? plugin).host.fault(name);
    const refusal = fault ?? call(...(unsigned(args) as never[]));
    if (refusal && !fault && profile.trapsMisuse && refusal instanceof Misuse) {
      throw new Error(`${name} ended the VM, as ${profile.title} does: ${refusal.reason}`);
    }
    if (!isLog || refusal) {
      const status = refusal?.status ?? Status.Ok;
      context?.trace.push({ kind: "call", name, status, reason: refusal?.reason });
    }
    if (!refusal) return Status.Ok;
    (context?.plugin ?? plugin).host.refused(name, refusal);
    return refusal.status;
  };
}

/** A call that this host does not have, although a module can import it. */
function ending(name: string, { title }: HostProfile): () => never {
  return () => {
    throw new Error(`${name} ended the VM: ${title} lets a module import it, and has not implemented it`);
  };
}

function guard(name: string, vm: Vm<HostContext>, profile: HostProfile): void {
  if (!vm.memory) {
    throw new LoadError(
      `the module calls ${name} in its start section, before it has a context: Envoy crashes (SIGSEGV). ` +
        'Export the start function instead (asc: "exportStart": "_initialize").',
    );
  }
  if (!vm.restricted) return;
  if (vm.restricted === "start" && profile.startCallsCrash) {
    if (!name.startsWith("proxy_")) return;
    throw new Error(`it calls ${name}, and ${profile.title} crashes at a host call from a start function`);
  }
  if (vm.restricted === "malloc" && !profile.restrictsAllocator) return;
  // The words that Envoy's log has for it.
  if (!allowed[vm.restricted].has(name)) throw new Error(`restricted_callback: ${name}`);
}

// JavaScript sees i32 as signed.
function unsigned(args: (number | bigint)[]): (number | bigint)[] {
  for (let i = 0; i < args.length; i++) {
    const value = args[i]!;
    if (typeof value === "number") args[i] = value >>> 0;
  }
  return args;
}

function missing(name: string): HostCall {
  const what = Object.hasOwn(envFunctions, name) ? name : "host calls of other hosts";
  return () => new Gap(what, `this host does not offer ${name} yet`);
}
