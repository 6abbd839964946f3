// gRPC callouts: calls with one answer and streams of messages, to a cluster. What the filter hears of them when, and
// what Envoy makes of servers that fail. Messages are bytes without gRPC's frame around them.
// Source: Envoy source/common/grpc/async_client_impl.cc, source/extensions/common/wasm/context.cc; a running Envoy 1.40.

import { GrpcStatus, Status } from "../../assembly/abi.ts";
import { type ByteString, decodeText, encodeText, toBytes, toText } from "../encoding/bytes.ts";
import type { Clock } from "../clock.ts";
import { EnvoyFault, Gap, HostFault, Refusal, StreamError } from "../error.ts";
import { type HeaderEntry, HeaderMap } from "../http/header-map.ts";
import { headerEntries, type HeadersInit, HttpHeaders } from "../http/http-headers.ts";
import { http2Codec } from "../http/http2-codec.ts";
import { bytesOfEntries, CALL_BYTES, type Limits } from "../limits.ts";
import type { UpstreamFailure } from "../http/response-flag.ts";
import {
  grpcStatusOf,
  type LocalReply,
  localReplyMessage,
  percentEncode,
  proxyReply,
  upstreamFailureReply,
} from "../http/local-reply.ts";
import type { Trace } from "../trace.ts";
import { UpstreamError } from "./upstream.ts";
import type { Task, UpstreamWork } from "../upstream-work.ts";

/** How a server ends a call. */
export interface GrpcAnswer {
  /** The message of a call; one more message of a stream. */
  readonly message?: string | Uint8Array;
  /** `Ok` by default. */
  readonly status?: GrpcStatus;
  /** Why, in words. */
  readonly statusMessage?: string;
  /** What is sent first. */
  readonly metadata?: HeadersInit;
  /** What is sent last, beside the status. */
  readonly trailers?: HeadersInit;
  /** The status code of a server that does not speak gRPC, instead of all of this. */
  readonly httpStatus?: number;
}

/**
 * Answers the gRPC calls and streams to a cluster. A call ends with the answer that is given back. A stream, and a call
 * for which nothing is given back, is answered with `send` and `end`, now or later, or by a test. A thrown
 * `UpstreamError` is a broken connection.
 */
export type GrpcUpstream = (
  call: GrpcCallout,
) => GrpcAnswer | null | undefined | void | Promise<GrpcAnswer | null | undefined | void>;

/** The clusters that gRPC calls can go to, by name; `null` stands for one without a healthy host. */
export type GrpcUpstreams = Readonly<Record<string, GrpcUpstream | null>>;

/** What a filter hands over. */
export interface GrpcInit {
  /** The name of a cluster, or a `GrpcService` message with it. */
  readonly target: Uint8Array;
  readonly service: ByteString;
  readonly method: ByteString;
  readonly metadata: readonly HeaderEntry[];
  /** The message of a call; undefined for a stream. */
  readonly message: Uint8Array | undefined;
  /** For a call; undefined for a stream. */
  readonly timeoutMs: number | undefined;
}

/** The bytes that a call holds as it begins. */
export function bytesOfGrpcCall({ target, service, method, metadata, message }: GrpcInit): number {
  const given = target.length + service.length + method.length + (message?.length ?? 0);
  return CALL_BYTES + given + bytesOfEntries(metadata);
}

/** Who hears what the server says. A call hears of its message or of its end, a stream of everything. */
export interface GrpcListener {
  initialMetadata(metadata: HeaderMap): void;
  message(message: Uint8Array): void;
  trailingMetadata(metadata: HeaderMap): void;
  close(status: number, message: ByteString): void;
}

