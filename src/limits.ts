// The bounds that keep a filter from harming its host. Each is Envoy's where Envoy has one. Where it has none, a filter
// could fill the host, as it could fill Envoy: what goes beyond is refused with InternalFailure and a sentence.

import { Status } from "../assembly/abi.ts";
import { Refusal } from "./error.ts";

/** The bounds of a host; every one can be set in the options of `loadFilter`. */
export interface Limits {
  /** Bytes of a body that a stream holds back before it fails (413, 500) or stops reading. Envoy: 1 MiB. */
  readonly bufferBytes: number;
  /**
   * Headers, or trailers, that a client or an upstream may send in one message; those that Envoy joins count as one. More
   * are refused (431, 502) before any filter sees them. Envoy: 100.
   */
  readonly receivedHeaders: number;
  /** Bytes of the path and the headers that a client may send, or of the trailers; more are refused (431). Envoy: 60 KiB. */
  readonly requestHeaderBytes: number;
  /** Bytes of the headers that an upstream may send, or of the trailers; more are refused (502). Envoy: 80 KiB. */
  readonly responseHeaderBytes: number;
  /** The same over HTTP/2, where more is a reset stream (503). Envoy: 60 KiB. */
  readonly http2ResponseHeaderBytes: number;
  /** Entries of a header map that a filter may hand over; more counts as none. proxy-wasm-cpp-host: 1024. */
  readonly headerPairs: number;
  /** Bytes of a header map that a filter may hand over; more counts as none. proxy-wasm-cpp-host: 1 MiB. */
  readonly headerBytes: number;
  /** Pages of 64 KiB that a filter's memory may have. Envoy: 16384, which is 1 GiB. */
  readonly memoryPages: number;
  /** Bytes of the answer to a callout; a longer one counts as a broken connection. Envoy: 32 MiB. */
  readonly calloutBytes: number;
  /** Callouts under way to one cluster; one more is refused. Envoy's default circuit breaker: 1024. */
  readonly calloutsPerCluster: number;
  /** Bytes of one line of the log; a longer one is refused. Envoy: no bound. */
  readonly logLineBytes: number;
  /** Characters that a trace keeps, and bytes of callouts; beyond it the older half goes. */
  readonly traceBytes: number;
  /**
   * Bytes of a header map, each header 64 more, which is looked at when a filter has added as many; what it adds beyond is
   * refused. Envoy: no bound.
   */
  readonly headerMapBytes: number;
  /** Bytes of a body that a filter writes to, and of a local reply's; what goes beyond is refused. Envoy: no bound. */
  readonly bodyBytes: number;
  /** Bytes of a property's path and value, and of all that a stream keeps, each 64 more. Envoy: no bound. */
  readonly propertyBytes: number;
  /** Bytes of keys and values of the proxy's shared data, each entry 64 more. Envoy: no bound. */
  readonly sharedDataBytes: number;
  /** Bytes of the names of the proxy's queues and of the items in them, each 64 more. Envoy: no bound. */
  readonly queueBytes: number;
  /** Bytes of the names of the proxy's metrics, each 64 more. Envoy: no bound. */
  readonly metricBytes: number;
  /** How often a VM may define a metric: each time makes an id, also of a metric that is there. Envoy: no bound. */
  readonly metricDefinitions: number;
  /**
   * Bytes that the proxy's callouts hold which wait for their answer: each request, gRPC message or name to be resolved,
   * and 4096 more; one more is refused. Envoy: no bound.
   */
  readonly calloutRequestBytes: number;
  /** Bytes of the argument and of the result of a foreign function. Envoy: no bound. */
  readonly foreignBytes: number;
  /** Bytes of the expressions that a VM keeps (`expr_create`), each 64 more. Envoy: no bound. */
  readonly expressionBytes: number;
  /**
   * Bytes of what one callback asks for and what is done after it (replies, going on), each 64 more; beyond it the
   * filter fails. Envoy: no bound.
   */
  readonly deferredBytes: number;
  /** Bytes that one `random_get` may ask for. proxy-wasm-cpp-host: 64 KiB. */
  readonly randomBytes: number;
  /**
   * Milliseconds that a callback may run before the filter counts as failed; `undefined` for no limit, as in Envoy.
   * Each callback takes 0.1 ms longer with one. Node only. Where it is not named at all, `proxy-wasm/vitest` looks after
   * the callbacks of tests.
   */
  readonly callbackMs: number | undefined;
}

/** Envoy's bounds, and generous ones where it has none. */
export const envoyLimits: Limits = {
  bufferBytes: 1024 * 1024,
  receivedHeaders: 100,
  requestHeaderBytes: 60 * 1024,
  responseHeaderBytes: 80 * 1024,
  http2ResponseHeaderBytes: 60 * 1024,
  headerPairs: 1024,
  headerBytes: 1024 * 1024,
  memoryPages: 16384,
  calloutBytes: 32 * 1024 * 1024,
  calloutsPerCluster: 1024,
  logLineBytes: 16 * 1024 * 1024,
  traceBytes: 16 * 1024 * 1024,
  headerMapBytes: 16 * 1024 * 1024,
  bodyBytes: 256 * 1024 * 1024,
  propertyBytes: 16 * 1024 * 1024,
  sharedDataBytes: 64 * 1024 * 1024,
  queueBytes: 64 * 1024 * 1024,
  metricBytes: 16 * 1024 * 1024,
  metricDefinitions: 1_000_000,
  calloutRequestBytes: 64 * 1024 * 1024,
  foreignBytes: 64 * 1024 * 1024,
  expressionBytes: 1024 * 1024,
  deferredBytes: 64 * 1024 * 1024,
  randomBytes: 65536,
  callbackMs: undefined,
};

/** What each of many small things counts besides its bytes, so that empty ones cannot be kept without end. */
export const ENTRY_BYTES = 64;

/** The same for what waits for an answer. */
export const CALL_BYTES = 4096;

/** The bytes of headers that are kept. */
export function bytesOfEntries(entries: readonly (readonly [string, string])[]): number {
  return entries.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_BYTES, 0);
}

/** The refusal of what would come to more than a limit that is this host's own. */
export function beyond(limit: keyof Limits, what: string, size: number, limits: Limits): Refusal {
  return new Refusal(
    Status.InternalFailure,
    `${what} would come to ${size}; the most is ${limits[limit]} (limits.${limit}). Envoy has no bound there but its memory`,
  );
}
