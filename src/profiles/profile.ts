// What hosts differ in, as values that the host reads where it matters.

import type { Status } from "../../assembly/abi.ts";
import type { AbiVersion, HostFunction } from "./function-types.ts";
import type { Signature } from "../module/module.ts";

export type { AbiVersion, HostFunction, Signature };

/**
 * What a stream does when the filter has failed: `closed` ends it with a 503; `open` does so for those that the failed
 * filter was in, and leaves it out of new ones; `reload` starts a new VM for the next stream, not more often than the
 * back-off allows; `fail_open` is Envoy's deprecated switch, which lets every stream go on unfiltered.
 */
export type FailurePolicy = "closed" | "open" | "reload" | "fail_open";

/** A callback of a stream, or of a root context. */
export type HostPhase =
  | "on_context_create"
  | "on_vm_start"
  | "on_configure"
  | "on_tick"
  | "on_request_headers"
  | "on_request_body"
  | "on_request_trailers"
  | "on_request_metadata"
  | "on_response_headers"
  | "on_response_body"
  | "on_response_trailers"
  | "on_response_metadata"
  | "on_http_call_response"
  | "on_log"
  | "on_done"
  | "on_delete";

/** An option of `loadFilter` or of the proxy that not every host has. */
export type HostSetting = "allowOnHeadersStopIteration" | "failurePolicy" | "mainThread" | "reloadBackoffMs";

/**
 * What a host does in its own way. Every value can be given another in the option `host`:
 * `loadFilter(file, { host: { base: "nginx", sharedDataZones: ["*"] } })`.
 */
export interface HostProfile {
  /** What sentences call it: `Envoy 1.40`. */
  readonly title: string;

  /** The exports that say which version of the ABI a module is made for. */
  readonly markers: Readonly<Record<string, AbiVersion>>;
  /** The functions that a module can import from `env`, with their types. */
  readonly env: Readonly<Record<string, HostFunction>>;
  /** Functions of `env` that do what another does. */
  readonly aliases: Readonly<Record<string, string>>;
  /** The functions of WASI that it can import. */
  readonly wasi: Readonly<Record<string, Signature>>;
  /** The modules that WASI's functions stand under. */
  readonly wasiModules: readonly string[];
  /** What functions of WASI answer there, by name, where it is another errno than in Envoy. */
  readonly wasiErrors: Readonly<Record<string, number>>;
  /** Functions that a module can import and that end the VM when they are called. */
  readonly notImplemented: readonly string[];
  /** Whether a module can import a memory and tables. */
  readonly providesMemory: boolean;
  /** What a module has to export beside an allocator. */
  readonly requiredExports: readonly string[];
  /** Exports that are never called. */
  readonly neverCalled: readonly string[];
  /** The settings that it does not have: a `TypeError` when they are given. */
  readonly missingSettings: readonly HostSetting[];

  /** How the number of a root context comes about: counted, or a hash of name, configuration and place. */
  readonly rootId: "counted" | "crc32";
  /** Whether a root context hears that it ends: on_done, on_delete. */
  readonly endsRoots: boolean;
  /** Whether a VM that takes the place of one that has failed hears on_vm_start. */
  readonly startsReplacement: boolean;
  /** The callbacks of a stream that is logged, in order. */
  readonly logCallbacks: readonly ("on_log" | "on_done")[];
  /** The callbacks thereafter, in order. */
  readonly endCallbacks: readonly ("on_done" | "on_delete")[];
  /** Whose host calls are: of the context that the filter has chosen (`chosen`), or of the one whose callback runs. */
  readonly hostCallsBelongTo: "chosen" | "running";
  /** Whether host calls in start functions end the host's process; otherwise some are allowed, and the rest end the VM. */
  readonly startCallsCrash: boolean;
  /** Whether only few host calls are allowed while the host itself calls the allocator. */
  readonly restrictsAllocator: boolean;

  /** Whether misuse ends the VM: an address outside of the memory, a call at the wrong time, a name that nobody knows. */
  readonly trapsMisuse: boolean;
  /** Whether the allocator is asked for no bytes when a header, a property or shared data are empty. */
  readonly allocatesNothing: boolean;
  /** What a call answers when the allocator gives no place. */
  readonly noRoom: Status;

  /** When header maps can be changed, by their number; undefined when they come and go as in Envoy. */
  readonly mapWrites: Readonly<Record<number, readonly HostPhase[]>> | undefined;
  /** Header maps that a filter can read at any time in a stream, by their number. */
  readonly mapReads: readonly number[];
  /** The most entries of a header map that a filter is shown; undefined for no limit. */
  readonly mostPairs: number | undefined;
  /** Request headers that cannot be changed: the change is left out, and is Ok. */
  readonly readOnlyHeaders: readonly string[];
  /** Whether a second value of a well-known header is joined to the first with a comma. */
  readonly joinsHeaders: boolean;
  /** Whether control characters in values that a filter sets become `%0A` and the like. */
  readonly escapesHeaders: boolean;
  /** Whether it adds Envoy's own headers to messages: `x-request-id`, `x-forwarded-proto`, `x-envoy-…`. */
  readonly addsEnvoyHeaders: boolean;
  /** The header `server` of responses. */
  readonly server: string;