/** A gRPC call or stream that a filter has begun. */
export class GrpcCallout {
  /** The number that the filter knows it by. */
  readonly id: number;
  /** The cluster that it was sent to. */
  readonly cluster: string;
  /** The service, such as `grpc.health.v1.Health`. */
  readonly service: string;
  /** The method, such as `Check`. */
  readonly method: string;
  /** The head of the request, the filter's metadata in it. */
  readonly metadata: HttpHeaders;
  /** Whether it is a stream. */
  readonly isStream: boolean;
  /** The messages that the filter has sent so far. */
  readonly messages: Uint8Array[] = [];
  /** Milliseconds that the filter gives it; 0 is no limit. */
  readonly timeoutMs: number;
  /** Aborted when the filter does not wait for it any more. */
  readonly signal: AbortSignal;
  /** `cancelled`: by the filter, or because the plugin has gone. */
  state: "open" | "closed" | "cancelled" = "open";
  /** How it ended, as the filter has heard; null before. */
  result: {
    /** The status, gRPC's own. */
    readonly status: GrpcStatus;
    /** Why, in words; empty when nobody said. */
    readonly message: string;
  } | null = null;
  /** Whether the filter sends nothing more. */
  halfClosed = false;
  /** The bytes that the filter gave for it. @internal */
  heldBytes: number;

  readonly #head: HeaderMap;
  readonly #listener: GrpcListener;
  readonly #work: UpstreamWork;
  readonly #clock: Clock;
  readonly #started: bigint;
  readonly #hold: (bytes: number) => Refusal | undefined;
  readonly #trace: Trace;
  readonly #limits: Limits;
  readonly #abort = new AbortController();
  readonly #cancelTimeout: (() => void) | undefined;
  #task: Task | undefined;
  #answering = true;
  #headSent = false;
  #message: Uint8Array | undefined;
  #onMessage: ((message: Uint8Array) => void) | undefined;
  #onEnd: (() => void) | undefined;

  /** @internal */
  constructor(
    id: number,
    cluster: string,
    init: GrpcInit,
    context: {
      clock: Clock;
      work: UpstreamWork;
      trace: Trace;
      limits: Limits;
      hold: (bytes: number) => Refusal | undefined;
    },
    upstream: GrpcUpstream,
    listener: GrpcListener,
  ) {
    this.id = id;
    this.cluster = cluster;
    this.service = decodeText(init.service);
    this.method = decodeText(init.method);
    this.#head = requestHead(cluster, init);
    this.metadata = new HttpHeaders(this.#head);
    this.isStream = init.message === undefined;
    this.timeoutMs = init.timeoutMs ?? 0;
    this.signal = this.#abort.signal;
    this.#work = context.work;
    this.#clock = context.clock;
    this.#started = context.clock.now();
    this.heldBytes = bytesOfGrpcCall(init);
    this.#hold = context.hold;
    this.#trace = context.trace;
    this.#limits = context.limits;
    const { trace } = context;
    this.#listener = {
      ...listener,
      close: (status, message) => {
        trace.push({
          kind: "note",
          text: `gRPC ${this.#kind} ${id} to ${cluster} was closed: ${status | 0} ${message}`,
        });
        listener.close(status, message);
      },
    };
    if (init.message) {
      this.messages.push(init.message);
      this.halfClosed = true;
    }
    if (this.timeoutMs) this.#cancelTimeout = context.clock.after(this.timeoutMs, () => this.#timeout());
    trace.push({ kind: "note", text: `gRPC ${this.#kind} ${id} to ${cluster}: ${this.service}/${this.method}` });
    context.work.start(async (task) => {
      this.#task = task;
      await this.#ask(upstream);
    });
  }

  /** The last message of the filter, as text; `""` when there is none. */
  text(): string {
    return toText(this.messages.at(-1) ?? new Uint8Array());
  }

  /** Lets so many milliseconds of the filter's time pass. */
  wait(milliseconds: number): Promise<void> {
    return this.#task!.wait(milliseconds);
  }

  /** Says who hears the filter's messages, those that have come already first. */
  onMessage(listener: (message: Uint8Array) => void): void {
    this.#onMessage = listener;
    for (const message of this.messages) this.#later(() => listener(message));
  }

