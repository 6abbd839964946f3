// One HTTP exchange inside the proxy: a request through the filters to the upstream, its response back through them in
// reverse order, local replies, resets, and the end. Synchronous and driven by events: whoever owns the stream feeds
// what arrives and receives what goes out.

import { Body } from "./body.ts";
import { refuseRequestHead } from "./connection.ts";
import { Direction, type DirectionEvents, type Half, type Metadata, type Sink } from "./direction.ts";
import type { Clock } from "./clock.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Status } from "../assembly/abi.ts";
import { EnvoyFault, Misuse, Refusal } from "./error.ts";
import { HeaderMap } from "./header-map.ts";
import {
  type LocalReply,
  localReplyMessage,
  nginxError,
  nginxReplyMessage,
  proxyReply,
  upstreamFailureReply,
} from "./local-reply.ts";
import { MessageLength } from "./message-length.ts";
import type { StreamSources } from "./properties.ts";
import type { HostProfile } from "./profiles/profile.ts";
import type { GivenProperties } from "./property-options.ts";
import { refuseRequest, refuseResponse, type Route, takeTimeout } from "./router.ts";
import { ResponseFlag, type StreamInfo } from "./stream-info.ts";

/** A filter in the chain of a stream. */
export interface StreamFilter {
  /** What it says to the request. */
  readonly request: Half;
  /** What it says to the response. */
  readonly response: Half;
  /** The exchange is to be logged. */
  log(): void;
  /** The host calls it on its own account. */
  foreignFunction?(functionId: number, argument: Uint8Array): void;
  /** The stream is over; no call of it follows. */
  destroy(): void;
}

/** The client's side or the upstream's: receives a message, or learns that none will be completed. */
export interface Peer extends Sink {
  /** The message ends here, incomplete. */
  reset(reason: string): void;
  /** The stream cannot take more of what this peer sends (`true`), or can again. */
  watermark?(above: boolean): void;
}

/** What a stream needs to know. */
export interface HttpStreamOptions {
  /** Receives the response, and the watermark of the request. */
  readonly downstream: Peer;
  /** Receives the request, and the watermark of the response. */
  readonly upstream: Peer;
  /** Bytes of a body that are held back before the stream fails or stops reading. */
  readonly bufferBytes: number;
  /** Ends the wait for the upstream. */
  readonly clock: Clock;
  /** Knows when what arrives has been dealt with. */
  readonly dispatcher: Dispatcher;
  /** What the host does in its own way. */
  readonly profile: HostProfile;
  /** Where what happens is written down. */
  readonly info: StreamInfo;
  /** The properties that no exchange tells. */
  readonly given: GivenProperties;
  /** Where the request goes. */
  readonly route: Route;
}

/** An exchange on its way through a chain of filters. */
export class HttpStream {
  readonly request: Direction;
  readonly response: Direction;
  /** What the host does in its own way. */
  readonly profile: HostProfile;
  /** What is known of it besides its messages. */
  readonly info: StreamInfo;
  /** The properties that no exchange tells. */
  readonly given: GivenProperties;
  /** The reply that the proxy sent by itself, or undefined. */
  localReply: LocalReply | undefined;
  /** Why the response is what it is, as `%RESPONSE_CODE_DETAILS%`, or undefined while there is none. */
  details: string | undefined;
  /** Whether the client asked with HEAD, and so gets no body. */
  answersHead = false;
  /** Whether the exchange is over. */
  ended = false;

  readonly #filters: StreamFilter[] = [];
  readonly #options: HttpStreamOptions;
  #requestCallbacks = 0;
  #pendingReply: LocalReply | undefined;
  #answeredWhileHeld = false;
  /** Whether a filter has answered, where it can do so only once. */
  #isAnswered = false;
  #responseStarted = false;
  #responseFinished = false;
  #upstreamOpen = false;
  /** Calls off the end of the wait for the upstream. */
  #stopWaiting: (() => void) | undefined;
  #hadForwardedProto = false;
  /** The request's body as far as it has come, where all of it is read before anything happens. */
  #gathered: Body | undefined;
  /** What filters have set of a response that has not come yet, where they can. */
  #early: HeaderMap | undefined;
  /** The body in place of the response's, where a filter has answered in on_response_headers. */
  #otherBody: Uint8Array | undefined;