  /** What reading one value of a header map answers when the map is not there; undefined as in Envoy. */
  readonly missingMapValue: Status | undefined;
  /** What reading all of it answers then; undefined as in Envoy. */
  readonly missingMapPairs: Status | undefined;
  /** Whether the number of headers that a callback is told counts pseudo headers. */
  readonly countsPseudoHeaders: boolean;

  /** Milliseconds that an upstream has for its response; undefined for what Envoy's router gives it. */
  readonly responseTimeoutMs: bigint | undefined;

  /** Whether headers callbacks hear that nothing follows. */
  readonly endsWithHeaders: boolean;
  /** Whether trailers go through; otherwise they are lost. */
  readonly passesTrailers: boolean;
  /** Whether the request goes upstream only when its body is complete, which then comes to the filter in one callback. */
  readonly readsWholeRequest: boolean;
  /** The most bytes of a request body that a filter can read: a longer one lies in a file; undefined for no limit. */
  readonly readableRequestBytes: number | undefined;
  /**
   * How a response body ends and is held. `envoy`: with its last piece; Pause holds one piece after the other, which
   * the filter sees. `nginx`: with the piece that is as long as content-length says, or the last; Pause collects up to
   * `responseBufferBytes`, out of the filter's sight, and once.
   */
  readonly responseBody: "envoy" | "nginx";
  /** See `responseBody`. */
  readonly responseBufferBytes: number;
  /** Whether the place in a body from which `proxy_get_buffer_bytes` is to read counts, and what it writes for no bytes. */
  readonly readsFromStart: boolean;
  /** The callbacks in which each body can be read and changed, by its number; undefined when bodies are Envoy's. */
  readonly bodyReads: Readonly<Record<number, readonly HostPhase[]>> | undefined;
  /** As `bodyReads`. */
  readonly bodyWrites: Readonly<Record<number, readonly HostPhase[]>> | undefined;
  /** Whether the plugin's configuration can be read at any time. */
  readonly keepsConfiguration: boolean;
  /** What answers mean: Envoy's tables, or 0 and 1 alone, where 1 holds a request, and everything else fails the stream. */
  readonly actions: "envoy" | "continue or pause";

  /** How a filter's own reply is sent: through the filters; or once, with a line feed behind its body. */
  readonly localReplies: "envoy" | "nginx";
  /** What becomes of streams when their filter has failed, and of the filter, unless options say otherwise. */
  readonly failurePolicy: FailurePolicy;
  /** Milliseconds between two reloads of a filter that has failed, unless options say otherwise. */
  readonly reloadBackoffMs: number;
  /** What a stream gets whose filter has failed, as a status code. */
  readonly failureStatus: number;
  /** Whether a response goes on unfiltered when its filter fails in a response callback. */
  readonly failsResponsesOpen: boolean;

  /** The callbacks in which a callout can be sent; undefined for all. */
  readonly calloutsFrom: readonly HostPhase[] | undefined;
  /** The pseudo headers that a callout needs. */
  readonly calloutHeaders: readonly string[];
  /** What names a callout's target: a cluster of the configuration, or a host and port, which is looked up later. */
  readonly calloutTarget: "cluster" | "host";
  /** How a callout says that it failed: an answer of the host's own (503, 504), or none and `:dispatch_status`. */
  readonly calloutFailure: "answer" | ":dispatch_status";
  /** The number of the first HTTP callout, and what each further one adds. */
  readonly calloutIds: readonly [first: number, step: number];
  /** When a held request goes on: when the filter says so, or by itself when the last callout of its stream is done. */
  readonly resumes: "when asked" | "after callouts";

  /** What properties are: Envoy's attributes in their types, or these names, as text. */
  readonly properties: "attributes" | TextProperties;
  /** The foreign functions that it has by itself. */
  readonly foreignFunctions: readonly string[];
  /** The context that foreign functions work for when the filter has chosen another than the running one. */
  readonly foreignContext: "chosen" | "running";
  /** How metrics are kept: Envoy's way, or with a hash of the name as id and no word about mistakes but a trap. */
  readonly metrics: "envoy" | "nginx";
  /** The zones that shared data can lie in, `*` for keys that name none; undefined when no zone is needed. */
  readonly sharedDataZones: readonly string[] | undefined;
  /** Whether a `cas` of 0 overwrites; otherwise it only sets what is not there. */
  readonly casZeroOverwrites: boolean;
  /** The names that queues can have; undefined for any. */
  readonly queueZones: readonly string[] | undefined;
  /** Whether only a root context can tick, and a period must be stopped before another is set. */
  readonly strictTicks: boolean;
}

/** Properties of a host that gives everything as text. */
export interface TextProperties {
  /** Envoy's attributes that it has, by path, and the form of each. `*` stands for any name. */
  readonly names: Readonly<Record<string, TextForm>>;
  /** The first segment of the properties that a filter can set for its stream. */
  readonly own: string;
  /** The first segment of the host's variables. */
  readonly variables: string;
}

/** `text` for text and decimal numbers, `seconds` for durations and times with milliseconds behind a point. */
export type TextForm = "text" | "seconds" | "address" | "root id";
