// What each proxy takes, as data: the functions that it offers, the exports that it insists on, its limits, and what
// links there without doing anything. Sources stand with each table.

import { type AbiVersion, envFunctions, wasiFunctions } from "../profiles/function-types.ts";
import type { Signature } from "../module/module.ts";
import { envoys as envoyProfiles, higress as higressProfile } from "../profiles/envoy.ts";
import { nginx as nginxProfile } from "../profiles/nginx.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** The types of functions, by name. */
type Functions = Readonly<Record<string, Signature>>;

/** A proxy, in a version, and what it takes. */
export interface Target {
  /** What it is called on the command line: `istio-1.30`. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  /** The exports that tell it the version of the ABI; undefined where it does not look. */
  readonly markers: Readonly<Record<string, AbiVersion>> | undefined;
  /** What a module of this version of the ABI can import, by the module's name. */
  functions(abi: AbiVersion): Readonly<Record<string, Functions>>;
  /** The exports of which one has to be there to get memory from, in the order in which they are looked up. */
  readonly allocators: readonly string[];
  /** The exports that it runs first, in the order in which they are looked up. */
  readonly starts: readonly string[];
  /** What else a module has to export. */
  readonly required: readonly string[];
  /** Whether it makes the memory and the tables that a module imports. */
  readonly makesMemory: boolean;
  /** Whether it compares the types of callbacks with its own before it takes a module. */
  readonly comparesCallbacks: boolean;
  /** The most bytes of a module. */
  readonly moduleBytes: number | undefined;
  /** The most pages of memory that a module can begin with. */
  readonly memoryPages: number;
  /** Callbacks that it never calls, though a module may export them; and in its words, why. */
  readonly ignored: Readonly<Record<string, string>>;
  /** Functions that a module may import and that do not do there what they are for. */
  readonly idle: Readonly<Record<string, string>>;
  /** What is different there for every module. */
  readonly notes: readonly string[];
}

const MEBIBYTE = 1024 * 1024;

/** The same for each of these names. */
function each(names: readonly string[], reason: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** What a host offers to a module of a version of the ABI. */
function functionsOf({ env: functions, wasi, wasiModules }: HostProfile): Target["functions"] {
  return (abi) => {
    const offered = Object.entries(functions).filter(([, { versions }]) => versions.includes(abi));
    return {
      env: Object.fromEntries(offered.map(([name, { signature }]) => [name, signature])),
      ...Object.fromEntries(wasiModules.map((module) => [module, wasi])),
    };
  };
}

/** Every function of `env`, whichever version of the ABI has it. */
const env: Functions = Object.fromEntries(
  Object.entries(envFunctions).map(([name, { signature }]) => [name, signature]),
);

const without = (table: Functions, names: readonly string[]): Functions =>
  Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)));

const tcpCallbacks = words(`proxy_on_new_connection proxy_on_downstream_data proxy_on_upstream_data
  proxy_on_downstream_connection_close proxy_on_upstream_connection_close`);
const trailerCallbacks = words("proxy_on_request_trailers proxy_on_response_trailers");
const metadataCallbacks = words("proxy_on_request_metadata proxy_on_response_metadata");
const grpcCallbacks = words(`proxy_on_grpc_receive_initial_metadata proxy_on_grpc_receive
  proxy_on_grpc_receive_trailing_metadata proxy_on_grpc_close`);
const envoyCallbacks = words("envoy_on_resolve_dns envoy_on_stats_update");
const queueCalls = words(`proxy_register_shared_queue proxy_resolve_shared_queue proxy_enqueue_shared_queue
  proxy_dequeue_shared_queue`);
const sharedDataCalls = words("proxy_get_shared_data proxy_set_shared_data");
const grpcCalls = words(`proxy_grpc_call proxy_grpc_stream proxy_grpc_send proxy_grpc_cancel proxy_grpc_close`);
const metricCalls = words(`proxy_define_metric proxy_increment_metric proxy_record_metric proxy_get_metric`);