  /** Says who hears that the filter sends nothing more. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    if (this.halfClosed) this.#later(listener);
  }

  /** Sends the first metadata. `send` does so by itself. */
  start(metadata?: HeadersInit): void {
    this.#needsOpen();
    this.#start(metadata);
  }

  /** Sends a message. */
  send(message: string | Uint8Array): void {
    this.#needsOpen();
    this.#start(undefined);
    if (this.state !== "open") return;
    this.#message = toBytes(message);
    if (this.isStream) this.#listener.message(this.#message);
  }

  /** Answers, and ends it. A failure without a message comes without a head before it, as servers do it. */
  end(answer: GrpcAnswer = {}): void {
    this.#needsOpen();
    const { message, status = GrpcStatus.Ok, statusMessage, metadata, trailers, httpStatus } = answer;
    if (httpStatus !== undefined && httpStatus !== 200) return this.#endWithoutGrpc(httpStatus);
    if (metadata !== undefined || (!this.#headSent && status === GrpcStatus.Ok)) this.#start(metadata);
    if (message !== undefined && this.state === "open") this.send(message);
    if (this.state !== "open") return;
    const last: HeaderEntry[] = [["grpc-status", String(status)]];
    const text = percentEncode(toBytes(statusMessage ?? ""));
    if (text) last.push(["grpc-message", text]);
    last.push(...headerEntries(trailers));
    const trailing = this.#headSent
      ? new HeaderMap("response trailers", last)
      : new HeaderMap("response", [...responseHead, ...last]);
    const failure = this.#headSent
      ? http2Codec.refuseResponseTrailers(trailing, this.#limits)
      : this.#refuseHead(trailing, true);
    if (failure) return this.fail(failure);
    this.#trailers(trailing);
    const details = text ? `${text}{via_upstream}` : "via_upstream";
    this.#close(status > GrpcStatus.Unauthenticated ? 0xffff_ffff : status, details);
  }

  /** Breaks the connection. */
  fail(reason: UpstreamFailure = "remote connection failure"): void {
    this.#needsOpen();
    if (!this.#headSent) return this.#fail(upstreamFailureReply(reason));
    this.#trailers(new HeaderMap("response trailers"));
    this.#close(GrpcStatus.Internal, `upstream_reset_after_response_started{${reason.replaceAll(" ", "_")}}`);
  }

  /** Whether something will come of it without anybody's help. */
  get willEnd(): boolean {
    return this.state === "open" && (this.#answering || this.timeoutMs > 0);
  }

  /** The filter sends a message. @internal */
  receive(message: Uint8Array, last: boolean): Refusal | undefined {
    if (this.state !== "open" || this.halfClosed) return undefined;
    const bytes = message.length + CALL_BYTES;
    const full = this.#hold(bytes);
    if (full) return full;
    this.heldBytes += bytes;
    this.#trace.held(bytes);
    this.messages.push(message);
    if (this.#onMessage) this.#later(() => this.#onMessage!(message));
    if (last) this.receiveEnd();
    return undefined;
  }

  /** The filter sends nothing more. @internal */
  receiveEnd(): void {
    if (this.halfClosed) return;
    this.halfClosed = true;
    if (this.#onEnd) this.#later(this.#onEnd);
  }

  /** The filter does not wait for it any more. @internal */
  cancel(): void {
    if (this.state === "open") this.#over("cancelled");
  }

  get #kind(): string {
    return this.isStream ? "stream" : "call";
  }

  async #ask(upstream: GrpcUpstream): Promise<void> {
    if (this.state !== "open") return;
    let answer: Awaited<ReturnType<GrpcUpstream>>;
    try {
      answer = await upstream(this);
    } catch (error) {
      if (this.#isNobodys(error)) return;
      if (!(error instanceof UpstreamError)) throw error;
      return this.fail(error.reason);
    } finally {
      this.#answering = false;
    }
    if (answer && this.state === "open") this.end(answer);
  }

  /** A listener never runs inside of the filter's host call. */
  #later(action: () => void): void {
    this.#work.start(async () => {
      if (this.state !== "open") return;
      try {
        action();
      } catch (error) {
        if (!this.#isNobodys(error)) throw error;
      }
    });
  }

  /** What a function does whose call is over is nobody's concern, unless the filter did it. */
  #isNobodys(error: unknown): boolean {
    return this.state !== "open" && !(error instanceof HostFault);
  }

  #start(metadata: HeadersInit | undefined): void {
    if (this.#headSent) return;
    const head = new HeaderMap("response", [...responseHead, ...headerEntries(metadata)]);
    const failure = this.#refuseHead(head, false);
    if (failure) return this.fail(failure);
    this.#headSent = true;
    if (!this.isStream) return;
    // Envoy measures from the end of the request.
    if (this.halfClosed)
      head.set("x-envoy-upstream-service-time", String((this.#clock.now() - this.#started) / 1_000_000n));
    this.#listener.initialMetadata(head);
  }

  /** How the server fails that sends this head; undefined when Envoy takes it. */
  #refuseHead(head: HeaderMap, endOfStream: boolean): UpstreamFailure | undefined {
    const read = http2Codec.readResponse(head, endOfStream, this.#limits, false);
    return read === "final" || read === "interim" ? undefined : read;
  }

  #timeout(): void {
    if (this.#headSent) this.#close(GrpcStatus.Internal, "response_timeout");
    else this.#fail(proxyReply(504, "upstream request timeout", "response_timeout"));
  }

  #fail(reply: LocalReply): void {
    const { metadata, status, message } = failure(reply, this.#head);
    this.#trailers(metadata);
    this.#close(status, message);
  }

  #endWithoutGrpc(httpStatus: number): void {
    this.#trailers(new HeaderMap("response trailers"));
    this.#close(grpcStatusOf(httpStatus), "via_upstream");
  }

  /** Sends the last metadata; what comes without a head has an empty first one. */
  #trailers(metadata: HeaderMap): void {
    if (!this.isStream) return;
    if (!this.#headSent) this.#listener.initialMetadata(new HeaderMap("response"));
    if (this.state === "open") this.#listener.trailingMetadata(metadata);
  }

  #close(status: number, message: ByteString): void {
    // The filter may have cancelled it when it heard of the metadata.
    if (this.state !== "open") return;
    const answered = !this.isStream && status === 0;
    // An answer without its message is none.
    const code: number = answered && !this.#message ? GrpcStatus.Internal : status;
    const text = code === status ? message : "";
    this.result = { status: code | 0, message: decodeText(text) };
    this.#over("closed");
    if (answered && this.#message) this.#listener.message(this.#message);
    else this.#listener.close(code, text);
  }

  #over(state: "closed" | "cancelled"): void {
    this.state = state;
    this.#cancelTimeout?.();
    this.#abort.abort();
  }

  #needsOpen(): void {
    if (this.state === "open") return;
    throw new StreamError(`gRPC ${this.#kind} ${this.id} to ${this.cluster} is not open any more: ${this.state}`);
  }
}

/** What a filter hears of a call that Envoy's router answers by itself. */
function failure(reply: LocalReply, request: HeaderMap): { metadata: HeaderMap; status: number; message: ByteString } {
  const metadata = localReplyMessage(reply, request).headers;
  const text = metadata.get("grpc-message");
  return {
    metadata,
    status: Number(metadata.get("grpc-status")),
    message: text === undefined ? reply.details : `${text}{${reply.details}}`,
  };
}

/** What a filter hears of a call to a cluster without a host. */
export function noHealthyUpstream(cluster: string, init: GrpcInit): ReturnType<typeof failure> {
  return failure(proxyReply(503, "no healthy upstream", "no_healthy_upstream"), requestHead(cluster, init));
}

/**
 * The cluster that a filter means; a refusal when it is not known. Envoy takes every name for a `GrpcService` message
 * whose bytes happen to be one.
 */
export function grpcCluster({ target }: GrpcInit, upstreams: GrpcUpstreams): string | Refusal {
  const fields = protobufFields(target);
  if (fields) {
    const service = fields.find(({ field }) => field === 1)?.bytes;
    const name = service && protobufFields(service)?.find(({ field }) => field === 1)?.bytes;
    if (name) return toText(name);
    if (fields.some(({ field }) => field === 2)) {
      return new Gap("google_grpc", "this host has no google_grpc: name a cluster, or envoy_grpc");
    }
    throw new EnvoyFault(
      `the bytes of the cluster's name ${JSON.stringify(toText(target))} happen to be a protobuf message, so Envoy 1.40 ` +
        "takes them for a GrpcService without a target and aborts (panic: unset oneof). Hand over a GrpcService " +
        "message with envoy_grpc.cluster_name, as the SDK does.",
    );
  }
  const name = toText(target);
  if (Object.hasOwn(upstreams, name)) return name;
  const known = Object.keys(upstreams);
  return new Refusal(
    Status.ParseFailure,
    `there is no cluster ${JSON.stringify(name)} for gRPC; ${known.length ? `known are: ${known.join(", ")}` : "none is known"}. ` +
      "In a test: loadFilter(…, { grpc: { name: (call) => ({ message: … }) } }). " +
      `With serve: --cluster ${name}=http://localhost:4000`,
  );
}

const responseHead: readonly HeaderEntry[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

/** The head that arrives at the server. */
function requestHead(cluster: string, { service, method, metadata, timeoutMs }: GrpcInit): HeaderMap {
  const map = new HeaderMap("request", [
    [":method", "POST"],
    [":path", `/${service}/${method}`],
    [":authority", encodeText(cluster)],
    [":scheme", "http"],
    ["te", "trailers"],
  ]);
  if (timeoutMs !== undefined) map.append("grpc-timeout", grpcTimeout(timeoutMs));
  map.append("content-type", "application/grpc");
  for (const [name, value] of metadata) map.add(name, value);
  map.set("x-envoy-internal", "true");
  if (timeoutMs) map.set("x-envoy-expected-rq-timeout-ms", String(timeoutMs));
  return map;
}

/** At most eight digits. A filter's 0, which is no limit, tells the server that it has no time. */
function grpcTimeout(milliseconds: number): string {
  return milliseconds < 1e8 ? `${milliseconds}m` : `${Math.floor(milliseconds / 1000)}S`;
}

interface ProtobufField {
  readonly field: number;
  /** What a length-delimited field holds. */
  readonly bytes: Uint8Array | undefined;
}

/** The fields of a protobuf message; undefined when these bytes are none. Groups are looked into, not given. */
function protobufFields(bytes: Uint8Array): ProtobufField[] | undefined {
  const fields: ProtobufField[] = [];
  const groups: number[] = [];
  let at = 0;
  const varint = (): number | undefined => {
    let value = 0;
    for (let i = 0; i < 10 && at < bytes.length; i++) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const field = Math.floor(tag / 8);
    if (!field) return undefined;
    let content: Uint8Array | undefined;
    switch (tag % 8) {
      case 0:
        if (varint() === undefined) return undefined;
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const size = varint();
        if (size === undefined || at + size > bytes.length) return undefined;
        content = bytes.subarray(at, at + size);
        at += size;
        break;
      }
      case 3:
        groups.push(field);
        break;
      case 4:
        if (groups.pop() !== field) return undefined;
        break;
      case 5:
        at += 4;
        break;
      default:
        return undefined;
    }
    if (at > bytes.length) return undefined;
    if (!groups.length) fields.push({ field, bytes: content });
  }
  return groups.length ? undefined : fields;
}
