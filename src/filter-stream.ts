// A stream one callback at a time: the test is the client and the upstream, and decides what arrives when.

import { toBytes } from "./encoding/bytes.ts";
import type { Callout } from "./callouts/callouts.ts";
import { pendingCallout, pendingGrpcCall } from "./callouts/clusters.ts";
import type { HttpProtocol } from "./http/codec.ts";
import type { LoggedStream } from "./contexts/context.ts";
import type { Which } from "./streams/direction.ts";
import { Client, Server } from "./exchange.ts";
import type { Filter } from "./filter.ts";
import type { GrpcCallout } from "./callouts/grpc.ts";
import { HeaderMap } from "./http/header-map.ts";
import { headerEntries, type HeadersInit, HttpHeaders, toHeaderMap } from "./http/http-headers.ts";
import type { HttpStream } from "./streams/http-stream.ts";
import type { LocalReply } from "./http/local-reply.ts";
import type { PropertyOptions } from "./properties/property-options.ts";
import { Step } from "./step.ts";
import type { LogEntry, Trace } from "./trace.ts";

/** How a stream is opened. */
export interface StreamOptions {
  /** Properties that no exchange tells. */
  readonly properties?: PropertyOptions;
  /** What the client speaks; `HTTP/1.1` by default. */
  readonly protocol?: HttpProtocol;
  /** What the upstream speaks; what the client speaks by default. */
  readonly upstreamProtocol?: HttpProtocol;
}

/** What has reached one end of a stream. */
export interface ReceivedMessage {
  /** All headers, pseudo headers included; empty when they have not come. */
  readonly headers: HttpHeaders;
  /** The body so far. */
  readonly body: Uint8Array;
  /** The trailers; empty when there are none. */
  readonly trailers: HttpHeaders;
  /** What came in METADATA frames of HTTP/2, frame by frame. */
  readonly metadata: readonly HttpHeaders[];
  /** Whether the message has ended. */
  readonly complete: boolean;
}

/**
 * One HTTP stream through a filter, driven part by part; nothing is added to the headers given. From the end of the request
 * on the upstream has 15 seconds of the filter's time for its whole response, or what the filter sets as
 * `x-envoy-upstream-rq-timeout-ms`; then Envoy's router answers 504, or breaks off.
 */
export class FilterStream {
  /** Everything that happened on this stream. */
  readonly trace: Trace;
  readonly #client = new Client();
  readonly #server: Server;
  readonly #stream: HttpStream;

  /** @internal */
  constructor(filter: Filter, options: StreamOptions) {
    const trace = filter.newTrace();
    this.trace = trace;
    this.#server = new Server(trace);
    this.#stream = filter.open({ ...options, downstream: this.#client, upstream: this.#server, trace });
  }

