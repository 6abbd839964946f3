// When a request goes to the upstream once more because a filter has asked for it, and what is kept of it for that.
// Source: Envoy source/common/router/retry_state_impl.cc, `doRetry` in router.cc; a running Envoy 1.40.

import { GrpcStatus } from "../../assembly/abi.ts";
import { Body } from "../http/body.ts";
import { type ByteString, decodeText, lowerCase, trimBlanks } from "../encoding/bytes.ts";
import type { Clock } from "../clock.ts";
import type { Codec } from "../http/codec.ts";
import { parseUnsigned } from "../encoding/decimal.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { Peer } from "./direction.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import { type StreamInfo } from "../properties/stream-info.ts";
import { ResponseFlag } from "../http/response-flag.ts";
import type { Trace } from "../trace.ts";
import type { UpstreamWork } from "../upstream-work.ts";

/** Why a try has no response: the upstream failed, or the proxy gave it up. */
export type TryFailure = UpstreamFailure | "local reset";

/** A reason to send a request again. */
interface Condition {
  /** Whether a response is one. */
  response?(status: number, head: HeaderMap, policy: RetryPolicy): boolean;
  /** Whether it is one that there is none, for this reason. */
  failure?(reason: TryFailure): boolean;
}

/** What a filter asks for. */
export interface RetryPolicy {
  readonly conditions: readonly Condition[];
  /** How often it may be sent again. */
  readonly retries: number;
  /** The status codes, and the headers of a response, that the filter has named. */
  readonly statuses: readonly number[];
  readonly headerNames: readonly ByteString[];
}

const always = (): boolean => true;
const notConnected = (reason: TryFailure): boolean =>
  reason === "remote connection failure" || reason === "connection timeout";

/** An upstream that is an Envoy itself has refused a request for its rate; then no other condition counts. */
const rateLimited: Condition = { response: (_status, head) => isRateLimited(head) };

/** The words of `x-envoy-retry-on`. */
const conditions: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ["5xx", { response: (status) => status >= 500 && status <= 599, failure: always }],
  ["gateway-error", { response: (status) => status >= 502 && status <= 504, failure: always }],
  ["retriable-4xx", { response: (status) => status === 409 }],
  ["retriable-status-codes", { response: (status, _head, { statuses }) => statuses.includes(status) }],
  ["retriable-headers", { response: (_status, head, { headerNames }) => headerNames.some((name) => has(head, name)) }],
  ["envoy-ratelimited", rateLimited],
  ["reset", { failure: always }],
  ["reset-before-request", { failure: notConnected }],
  ["connect-failure", { failure: notConnected }],
  // Nobody speaks HTTP/3 here.
  ["http3-post-connect-failure", {}],
  ["refused-stream", { failure: (reason) => reason === "remote refused stream reset" }],
]);

/** The words of `x-envoy-retry-grpc-on`. */
const grpcConditions: ReadonlyMap<string, Condition> = new Map([
  ["cancelled", answered(GrpcStatus.Cancelled)],
  ["deadline-exceeded", answered(GrpcStatus.DeadlineExceeded)],
  ["internal", answered(GrpcStatus.Internal)],
  ["resource-exhausted", answered(GrpcStatus.ResourceExhausted)],
  ["unavailable", answered(GrpcStatus.Unavailable)],
]);

/** The call has ended with this status, and nothing else came of it. */
function answered(status: GrpcStatus): Condition {
  return { response: (_status, head) => parseUnsigned(head.get("grpc-status") ?? "", 32) === BigInt(status) };
}

function isRateLimited(head: HeaderMap): boolean {
  return has(head, "x-envoy-ratelimited");
}

function has(headers: HeaderMap, key: ByteString): boolean {
  return headers.get(key) !== undefined;
}

/** What the headers of a request ask for; undefined when that is nothing. Words that mean nothing are noted. */
export function retryPolicy(headers: HeaderMap, trace: Trace): RetryPolicy | undefined {
  const list = (name: ByteString): ByteString[] => (headers.get(name) ?? "").split(",").map(trimBlanks);
  const named = (name: ByteString, known: ReadonlyMap<string, Condition>): Condition[] =>
    list(name).flatMap((word) => {
      const condition = known.get(word);
      if (!condition && word)
        note(trace, `${JSON.stringify(decodeText(word))} is no word of ${name}: it means nothing`);
      return condition ?? [];
    });
  const asked = [...named("x-envoy-retry-on", conditions), ...named("x-envoy-retry-grpc-on", grpcConditions)];
  if (!asked.length) return undefined;
  const retries = parseUnsigned(headers.get("x-envoy-max-retries") ?? "", 64);
  return {
    conditions: asked,
    // Envoy keeps 32 bits of the number.
    retries: retries === undefined ? DEFAULT_RETRIES : Number(BigInt.asUintN(32, retries)),
    statuses: list("x-envoy-retriable-status-codes").flatMap((code) => Number(parseUnsigned(code, 32) ?? [])),
    headerNames: list("x-envoy-retriable-header-names").filter(Boolean).map(lowerCase),
  };
}

function note(trace: Trace, text: string): void {
  trace.push({ kind: "note", text });
}

/** Says in the trace why a request that asks for it is not sent again. */
export function noteRefusal(trace: Trace, why: string): void {
  note(trace, `not sent again: ${why}`);
}

/** How often a request is sent again when no filter says how often. */
const DEFAULT_RETRIES = 1;