  /** Each maker gives a filter, in the order of the request, or undefined to be left out. */
  constructor(makers: readonly ((stream: HttpStream) => StreamFilter | undefined)[], options: HttpStreamOptions) {
    this.#options = options;
    this.profile = options.profile;
    this.info = options.info;
    this.given = options.given;
    for (const make of makers) {
      const filter = make(this);
      if (filter) this.#filters.push(filter);
    }
    const limit = options.bufferBytes;
    const requests = this.#filters.map((filter) => filter.request);
    const responses = this.#filters.map((filter) => filter.response).reverse();
    this.request = new Direction(requests, this.#toUpstream(), this.#requestEvents(), limit, true);
    this.response = new Direction(responses, this.#toDownstream(), this.#responseEvents(), limit, false);
  }

  /** The headers of a response that has not come yet: they go out with it. */
  get earlyHeaders(): HeaderMap {
    return (this.#early ??= new HeaderMap("response"));
  }

  /** Whether the response's head is on its way to the client. */
  get responseStarted(): boolean {
    return this.#responseStarted;
  }

  /** What a log sees of it. */
  get logged(): StreamSources {
    const { info, details, request, response } = this;
    const maps = { request: request.message, response: response.message, trailers: response.trailing };
    return { info, details, ...maps, phase: "on_log" };
  }

  get isOver(): boolean {
    return this.ended;
  }

  /** The request's head arrives from the client. */
  requestHeaders(headers: HeaderMap, endOfStream: boolean): void {
    this.answersHead = headers.get(":method") === "HEAD";
    this.#hadForwardedProto = headers.get("x-forwarded-proto") !== undefined;
    const refusal = refuseRequestHead(headers, this.#options.route.upgrades);
    if (!refusal) return this.#event(() => this.request.receiveHeaders(headers, endOfStream));
    this.request.message = headers;
    // What cannot be normalized Envoy refuses before it notes that the request is complete, and an upgrade never is: it
    // ends the connection then.
    this.request.complete = endOfStream && refusal.status === 404;
    this.#event(() => this.sendLocalReply(refusal));
  }

  /** A piece of the request's body arrives. */
  requestData(bytes: Uint8Array, endOfStream: boolean): void {
    if (this.ended) return;
    this.info.bytesReceived += bytes.length;
    if (!this.profile.readsWholeRequest) return this.#event(() => this.request.receiveData(bytes, endOfStream));
    const body = (this.#gathered ??= new Body());
    body.append(bytes);
    if (endOfStream) this.#event(() => this.request.receiveData(body.bytes(), true));
  }

  /** The request's trailers arrive. */
  requestTrailers(trailers: HeaderMap): void {
    if (!this.profile.passesTrailers) return this.requestData(new Uint8Array(), true);
    if (!this.ended) this.#event(() => this.request.receiveTrailers(trailers));
  }

  /** A METADATA frame of the request arrives. */
  requestMetadata(entries: Metadata): void {
    if (!this.ended) this.#event(() => this.request.receiveMetadata(entries));
  }

  /** The client has gone. */
  requestReset(): void {
    if (!this.ended) {
      this.details = "downstream_remote_disconnect";
      this.info.flags |= ResponseFlag.DownstreamConnectionTermination;
    }
    this.#event(() => {
      this.#resetUpstream("the client has gone");
      this.#end();
    });
  }

  /** The response's head arrives from the upstream. */
  responseHeaders(headers: HeaderMap, endOfStream: boolean): void {
    if (!this.#upstreamOpen) return;
    this.details ??= "via_upstream";
    this.info.receiveResponse(Number(headers.get(":status")));
    if (endOfStream) this.#upstreamDone();
    this.#event(() => {
      this.#receiveHead(headers, endOfStream);
      if (this.#otherBody) this.#respondOtherwise(this.#otherBody);
    });
  }

  /** The response's head comes in, the upstream's or the proxy's own. */
  #receiveHead(headers: HeaderMap, endOfStream: boolean): void {
    if (this.#early) for (const [name, value] of this.#early.entries) headers.append(name, value);
    const hasEmptyBody = endOfStream && !this.profile.endsWithHeaders && this.#canHaveBody(headers);
    this.response.receiveHeaders(headers, endOfStream && !hasEmptyBody);
    if (hasEmptyBody && !this.#otherBody) this.response.receiveData(new Uint8Array(), true);
  }

  /** Whether a response can have a body: where headers callbacks do not hear the end, an empty one says it. */
  #canHaveBody(headers: HeaderMap): boolean {
    return !this.answersHead && !/^(1..|204|304)$/.test(headers.get(":status") ?? "");
  }

  /** The body that a filter gave in on_response_headers takes the place of the response's. */
  #respondOtherwise(body: Uint8Array): void {
    this.#resetUpstream("the proxy answered by itself");
    if (!this.ended && !this.response.complete) this.response.receiveData(body, true);
  }

  /** A piece of the response's body arrives. */
  responseData(bytes: Uint8Array, endOfStream: boolean): void {
    if (!this.#upstreamOpen) return;
    if (endOfStream) this.#upstreamDone();
    this.#event(() => this.response.receiveData(bytes, endOfStream));
  }

  /** The response's trailers arrive. */
  responseTrailers(trailers: HeaderMap): void {
    if (!this.#upstreamOpen) return;
    if (!this.profile.passesTrailers) return this.responseData(new Uint8Array(), true);
    this.#upstreamDone();
    this.#event(() => this.response.receiveTrailers(trailers));
  }

  /** A METADATA frame of the response arrives. */
  responseMetadata(entries: Metadata): void {
    if (this.#upstreamOpen) this.#event(() => this.response.receiveMetadata(entries));
  }

  /** The host calls its filters on its own account. */
  foreignFunction(functionId: number, argument: Uint8Array): void {
    if (this.ended) return;
    this.#event(() => {
      for (const filter of this.#filters) filter.foreignFunction?.(functionId, argument);
    });
  }

  /** The upstream fails: Envoy's own 503 when there is no response yet, a broken response otherwise. */
  upstreamReset(reason: UpstreamFailure): void {
    if (!this.#upstreamOpen) return;
    this.#closeUpstream();
    const [flag, transport] = upstreamFailures[reason];
    this.info.failUpstream(flag, transport);
    this.#event(() => {
      const when = this.response.message ? "after" : "before";
      const reply =
        this.profile.localReplies === "nginx"
          ? nginxError(502, "Bad Gateway", "upstream_failed")
          : upstreamFailureReply(reason, when);
      if (!this.#responseStarted) return this.sendLocalReply(reply);
      this.details = reply.details;
      this.reset(reply.details);
    });
  }

  /** Something arrives: what filters post meanwhile waits until it has been dealt with. */
  #event(deal: () => void): void {
    const { dispatcher } = this.#options;
    dispatcher.begin();
    try {
      deal();
    } finally {
      dispatcher.end();
    }
  }

  /** Why a filter cannot answer now, where it can do so only once and in time; undefined when it can, and then does. */
  claimLocalReply(reply: LocalReply, inResponseHeaders: boolean): Refusal | undefined {
    if (inResponseHeaders) return undefined;
    if (this.response.message || this.ended)
      return new Misuse(Status.BadArgument, "the response is on its way already");
    if (this.#isAnswered) return new Misuse(Status.BadArgument, "the request is answered already");
    const isStatus = reply.status >= 100 && reply.status <= 999;
    if (!isStatus) return new Refusal(Status.BadArgument, `${reply.status} is no status: 100 to 999 are`);
    this.#isAnswered = true;
    return undefined;
  }

  /** Answers the request from here. Through the filters while there is no response, past them while none was sent. */
  sendLocalReply(reply: LocalReply): void {
    if (this.ended || this.#responseFinished) return;
    if (!this.response.message) {
      // Only one reply goes out, but the log has what was last said of it.
      if (this.#pendingReply) {
        this.#pendingReply = { ...this.#pendingReply, details: reply.details };
        return;
      }
      this.#answeredWhileHeld = !this.#requestCallbacks && this.request.isHeld;
      this.request.aborted = true;
      this.#pendingReply = reply;
      if (!this.#requestCallbacks) this.#deliverReply();
    } else if (!this.#responseStarted && this.profile.localReplies === "nginx") {
      this.#overrideResponse(reply);
    } else if (!this.#responseStarted) {
      this.#replaceResponse(reply);
    } else {
      this.details = reply.details;
      this.reset(reply.details);
    }
  }

  /** Ends the exchange without a complete answer. */
  reset(details: string): void {
    if (this.ended) return;
    this.details = this.#pendingReply?.details ?? this.details ?? details;
    this.#resetUpstream("the stream was reset");
    this.#options.downstream.reset(details);
    this.#end();
  }

  /** Lets the request go on from this filter. */
  continueRequest(filter: StreamFilter): void {
    if (this.#answeredWhileHeld && this.request.isHeldBy(filter.request)) {
      throw new EnvoyFault(
        "the request was answered with proxy_send_local_response while it was held, and continued thereafter: Envoy " +
          "1.40 answers it and sends it upstream as well. Do one or the other.",
      );
    }
    if (!this.ended) this.request.continueFrom(filter.request);
  }

  /** Lets the response go on from this filter. */
  continueResponse(filter: StreamFilter): void {
    if (this.ended) return;
    if (!this.response.message) {
      throw new EnvoyFault(
        "proxy_continue_stream(HttpResponse) while there is no response: Envoy 1.40 crashes (SIGSEGV). " +
          "Continue the request, or wait for on_response_headers.",
      );
    }
    this.response.continueFrom(filter.response);
  }

  #deliverReply(): void {
    const reply = this.#pendingReply;
    if (!reply || this.ended) return;
    this.#pendingReply = undefined;
    this.localReply = reply;
    this.details = reply.details;
    this.info.code = reply.status;
    this.#resetUpstream("the proxy answered by itself");
    const { headers, body } = this.#messageOf(reply);
    this.#receiveHead(headers, !body.length);
    if (this.#otherBody) this.#respondOtherwise(this.#otherBody);
    else if (body.length) this.response.receiveData(body, true);
  }

  #messageOf(reply: LocalReply): { headers: HeaderMap; body: Uint8Array } {
    if (this.profile.localReplies === "envoy") return localReplyMessage(reply, this.request.message);
    return nginxReplyMessage(reply, this.request.message);
  }

  /** nginx's way in on_response_headers: another status and body, and the headers of the response. */
  #overrideResponse(reply: LocalReply): void {
    this.localReply = reply;
    this.details = reply.details;
    this.info.code = reply.status;
    this.response.message!.set(":status", String(reply.status));
    this.#otherBody = reply.body;
  }

  /** A reply that was asked for before the stream was reset still comes by the filters, when all is over. */
  #loseReply(): void {
    if (!this.#pendingReply) return;
    const { headers, body } = this.#messageOf(this.#pendingReply);
    this.#pendingReply = undefined;
    this.response.message = headers;
    for (const filter of this.#filters.toReversed()) filter.response.headers(headers, !body.length);
  }

  #replaceResponse(reply: LocalReply): void {
    this.response.aborted = true;
    this.localReply = reply;
    this.details = reply.details;
    this.#resetUpstream("the proxy answered by itself");
    const { headers, body } = this.#messageOf(reply);
    this.response.message = headers;
    const downstream = this.#toDownstream();
    downstream.headers(headers, !body.length);
    if (body.length) downstream.data(new Body(body), true);
  }

  #toUpstream(): Sink {
    const { upstream, route } = this.#options;
    const length = new MessageLength("request", this.profile);
    let timeout = 0n;
    const sink: Sink = {
      headers: (headers, endOfStream) => {
        const refusal = refuseRequest(headers, this.#hadForwardedProto);
        if (refusal) {
          this.info.routed = refusal.status !== 404;
          this.info.flags |= this.info.routed ? ResponseFlag.DownstreamProtocolError : ResponseFlag.NoRouteFound;
          return this.sendLocalReply(refusal);
        }
        this.#upstreamOpen = true;
        timeout = this.profile.responseTimeoutMs ?? takeTimeout(headers, route);
        length.head(headers);
        this.info.sendRequest();
        if (endOfStream) this.#awaitUpstream(timeout);
        upstream.headers(headers, endOfStream);
      },
      data: (data, endOfStream) => {
        length.data(data);
        if (endOfStream) this.#awaitUpstream(timeout);
        upstream.data(data, endOfStream);
        if (endOfStream) length.end();
      },
      trailers: (trailers) => {
        this.#awaitUpstream(timeout);
        upstream.trailers(trailers);
        length.end();
      },
      metadata: (entries) => upstream.metadata?.(entries),
    };
    return this.profile.readsWholeRequest ? wholeMessage(sink, () => this.request.aborted) : sink;
  }

  #toDownstream(): Sink {
    const { downstream } = this.#options;
    const length = new MessageLength("response", this.profile);
    return {
      headers: (headers, endOfStream) => {
        const refusal = refuseResponse(headers);
        if (refusal) return this.#replaceResponse(refusal);
        this.#responseStarted = true;
        length.head(headers);
        this.info.code = Number(headers.get(":status"));
        downstream.headers(headers, endOfStream);
        if (endOfStream) this.#finishResponse();
      },
      data: (data, endOfStream) => {
        length.data(data);
        this.info.bytesSent += data.length;
        downstream.data(data, endOfStream);
        if (!endOfStream) return;
        if (!this.answersHead) length.end();
        this.#finishResponse();
      },
      trailers: (trailers) => {
        downstream.trailers(trailers);
        length.end();
        this.#finishResponse();
      },
      metadata: (entries) => downstream.metadata?.(entries),
    };
  }

  #requestEvents(): DirectionEvents {
    return {
      entered: () => this.#requestCallbacks++,
      left: () => {
        if (!--this.#requestCallbacks) this.#deliverReply();
      },
      overLimit: () => {
        this.sendLocalReply(proxyReply(413, "Payload Too Large", "request_payload_too_large"));
      },
      watermark: (above) => this.#options.downstream.watermark?.(above),
      continuedTwice: () => {
        throw new EnvoyFault(
          "on_request_headers continued the request with proxy_continue_stream and returned Continue: Envoy 1.40 " +
            "sends the request upstream twice. Return Pause when the request is to be continued, or do not continue it.",
        );
      },
      endedTwice: () => {
        throw new EnvoyFault(
          "the request went on although its trailers had: Envoy 1.40 sends them twice, and what is too much stands in " +
            "front of the connection's next request. Do not continue a request that is not held, and make trailers " +
            "only when no part of the body was held.",
        );
      },
    };
  }

  #responseEvents(): DirectionEvents {
    return {
      entered: () => {},
      left: () => {},
      overLimit: () => {
        this.sendLocalReply(proxyReply(500, "Internal Server Error", "response_payload_too_large"));
      },
      watermark: (above) => this.#options.upstream.watermark?.(above),
      continuedTwice: () => {
        throw new EnvoyFault(
          "on_response_headers continued the response with proxy_continue_stream and returned Continue: Envoy 1.40 " +
            "sends the response's head twice. Return Pause when the response is to be continued, or do not continue it.",
        );
      },
      endedTwice: () => {
        throw new EnvoyFault(
          "a response callback continued the response to its end with proxy_continue_stream and returned Continue: " +
            "Envoy 1.40 crashes (SIGSEGV). Return Pause when the response is to be continued, or do not continue it.",
        );
      },
    };
  }

  /** The request is complete: its whole response has so many milliseconds, or all the time there is. */
  #awaitUpstream(milliseconds: bigint): void {
    if (!milliseconds) return;
    this.#stopWaiting = this.#options.clock.after(Number(milliseconds), () => {
      if (!this.#upstreamOpen) return;
      this.info.flags |= ResponseFlag.UpstreamRequestTimeout;
      this.#event(() => {
        this.#resetUpstream("the upstream took too long");
        const reply = proxyReply(504, "upstream request timeout", "response_timeout");
        this.sendLocalReply(
          this.profile.localReplies === "nginx" ? nginxError(504, "Gateway Time-out", "upstream_timed_out") : reply,
        );
      });
    });
  }

  #closeUpstream(): void {
    this.#upstreamOpen = false;
    this.#stopWaiting?.();
  }

  #upstreamDone(): void {
    this.#closeUpstream();
    this.info.completeResponse();
  }

  #resetUpstream(reason: string): void {
    if (!this.#upstreamOpen) return;
    this.#closeUpstream();
    this.#options.upstream.reset(reason);
  }

  #finishResponse(): void {
    this.#responseFinished = true;
    // The rest of the request has nowhere to go any more.
    if (this.request.message && !this.request.complete) this.#upstreamOpen = true;
    this.#resetUpstream("the response is complete");
    this.#end();
  }

  #end(): void {
    if (this.ended) return;
    this.ended = true;
    this.request.aborted = true;
    this.response.aborted = true;
    this.info.end();
    for (const filter of this.#filters) filter.log();
    for (const filter of this.#filters) filter.destroy();
    this.#loseReply();
  }
}

