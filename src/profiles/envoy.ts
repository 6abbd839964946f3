// Envoy, version by version, and Higress, which is built from it.
// Source: proxy-wasm-cpp-host; a running Envoy 1.40; WASI: a running Envoy 1.36.4, 1.37.0, 1.38.2, 1.39.3.

import { Status } from "../../assembly/abi.ts";
import { abiMarkers, envFunctions, hostFunction, wasiFunctions } from "./function-types.ts";
import type { HostProfile } from "./profile.ts";

/** Envoy 1.40. What this host does in its way stands in test/known-gaps.json. */
export const envoy: HostProfile = {
  title: "Envoy 1.40",
  markers: abiMarkers,
  env: envFunctions,
  aliases: {},
  wasi: wasiFunctions,
  wasiModules: ["wasi_snapshot_preview1", "wasi_unstable"],
  wasiErrors: {},
  notImplemented: [],
  providesMemory: true,
  requiredExports: [],
  neverCalled: [],
  missingSettings: [],
  rootId: "counted",
  endsRoots: true,
  startsReplacement: true,
  logCallbacks: ["on_log"],
  endCallbacks: ["on_done", "on_delete"],
  hostCallsBelongTo: "chosen",
  startCallsCrash: false,
  restrictsAllocator: true,
  trapsMisuse: false,
  allocatesNothing: false,
  noRoom: Status.InvalidMemoryAccess,
  mapWrites: undefined,
  mapReads: [],
  mostPairs: undefined,
  readOnlyHeaders: [],
  joinsHeaders: true,
  escapesHeaders: false,
  addsEnvoyHeaders: true,
  server: "envoy",
  missingMapValue: undefined,
  missingMapPairs: undefined,
  countsPseudoHeaders: true,
  responseTimeoutMs: undefined,
  endsWithHeaders: true,
  passesTrailers: true,
  readsWholeRequest: false,
  readableRequestBytes: undefined,
  responseBody: "envoy",
  responseBufferBytes: Infinity,
  readsFromStart: true,
  bodyReads: undefined,
  bodyWrites: undefined,
  keepsConfiguration: false,
  actions: "envoy",
  localReplies: "envoy",
  failurePolicy: "closed",
  reloadBackoffMs: 1000,
  failureStatus: 503,
  failsResponsesOpen: false,
  calloutsFrom: undefined,
  calloutHeaders: [":method", ":path", ":authority"],
  calloutTarget: "cluster",
  calloutFailure: "answer",
  calloutIds: [4, 4],
  resumes: "when asked",
  properties: "attributes",
  foreignFunctions: words(
    "compress uncompress verify_signature sign clear_route_cache set_envoy_filter_state declare_property expr_create " +
      "expr_evaluate expr_delete",
  ),
  foreignContext: "chosen",
  metrics: "envoy",
  sharedDataZones: undefined,
  casZeroOverwrites: true,
  queueZones: undefined,
  strictTicks: false,
};

/** WASI in Envoy 1.36 to 1.38, and what of it older ones have for certain. */
const wasi38 = pick(
  "args_get args_sizes_get clock_time_get environ_get environ_sizes_get fd_close fd_fdstat_get fd_fdstat_set_flags " +
    "fd_prestat_dir_name fd_prestat_get fd_read fd_seek fd_write path_open poll_oneoff proc_exit random_get sched_yield",
);
const wasi35 = without(wasi38, ["fd_fdstat_set_flags", "poll_oneoff", "sched_yield"]);

/** What each version lacks that the next one has, the newest first. */
const older: readonly (readonly [minor: number, delta: Partial<HostProfile>])[] = [
  [39, {}],
  [38, { wasi: wasi38 }],
  [37, {}],
  // `sign` came with 1.37, and the chosen context for foreign functions.
  [36, { foreignFunctions: envoy.foreignFunctions.filter((name) => name !== "sign"), foreignContext: "running" }],
  [35, { wasi: wasi35 }],
  [34, { missingSettings: ["allowOnHeadersStopIteration"] }],
  [33, {}],
];

/**
 * Envoy from 1.33 to 1.40, by version. They differ in WASI (up to 1.38 18 functions, up to 1.35 the 15 that are certain),
 * in foreign functions, and in `allow_on_headers_stop_iteration`, which is there from 1.35 on. All else is 1.40's.
 */
export const envoys: Readonly<Record<string, HostProfile>> = (() => {
  const all: Record<string, HostProfile> = { "1.40": envoy };
  let profile = envoy;
  for (const [minor, delta] of older) {
    profile = Object.assign({}, profile, delta, { title: `Envoy 1.${minor}` });
    all[`1.${minor}`] = profile;
  }
  return all;
})();

/**
 * Higress 2, an Envoy 1.36 with host calls of its own: a module can import those, and they answer Unimplemented here.
 * Source: higress-group/proxy-wasm-go-sdk, `abi_hostcalls.go`.
 */
export const higress: HostProfile = {
  ...envoys["1.36"]!,
  title: "Higress 2",
  markers: { ...abiMarkers, proxy_abi_version_0_2_100: "0.2.1" },
  env: {
    ...envFunctions,
    proxy_redis_init: hostFunction(7),
    proxy_redis_call: hostFunction(5),
    proxy_inject_encoded_data_to_filter_chain: hostFunction(3),
    proxy_get_upstream_hosts: hostFunction(2),
    proxy_set_upstream_override_host: hostFunction(2),
  },
};

function words(text: string): string[] {
  return text.split(" ");
}

function pick(names: string): HostProfile["wasi"] {
  return Object.fromEntries(words(names).map((name) => [name, wasiFunctions[name]!]));
}

function without(wasi: HostProfile["wasi"], names: readonly string[]): HostProfile["wasi"] {
  return Object.fromEntries(Object.entries(wasi).filter(([name]) => !names.includes(name)));
}