/** How many requests may be on their second try, or a later one, at the same time: the default of a cluster in Envoy. */
const MOST_AT_ONCE = 3;

/** What the requests of one proxy share that are sent again. */
export class RetryBudget {
  /** How many there are now. */
  underWay = 0;
  readonly #random: (bytes: Uint8Array) => void;
  readonly #work: UpstreamWork;

  /** `random` spreads the waits before the next tries; what waits for `work` hears when one is over. */
  constructor(random: (bytes: Uint8Array) => void, work: UpstreamWork) {
    this.#random = random;
    this.#work = work;
  }

  /** What says that one more is over which may be sent again; undefined when it may not. */
  take(): (() => void) | undefined {
    if (this.underWay === MOST_AT_ONCE) return undefined;
    this.underWay++;
    const task = this.#work.begin();
    // It is the clock that it waits for, or another task.
    task.waits++;
    return () => {
      this.underWay--;
      this.#work.end(task);
    };
  }

  /** A wait of whole milliseconds, shorter than this. */
  wait(milliseconds: number): number {
    const bytes = new Uint32Array(1);
    this.#random(new Uint8Array(bytes.buffer));
    return bytes[0]! % milliseconds;
  }
}

/** Milliseconds that the wait before the first retry, and before any later one, is shorter than. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [25, 250];

/** What a request that is sent again finds. */
export interface RetryOptions {
  readonly budget: RetryBudget;
  /** The upstream's. */
  readonly codec: Codec;
  readonly clock: Clock;
  readonly info: StreamInfo;
  /** Hears why a request is not sent again. */
  readonly trace: Trace;
  /** Bytes of a body that are kept; of a longer one nothing is, and it is not sent again. */
  readonly mostBytes: number;
  /** Sends it again. */
  again(why: string): void;
}

/** A request that may be sent again. */
export class Retry {
  /** Whether it waits for the next try: none is under way. */
  isDue = false;
  /** When all of the request had come, in nanoseconds; undefined before. */
  completedAt: bigint | undefined;
  readonly #policy: RetryPolicy;
  readonly #headers: HeaderMap;
  readonly #options: RetryOptions;
  #body: Body | undefined;
  #trailers: HeaderMap | undefined;
  #left: number;
  #waitMs = FIRST_WAIT_MS;
  #giveBack: (() => void) | undefined;
  #cancel: (() => void) | undefined;

  constructor(policy: RetryPolicy, headers: HeaderMap, options: RetryOptions) {
    this.#policy = policy;
    this.#left = policy.retries;
    this.#headers = headers;
    this.#options = options;
  }

  /** Whether a part of the body has come. */
  get hasBody(): boolean {
    return (this.#body?.length ?? 0) > 0;
  }

  /** Keeps a piece of the body; false when it is too much. */
  keep(data: Body): boolean {
    const body = (this.#body ??= new Body());
    if (body.length + data.length > this.#options.mostBytes) return false;
    body.append(data.bytes());
    return true;
  }

  keepTrailers(trailers: HeaderMap): void {
    this.#trailers = trailers;
  }

  /** The request is complete. */
  complete(): void {
    this.completedAt = this.#options.clock.now();
  }

  /** Whether the request is sent again in place of this response. */
  replaces(head: HeaderMap): boolean {
    const status = Number(head.get(":status"));
    const isLimited = isRateLimited(head);
    const isReason = this.#policy.conditions.some(
      (condition) => (!isLimited || condition === rateLimited) && condition.response?.(status, head, this.#policy),
    );
    return this.#plan(isReason, `the upstream answered ${status}`);
  }

  /** Whether the request is sent again after this failure. */
  follows(reason: TryFailure): boolean {
    const isReason = this.#policy.conditions.some((condition) => condition.failure?.(reason));
    return this.#plan(isReason, reason === "local reset" ? "the upstream took too long" : reason);
  }

  /** Sends what has come of the request; the rest goes the way it always does. */
  send(peer: Peer): void {
    const isWhole = this.completedAt !== undefined;
    const [body, trailers] = [this.#body, this.#trailers];
    const isEmpty = isWhole && !body && !trailers;
    // What a try has got is not what the next one says.
    peer.headers(this.#options.codec.sendRequest(this.#headers.clone(), isEmpty), isEmpty);
    if (body) peer.data(new Body(body.bytes()), isWhole && !trailers);
    if (trailers) peer.trailers(trailers);
  }

  /** It will not be sent again. */
  end(): void {
    this.isDue = false;
    this.#cancel?.();
    this.#release();
  }

  #plan(isReason: boolean, why: string): boolean {
    const { budget, clock, info, trace, again } = this.#options;
    this.#release();
    if (!isReason) return false;
    if (!this.#left) {
      noteRefusal(trace, `x-envoy-max-retries (${this.#policy.retries}) is used up`);
      info.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
      return false;
    }
    this.#left--;
    this.#giveBack = budget.take();
    if (!this.#giveBack) {
      const others = `${MOST_AT_ONCE} requests are on a later try already`;
      noteRefusal(trace, `${others}, the most that Envoy's default circuit breaker lets`);
      info.flags |= ResponseFlag.UpstreamOverflow;
      return false;
    }
    this.isDue = true;
    this.#cancel = clock.after(budget.wait(this.#waitMs), () => {
      this.isDue = false;
      again(why);
    });
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    return true;
  }

  #release(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }
}
