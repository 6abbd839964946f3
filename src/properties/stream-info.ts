// What the proxy knows of a stream besides its messages, for properties and access logs.
// Source: Envoy envoy/stream_info/stream_info.h; what a running Envoy 1.40 had when.

import { ResponseFlag } from "../http/response-flag.ts";
import type { Clock } from "../clock.ts";
import { FilterState } from "./filter-state.ts";
import type { Limits } from "../limits.ts";
import type { GivenProperties } from "./property-options.ts";

/** Facts about a stream, written down as they happen. Times are nanoseconds. */
export class StreamInfo {
  readonly startTime: bigint;
  /** From the first byte to the end of the stream; undefined before. */
  duration: bigint | undefined;
  /** Bytes of the request's body that have come in, and of the response's that have gone out. */
  bytesReceived = 0;
  bytesSent = 0;
  /** The status code, once there is a response. */
  code: number | undefined;
  /** `ResponseFlag` bits. */
  flags = 0;
  /** Whether its head was fit to be looked at, which gives it a virtual host. */
  received = true;
  /** Whether a route was found. */
  routed = true;
  /** How often the request was sent upstream. */
  attempts = 0;
  /** Whether a host of the upstream was chosen. */
  upstreamChosen = false;
  /** Why there is no connection to the upstream; empty when there is no reason, undefined before one is asked for. */
  transportFailure: string | undefined;
  /** From the request's head going out to the response's last byte coming in. */
  backendLatency: bigint | undefined;
  readonly #clock: Clock;
  readonly #given: GivenProperties;
  readonly #limits: Limits;
  #requestSent = 0n;
  /** Whether the connection to the upstream is known to stand; undefined while it is being made. */
  #connected: boolean | undefined;
  #connectDuration: bigint | undefined;
  #filterState: FilterState | undefined;

  /** `given` has what stands in the filter state from the start, `limits` how much may be added. */
  constructor(clock: Clock, given: GivenProperties, limits: Limits) {
    this.#clock = clock;
    this.#given = given;
    this.#limits = limits;
    this.startTime = clock.now();
  }

  /** Whether the connection to the upstream stands, which takes next to no time. */
  get upstreamConnected(): boolean {
    return this.#connected ?? (this.upstreamChosen && this.#clock.now() > this.#requestSent);
  }

  /** From choosing the host until its connection stood, or could not be had; undefined before. */
  get connectDuration(): bigint | undefined {
    return this.#connectDuration ?? (this.upstreamConnected ? 0n : undefined);
  }

  /** What filters leave to each other in the stream: `wasm.` and the name for what `proxy_set_property` sets. */
  get filterState(): FilterState {
    return (this.#filterState ??= new FilterState(this.#given.filterState("filter_state"), this.#limits));
  }

  /** The request's head goes to a host of the upstream. */
  sendRequest(): void {
    this.attempts++;
    this.upstreamChosen = true;
    this.#connected = undefined;
    this.#connectDuration = undefined;
    this.transportFailure = "";
    this.#requestSent = this.#clock.now();
  }

  /** A TCP connection to a host of the upstream stands. */
  connect(): void {
    this.routed = true;
    this.sendRequest();
    this.#connected = true;
  }

  /** The response's head has come in. */
  receiveResponse(code: number): void {
    this.code = code;
    this.#connected = true;
  }

  /** The response's last byte has come in. */
  completeResponse(): void {
    this.backendLatency = this.#clock.now() - this.#requestSent;
  }

  /** The upstream cannot be reached, or has broken off. */
  failUpstream(flag: number, transportFailure: string): void {
    this.flags |= flag;
    this.transportFailure = transportFailure;
    if (flag !== ResponseFlag.UpstreamConnectionFailure) return;
    this.#connected = false;
    this.#connectDuration = this.#clock.now() - this.#requestSent;
  }

  /** The stream is over. */
  end(): void {
    this.duration ??= this.#clock.now() - this.startTime;
  }
}
