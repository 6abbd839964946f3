// The import object of a module: every host call, wrapped so that its answer becomes a number and leaves a trace.

import { Status } from "../../assembly/abi.ts";
import type { HostContext } from "../context.ts";
import { LoadError, Refusal } from "../error.ts";
import type { Host, Plugin } from "../plugin.ts";
import type { Vm } from "../vm.ts";
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
import { envFunctions, wasiFunctions } from "./signatures.ts";
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
  const env: Record<string, WebAssembly.ImportValue> = {};
  for (const name of Object.keys(envFunctions)) env[name] = wrap(name, calls[name] ?? missing(name), plugin, vm);
  env["pthread_equal"] = (a: number, b: number) => (a === b ? 1 : 0);
  env["emscripten_notify_memory_growth"] = () => {};
  const wasi: Record<string, WebAssembly.ImportValue> = {};
  for (const [name, call] of Object.entries(wasiCalls(surroundings))) {
    wasi[name] = (...args: (number | bigint)[]) => {
      guard(name, vm);
      return call(...(unsigned(args) as never[]));
    };
  }
  return { env, wasi_snapshot_preview1: wasi, wasi_unstable: wasi };
}

/** The host calls that this host answers; the others of `env` answer Unimplemented. */
export function implementedCalls(plugin: Plugin, vm: Vm<HostContext>): string[] {
  return families.flatMap((family) => Object.keys(family({ vm, plugin, host: plugin.host })));
}

function wrap(name: string, call: HostCall, plugin: Plugin, vm: Vm<HostContext>): WebAssembly.ImportValue {
  const isLog = name === "proxy_log";
  return (...args: (number | bigint)[]): number => {
    guard(name, vm);
    const context = vm.context;
    if (!context && !isLog) throw new Error(`${name} was called outside of any callback`);
    const refusal = (context?.plugin ?? plugin).host.fault(name) ?? call(...(unsigned(args) as never[]));
    if (!isLog || refusal) {
      const status = refusal?.status ?? Status.Ok;
      context?.trace.push({ kind: "call", name, status, reason: refusal?.reason });
    }
    if (!refusal) return Status.Ok;
    (context?.plugin ?? plugin).host.refused(name, refusal);
    return refusal.status;
  };
}

function guard(name: string, vm: Vm<HostContext>): void {
  if (!vm.memory) {
    throw new LoadError(
      `the module calls ${name} in its start section, before it has a context: Envoy crashes (SIGSEGV). ` +
        'Export the start function instead (asc: "exportStart": "_initialize").',
    );
  }
  // The words that Envoy's log has for it.
  if (vm.restricted && !allowed[vm.restricted].has(name)) throw new Error(`restricted_callback: ${name}`);
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
  return () => new Refusal(Status.Unimplemented, `this host does not offer ${name} yet (test/known-gaps.json)`);
}