  /**
   * The request's headers arrive, pseudo headers included, as a proxy has read them: whether a client may send them so over
   * HTTP/1.1 or HTTP/2 is not asked here, as it is in `filter.request`.
   */
  requestHeaders(headers: HeadersInit, options: { endStream?: boolean } = {}): Step {
    return this.#step("request", () => {
      this.#stream.requestHeaders(
        toHeaderMap("request", headers, this.#stream.profile.joinsHeaders),
        options.endStream ?? false,
      );
    });
  }

  /** A piece of the request's body arrives. */
  requestBody(chunk: string | Uint8Array, options: { endStream?: boolean } = {}): Step {
    return this.#step("request", () => this.#stream.requestData(toBytes(chunk), options.endStream ?? false));
  }

  /** The request's trailers arrive. */
  requestTrailers(trailers: HeadersInit): Step {
    return this.#step("request", () => this.#stream.requestTrailers(toHeaderMap("request trailers", trailers, true)));
  }

  /**
   * A METADATA frame of the request arrives, which HTTP/2 peers send when both say so (in Envoy `allow_metadata`). The
   * filter hears how many names it has and can neither read nor hold it. After the headers only.
   */
  requestMetadata(metadata: HeadersInit): Step {
    return this.#step("request", () => this.#stream.requestMetadata(headerEntries(metadata)));
  }

  /** The response's headers arrive from the upstream, `:status` included. */
  responseHeaders(headers: HeadersInit, options: { endStream?: boolean } = {}): Step {
    return this.#step("response", () => {
      this.#stream.responseHeaders(
        toHeaderMap("response", headers, this.#stream.profile.joinsHeaders),
        options.endStream ?? false,
      );
    });
  }

  /** A piece of the response's body arrives. */
  responseBody(chunk: string | Uint8Array, options: { endStream?: boolean } = {}): Step {
    return this.#step("response", () => this.#stream.responseData(toBytes(chunk), options.endStream ?? false));
  }

  /** The response's trailers arrive. */
  responseTrailers(trailers: HeadersInit): Step {
    return this.#step("response", () =>
      this.#stream.responseTrailers(toHeaderMap("response trailers", trailers, true)),
    );
  }

  /** A METADATA frame of the response arrives from the upstream; as `requestMetadata`. */
  responseMetadata(metadata: HeadersInit): Step {
    return this.#step("response", () => this.#stream.responseMetadata(headerEntries(metadata)));
  }

  /**
   * The host calls the filter in the name of this stream (`proxy_on_foreign_function`), as ngx_wasm_module does to answer
   * `resolve_lua`. What the numbers and bytes mean is an agreement of the two; Envoy as it is never calls.
   */
  foreignFunction(functionId: number, argument: string | Uint8Array = ""): Step {
    return this.#step("request", () => this.#stream.foreignFunction(functionId, toBytes(argument)));
  }

  /**
   * The client goes away: the stream ends with on_log, on_done, on_delete. A client of HTTP/1.1 ends its connection for
   * it; one of HTTP/2 resets the stream, or ends the `connection` when asked to.
   */
  reset(options: { connection?: boolean } = {}): void {
    this.#stream.requestReset(options.connection);
  }

  /** Whether the stream is over. */
  get ended(): boolean {
    return this.#stream.ended;
  }

  /** Which direction the filter holds back, or null. */
  get paused(): "request" | "response" | null {
    if (this.#stream.ended) return null;
    return this.#stream.response.isHeld ? "response" : this.#stream.request.isHeld ? "request" : null;
  }

  /** What has reached the upstream so far, in the last try if there were several. */
  get upstream(): ReceivedMessage {
    return describe(this.#server);
  }

  /**
   * How often the request was sent upstream. When the filter has set `x-envoy-retry-on`, a response that is a reason to
   * try again goes nowhere; within 25 ms of the filter's time, or 250 later on, the request comes again.
   */
  get attempts(): number {
    return this.#stream.info.attempts;
  }

  /** What has reached the client so far. */
  get response(): ReceivedMessage {
    return describe(this.#client);
  }

  /** The HTTP callouts that the filter has sent in the name of this stream, oldest first. */
  get callouts(): readonly Callout[] {
    return this.trace.callouts;
  }

  /**
   * The oldest callout of this stream to a cluster that waits for its answer; a `StreamError` when there is none.
   * `stream.pending("auth").respond({ status: 401 })` answers it; `fail()` and `reset()` break its connection.
   */
  pending(cluster: string): Callout {
    return pendingCallout(this.trace.callouts, cluster);
  }

  /** The gRPC calls and streams that the filter has begun in the name of this stream, oldest first. */
  get grpcCalls(): readonly GrpcCallout[] {
    return this.trace.grpcCalls;
  }

  /**
   * The oldest gRPC call or stream of this stream to a cluster that is open; a `StreamError` when there is none.
   * `stream.pendingGrpc("limits").end({ message })` answers it.
   */
  pendingGrpc(cluster: string): GrpcCallout {
    return pendingGrpcCall(this.trace.grpcCalls, cluster);
  }

  /** The reply that the filter or the proxy gave by itself, or null. */
  get localReply(): LocalReply | null {
    return this.#stream.localReply ?? null;
  }

  /** What an access logger sees. @internal */
  get finished(): LoggedStream {
    return this.#stream;
  }

  /** The lines that the filter logged on this stream. */
  get logs(): readonly LogEntry[] {
    return this.trace.logs;
  }

  #step(which: Which, run: () => void): Step {
    const before = this.trace.count;
    run();
    return new Step(this.#stream[which].isHeld && !this.#stream.ended, this.trace, before);
  }
}

function describe(client: Client): ReceivedMessage {
  return {
    headers: new HttpHeaders(client.head),
    body: client.body(),
    trailers: new HttpHeaders(client.trailing),
    metadata: client.frames.map((entries) => new HttpHeaders(new HeaderMap("request trailers", entries))),
    complete: client.complete,
  };
}