/** What a host takes, as its profile says, with the limits of proxy-wasm-cpp-host. */
function hostTarget(id: string, name: string, profile: HostProfile): Target {
  return {
    id,
    name,
    markers: profile.markers,
    functions: functionsOf(profile),
    allocators: ["malloc", "proxy_on_memory_allocate"],
    starts: ["_initialize", "_start"],
    required: profile.requiredExports,
    makesMemory: profile.providesMemory,
    comparesCallbacks: true,
    moduleBytes: undefined,
    memoryPages: 16384,
    ignored: {},
    idle: {},
    notes: [],
  };
}

/** Envoy. Run: modules that import everything, in 1.36.4, 1.37.0, 1.38.2, 1.39.3, 1.40.0. */
const envoys = ["1.40", "1.39", "1.38", "1.37", "1.36"].map((version) =>
  hostTarget(`envoy-${version}`, `Envoy ${version}`, envoyProfiles[version]!),
);

/** A control plane that runs one of these, and takes modules up to 256 MiB. */
function gateway(id: string, name: string, envoy: string): Target {
  return { ...envoys.find((one) => one.id === envoy)!, id, name, moduleBytes: 256 * MEBIBYTE };
}

/** The Envoy in each release. Source: istio.io "Supported Envoy Versions", which go up one by one. */
const istios = [
  gateway("istio-1.31", "Istio 1.31", "envoy-1.39"),
  gateway("istio-1.30", "Istio 1.30", "envoy-1.38"),
  gateway("istio-1.29", "Istio 1.29", "envoy-1.37"),
  gateway("istio-1.28", "Istio 1.28", "envoy-1.36"),
];

/** Source: `DefaultEnvoyProxyImage` of each release of envoyproxy/gateway. */
const envoyGateways = [
  gateway("envoy-gateway-1.9", "Envoy Gateway 1.9", "envoy-1.39"),
  gateway("envoy-gateway-1.8", "Envoy Gateway 1.8", "envoy-1.38"),
  gateway("envoy-gateway-1.7", "Envoy Gateway 1.7", "envoy-1.37"),
  gateway("envoy-gateway-1.6", "Envoy Gateway 1.6", "envoy-1.36"),
];

const i32 = (parameters: number): Signature => `${Array<string>(parameters).fill("i32").join(" ")} -> i32`;

const higress: Target = {
  ...hostTarget("higress-2", "Higress 2", higressProfile),
  moduleBytes: 256 * MEBIBYTE,
};

const notInAnyNginx = words(`proxy_get_buffer_status proxy_get_header_map_size pthread_equal envoy_resolve_dns
  emscripten_notify_memory_growth`);
const notInNginx = "not implemented there: the call ends the request with an error";

/** Kong 3.9 is built with it. */
function nginx(id: string, name: string): Target {
  return {
    ...hostTarget(id, name, nginxProfile),
    memoryPages: 65536,
    ignored: {
      ...each(tcpCallbacks, "HTTP only"),
      ...each(envoyCallbacks, "Envoy only"),
      ...each([...trailerCallbacks, ...metadataCallbacks], "trailers and metadata are not shown to filters"),
      ...each(grpcCallbacks, "no gRPC callouts"),
      proxy_on_queue_ready: "no word of new items: ask the queue",
    },
    idle: {
      ...each(nginxProfile.notImplemented, notInNginx),
      proxy_call_foreign_function: "only resolve_lua",
    },
    notes: ["what Envoy answers with a status often ends the request here"],
  };
}

/** Source: api7/wasm-nginx-module, `ngx_http_wasm_api_def.h`, `ngx_http_wasm_module.c`, `vm/wasmtime.c`. */
const apisix: Target = {
  ...nginx("apisix", "Apache APISIX"),
  markers: undefined,
  functions: () => ({
    env: {
      ...without(env, [...notInAnyNginx, "proxy_get_log_level"]),
      proxy_send_http_response: i32(8),
      proxy_get_metric: "i32 i64 -> i32",
    },
    wasi_snapshot_preview1: wasiFunctions,
  }),
  allocators: ["proxy_on_memory_allocate"],
  starts: ["_start"],
  required: ["memory"],
  comparesCallbacks: false,
  ignored: {
    ...each([...tcpCallbacks, ...trailerCallbacks, ...metadataCallbacks, ...envoyCallbacks], "not called"),
    ...each(
      [...grpcCallbacks, "proxy_on_queue_ready", "proxy_on_tick", "proxy_on_log", "proxy_on_vm_start"],
      "not called",
    ),
  },
  idle: {
    ...each(
      [
        ...grpcCalls,
        ...queueCalls,
        ...sharedDataCalls,
        ...words(`proxy_done proxy_get_status proxy_continue_request proxy_continue_response proxy_clear_route_cache
          proxy_set_header_map_pairs`),
      ],
      "answers Ok and does nothing",
    ),
  },
  notes: ["a body is given only when the filter has set the property wasm_process_req_body or wasm_process_resp_body"],
};