/** Keeps the head of a message until its body is complete, and says there how long it is. */
function wholeMessage(sink: Sink, isOver: () => boolean): Sink {
  let head: HeaderMap | undefined;
  return {
    headers: (headers, endOfStream) => {
      if (endOfStream) return sink.headers(headers, true);
      head = headers;
    },
    data: (data, endOfStream) => {
      head!.put("content-length", String(data.length));
      sink.headers(head!, false);
      if (!isOver()) sink.data(data, endOfStream);
    },
    trailers: (trailers) => sink.trailers(trailers),
  };
}

/** How an upstream fails, in Envoy's words. */
export type UpstreamFailure =
  "remote connection failure" | "connection termination" | "connection timeout" | "remote reset" | "protocol error";

/** The flag of each failure, and what the transport says of it. */
const upstreamFailures: Readonly<Record<UpstreamFailure, readonly [flag: number, transport: string]>> = {
  "remote connection failure": [ResponseFlag.UpstreamConnectionFailure, "delayed connect error: Connection refused"],
  "connection termination": [ResponseFlag.UpstreamConnectionTermination, ""],
  "connection timeout": [ResponseFlag.UpstreamConnectionFailure, ""],
  "protocol error": [ResponseFlag.UpstreamProtocolError, ""],
  "remote reset": [ResponseFlag.UpstreamRemoteReset, ""],
};
