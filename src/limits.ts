// The bounds that keep a filter from harming its host. Each is Envoy's where Envoy has one.

/** The bounds of a host; every one can be set in the options of `loadFilter`. */
export interface Limits {
  /** Bytes of a body that a stream holds back before it fails (413, 500) or stops reading. Envoy: 1 MiB. */
  readonly bufferBytes: number;
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
  /** Bytes that one `random_get` may ask for. proxy-wasm-cpp-host: 64 KiB. */
  readonly randomBytes: number;
  /**
   * Milliseconds that a callback may run before the filter counts as failed; `undefined` for no limit, as in Envoy.
   * Each callback takes 0.1 ms longer with one. Node only. Where it is not named at all, `proxy-wasm/vitest` looks after
   * the first callbacks of each test.
   */
  readonly callbackMs: number | undefined;
}

/** Envoy's bounds. */
export const envoyLimits: Limits = {
  bufferBytes: 1024 * 1024,
  headerPairs: 1024,
  headerBytes: 1024 * 1024,
  memoryPages: 16384,
  calloutBytes: 32 * 1024 * 1024,
  calloutsPerCluster: 1024,
  randomBytes: 65536,
  callbackMs: undefined,
};