/** Source: Google Cloud "Service Extensions", plugins: supported ABI, limits. */
const google: Target = {
  ...hostTarget("google", "Google Cloud Service Extensions", envoyProfiles["1.40"]!),
  moduleBytes: 5 * MEBIBYTE,
  memoryPages: 256,
  ignored: {
    ...each([...tcpCallbacks, ...metadataCallbacks, ...grpcCallbacks, ...envoyCallbacks], "not supported"),
    ...each(words("proxy_on_tick proxy_on_queue_ready proxy_on_http_call_response"), "not supported"),
  },
  idle: {
    ...each([...grpcCalls, ...queueCalls, ...sharedDataCalls, ...metricCalls], "not supported"),
    ...each(words("proxy_http_call proxy_set_tick_period_milliseconds proxy_call_foreign_function"), "not supported"),
    ...each(words("proxy_continue_stream proxy_continue_request proxy_continue_response"), "not supported"),
    proxy_set_property: "not supported",
  },
  notes: [
    "Action.Pause is taken for Action.Continue",
    "module and configuration have 5 MiB, the VM 16 MiB, a callback 1 ms",
  ],
};

/** Source: G-Core/fastedge-test, `HostFunctions.ts`, `hostFunctions.ts`; G-Core/proxy-wasm-sdk-as. */
const fastEdge: Target = {
  ...hostTarget("fastedge", "Gcore FastEdge", envoyProfiles["1.40"]!),
  functions: () => ({
    env: {
      ...without(env, [
        ...metricCalls,
        ...words("proxy_get_configuration proxy_continue_request proxy_continue_response proxy_clear_route_cache"),
        ...words("pthread_equal emscripten_notify_memory_growth envoy_resolve_dns"),
      ]),
      proxy_set_log_level: "i32 -> i32",
      proxy_get_secret: i32(4),
      proxy_get_effective_at_secret: i32(5),
      proxy_secret_get: i32(4),
      proxy_dictionary_get: i32(4),
    },
    wasi_snapshot_preview1: wasiFunctions,
  }),
  makesMemory: false,
  moduleBytes: 100 * MEBIBYTE,
  ignored: {
    ...each([...tcpCallbacks, ...metadataCallbacks, ...trailerCallbacks, ...grpcCallbacks], "not called"),
    ...each(envoyCallbacks, "not called"),
    ...each(words("proxy_on_tick proxy_on_queue_ready proxy_on_done proxy_on_log"), "not called"),
  },
  idle: {
    ...each([...grpcCalls, ...queueCalls, ...sharedDataCalls], "without effect"),
    proxy_set_tick_period_milliseconds: "no ticks",
    proxy_continue_stream: "without effect: the callback runs again when the callout has its answer",
  },
  notes: ["each callback runs in a new instance: what is kept in memory is gone in the next one"],
};

/** Every target, the newest of a family first. */
export const targets: readonly Target[] = [
  ...envoys,
  ...istios,
  ...envoyGateways,
  higress,
  nginx("kong-3.9", "Kong Gateway 3.9"),
  nginx("nginx", "nginx with ngx_wasm_module"),
  apisix,
  google,
  fastEdge,
];

/** The targets of a name: one, or all versions of a family (`istio`); none when nothing is called so. */
export function targetsOf(name: string): Target[] {
  return targets.filter(({ id }) => id === name || familyOf(id) === name);
}

/** What a target is called without its version. */
export function familyOf(id: string): string {
  return id.replace(/-[\d.]+$/, "");
}
