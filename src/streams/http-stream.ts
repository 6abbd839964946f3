// One HTTP exchange inside the proxy: a request through the filters to the upstream, its response back through them in
// reverse order, local replies, resets, and the end. Synchronous and driven by events: whoever owns the stream feeds
// what arrives and receives what goes out.

import { type UpstreamFailure, upstreamFailures } from "../http/response-flag.ts";
import { Body } from "../http/body.ts";
import { noBytes } from "../encoding/bytes.ts";
import {
  type Codec,
  codecOf,
  type Malformed,
  type HttpProtocol,
  type RequestHead,
  type StreamReset,
} from "../http/codec.ts";
import { receivedHeaders, refuseRequestHead } from "../http/connection.ts";
import {
  Direction,
  type DirectionEvents,
  type MessageFilter,
  type Metadata,
  type Which,
  type Peer,
} from "./direction.ts";
import type { Clock } from "../clock.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { Status } from "../../assembly/abi.ts";
import { EnvoyFault, Misuse, Refusal } from "../error.ts";
import { HeaderMap } from "../http/header-map.ts";
import { isContinue } from "../http/http1-codec.ts";
import { wrongLength } from "../http/http2-codec.ts";
import type { Limits } from "../limits.ts";
import {
  type LocalReply,
  localReplyMessage,
  nginxError,
  nginxReplyMessage,
  proxyReply,
  upstreamFailureReply,
} from "../http/local-reply.ts";
import type { StreamSources } from "../properties/properties.ts";
import type { HostProfile } from "../profiles/profile.ts";
import type { GivenProperties } from "../properties/property-options.ts";
import type { RetryBudget } from "./retry.ts";
import type { Route } from "./router.ts";
import { DownstreamEnd, UpstreamEnd, WholeMessage } from "./stream-ends.ts";
import { type StreamInfo } from "../properties/stream-info.ts";
import { ResponseFlag } from "../http/response-flag.ts";
import type { Trace } from "../trace.ts";

/** A filter in the chain of a stream. */
export interface StreamFilter extends MessageFilter {
  /** The exchange is to be logged. */
  log(): void;
  /** The host calls it on its own account. */
  foreignFunction?(functionId: number, argument: Uint8Array): void;
  /** The stream is over; no call of it follows. */
  destroy(): void;
}

/** What a stream needs to know. */
export interface HttpStreamOptions {
  /** Receives the response, and the watermark of the request. */
  readonly downstream: Peer;
  /** Receives the request, and the watermark of the response. */
  readonly upstream: Peer;
  /** Gets the router's notes. */
  readonly trace: Trace;
  /** What the host bounds. */
  readonly limits: Limits;
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
  /** What the client speaks. */
  readonly protocol: HttpProtocol;
  /** What the upstream speaks. */
  readonly upstreamProtocol: HttpProtocol;
  /** What it shares with other requests that are sent again. */
  readonly retries: RetryBudget;
}

/** An exchange on its way through a chain of filters. */
export class HttpStream implements DirectionEvents {
  readonly request: Direction;
  readonly response: Direction;
  /** What the host does in its own way. */
  readonly profile: HostProfile;
  /** What the upstream speaks. */
  readonly upstreamProtocol: HttpProtocol;
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
  /** Whether it ended without a complete answer. */
  #broken = false;
  /** Whether what ended it is a reply that went through the filters. */
  #replied = false;

  readonly #filters: readonly StreamFilter[];
  readonly #upstream: UpstreamEnd;
  readonly #downstream: DownstreamEnd;
  readonly #options: HttpStreamOptions;
  readonly #codec: Codec;
  readonly #upstreamCodec: Codec;
  /** The bytes that are yet to come of a body whose length counts. */
  #requestLeft: number | undefined;
  #responseLeft: number | undefined;
  #requestCallbacks = 0;
  #pendingReply: LocalReply | undefined;
  #answeredWhileHeld = false;
  /** Whether a filter has answered, where it can do so only once. */
  #isAnswered = false;
  #responseFinished = false;
  /** The request's body as far as it has come, where all of it is read before anything happens. */
  #gathered: Body | undefined;
  /** What filters have set of a response that has not come yet, where they can. */
  #early: HeaderMap | undefined;
  /** The body in place of the response's, where a filter has answered in on_response_headers. */
  #otherBody: Uint8Array | undefined;

  /** `makeFilters` gives them in the order of the request. */
  constructor(makeFilters: (stream: HttpStream) => readonly StreamFilter[], options: HttpStreamOptions) {
    this.#options = options;
    this.profile = options.profile;
    this.info = options.info;
    this.given = options.given;
    this.upstreamProtocol = options.upstreamProtocol;
    this.#codec = codecOf(options.protocol);
    this.#upstreamCodec = codecOf(options.upstreamProtocol, "upstreamProtocol");
    this.#filters = makeFilters(this);
    this.#upstream = new UpstreamEnd(this, options);
    this.#downstream = new DownstreamEnd(this, options);
    const { profile } = options;
    const { bufferBytes } = options.limits;
    const onward = profile.readsWholeRequest ? new WholeMessage(this.#upstream, this) : this.#upstream;
    this.request = new Direction("request", this.#filters, onward, this, bufferBytes);
    this.response = new Direction("response", this.#filters.toReversed(), this.#downstream, this, bufferBytes);
  }

  /** The headers of a response that has not come yet: they go out with it. */
  get earlyHeaders(): HeaderMap {
    return (this.#early ??= new HeaderMap("response"));
  }

  /** Whether what comes over the wire is read as Envoy does. */
  get #hasEnvoysCodec(): boolean {
    return this.profile.server === "envoy";
  }

  /** Whether the response's head is on its way to the client. */
  get responseStarted(): boolean {
    return this.#downstream.isStarted;
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

  /** The request's head arrives from the client; `head` is what it sent, where it is known. */
  requestHeaders(headers: HeaderMap, endOfStream: boolean, head?: RequestHead): void {
    const isEnvoys = this.#hasEnvoysCodec;
    const malformed = head && isEnvoys ? this.#codec.refuseHead(head, endOfStream, this.#options.limits) : undefined;
    if (malformed) return this.#refuseHead(malformed);
    if (isEnvoys && !endOfStream) this.#requestLeft = this.#codec.bodyLength(headers, false);
    // Envoy tells the client to go on, which counts as an answer until there is another.
    if (isEnvoys && head?.headers.get("expect") !== undefined && head.headers.getAll("expect").some(isContinue)) {
      this.info.code = 100;
    }
    this.answersHead = headers.get(":method") === "HEAD";
    this.#upstream.wantsForwardedProto = headers.get("x-forwarded-proto") !== undefined;
    const refusal = refuseRequestHead(headers, this.#options.route.upgrades);
    if (!refusal) return this.event(() => this.request.receiveHeaders(headers, endOfStream));
    this.request.message = head && refusal.status !== 403 ? receivedHeaders(head, this.profile) : headers;
    // Only an upgrade is refused when the route is known.
    this.info.routed = refusal.status === 403;
    // What cannot be normalized Envoy refuses before it notes that the request is complete, and an upgrade never is: it
    // ends the connection then.
    this.request.complete = endOfStream && refusal.status === 404;
    this.event(() => this.sendLocalReply(refusal));
  }

  /** Over HTTP/1 it is answered; over HTTP/2 no filter even hears of the stream. */
  #refuseHead(malformed: Malformed): void {
    this.info.received = this.info.routed = false;
    this.info.flags |= ResponseFlag.DownstreamProtocolError;
    this.event(() => {
      if ("reply" in malformed) return this.replaceResponse(malformed.reply);
      this.details = malformed.details;
      this.ended = true;
      for (const filter of this.#filters) filter.destroy();
      this.#options.downstream.reset(describeReset(malformed));
    });
  }

  /** The client breaks the rules of HTTP/2. */
  #breakRequest(reset: StreamReset): void {
    this.info.flags |= reset.flag;
    this.event(() => {
      this.details = reset.details;
      this.#upstream.reset("the client's stream was reset");
      this.#options.downstream.reset(describeReset(reset));
      this.#end();
    });
  }

  /** A piece of the request's body arrives. */
  requestData(bytes: Uint8Array, endOfStream: boolean): void {
    if (this.ended) return;
    if (this.#requestLeft !== undefined) {
      this.#requestLeft -= bytes.length;
      if (isWrongLength(this.#requestLeft, endOfStream)) return this.#breakRequest(wrongLength(false));
    }
    this.info.bytesReceived += bytes.length;
    if (!this.profile.readsWholeRequest) return this.event(() => this.request.receiveData(bytes, endOfStream));
    const body = (this.#gathered ??= new Body());
    body.append(bytes);
    if (endOfStream) this.event(() => this.request.receiveData(body.bytes(), true));
  }

  /** The request's trailers arrive. */
  requestTrailers(trailers: HeaderMap): void {
    if (!this.profile.passesTrailers) return this.requestData(noBytes, true);
    if (this.ended) return;
    const malformed = this.#hasEnvoysCodec ? this.#refuseTrailers(trailers) : undefined;
    if (!malformed) return this.event(() => this.request.receiveTrailers(trailers));
    if ("details" in malformed) return this.#breakRequest(malformed);
    this.info.flags |= ResponseFlag.DownstreamProtocolError;
    this.event(() => this.sendLocalReply(malformed.reply));
  }

  #refuseTrailers(trailers: HeaderMap): Malformed | undefined {
    const malformed = this.#codec.refuseTrailers(trailers, this.#options.limits);
    return malformed ?? (this.#requestLeft ? wrongLength(true) : undefined);
  }

  /** A METADATA frame of the request arrives. */
  requestMetadata(entries: Metadata): void {
    if (!this.ended) this.event(() => this.request.receiveMetadata(entries));
  }

  /** The client has gone: over HTTP/2 it has reset the stream, unless it is the `connection` that has ended. */
  requestReset(connection: boolean = this.#options.protocol === "HTTP/1.1"): void {
    if (!this.ended) {
      this.details = connection ? "downstream_remote_disconnect" : "http2.remote_reset";
      this.info.flags |= connection ? ResponseFlag.DownstreamConnectionTermination : ResponseFlag.DownstreamRemoteReset;
    }
    this.event(() => {
      this.#upstream.reset("the client has gone");
      this.#end();
    });
  }

  /** The response's head arrives from the upstream; the interim ones before it stay here. */
  responseHeaders(headers: HeaderMap, endOfStream: boolean): void {
    if (!this.#upstream.isOpen) return;
    if (this.#hasEnvoysCodec) {
      const { limits } = this.#options;
      const answersHead = this.request.message?.get(":method") === "HEAD";
      const kind = this.#upstreamCodec.readResponse(headers, endOfStream, limits, answersHead);
      if (kind === "interim") return this.#upstream.stopRetrying();
      if (kind !== "final") return this.upstreamReset(kind);
      this.#responseLeft = endOfStream ? undefined : this.#upstreamCodec.bodyLength(headers, answersHead);
    }
    if (this.#upstream.isTriedAgain(headers, endOfStream)) return;
    this.details ??= "via_upstream";
    this.info.receiveResponse(Number(headers.get(":status")));
    if (endOfStream) this.#upstream.complete();
    this.event(() => {
      this.#receiveHead(headers, endOfStream);
      if (this.#otherBody) this.#respondOtherwise(this.#otherBody);
    });
  }

  /** The response's head comes in, the upstream's or the proxy's own. */
  #receiveHead(headers: HeaderMap, endOfStream: boolean): void {
    if (this.#early) for (const [name, value] of this.#early.entries) headers.append(name, value);
    const hasEmptyBody = endOfStream && !this.profile.endsWithHeaders && this.#canHaveBody(headers);
    this.response.receiveHeaders(headers, endOfStream && !hasEmptyBody);
    if (hasEmptyBody && !this.#otherBody) this.response.receiveData(noBytes, true);
  }

  /** Whether a response can have a body: where headers callbacks do not hear the end, an empty one says it. */
  #canHaveBody(headers: HeaderMap): boolean {
    return !this.answersHead && !/^(1..|204|304)$/.test(headers.get(":status") ?? "");
  }

  /** The body that a filter gave in on_response_headers takes the place of the response's. */
  #respondOtherwise(body: Uint8Array): void {
    this.#upstream.reset("the proxy answered by itself");
    if (!this.ended && !this.response.complete) this.response.receiveData(body, true);
  }

  /** A piece of the response's body arrives. */
  responseData(bytes: Uint8Array, endOfStream: boolean): void {
    if (!this.#upstream.isOpen || !this.response.message) return;
    if (this.#responseLeft !== undefined) {
      this.#responseLeft -= bytes.length;
      if (isWrongLength(this.#responseLeft, endOfStream)) return this.upstreamReset("protocol error");
    }
    if (endOfStream) this.#upstream.complete();
    this.event(() => this.response.receiveData(bytes, endOfStream));
  }

  /** The response's trailers arrive. */
  responseTrailers(trailers: HeaderMap): void {
    if (!this.#upstream.isOpen || !this.response.message) return;
    if (!this.profile.passesTrailers) return this.responseData(noBytes, true);
    if (this.#hasEnvoysCodec) {
      const failure = this.#upstreamCodec.refuseResponseTrailers(trailers, this.#options.limits);
      if (failure || this.#responseLeft) return this.upstreamReset(failure ?? "protocol error");
    }
    this.#upstream.complete();
    this.event(() => this.response.receiveTrailers(trailers));
  }

  /** A METADATA frame of the response arrives. */
  responseMetadata(entries: Metadata): void {
    if (this.#upstream.isOpen) this.event(() => this.response.receiveMetadata(entries));
  }

  /** The host calls its filters on its own account. */
  foreignFunction(functionId: number, argument: Uint8Array): void {
    if (this.ended) return;
    this.event(() => {
      for (const filter of this.#filters) filter.foreignFunction?.(functionId, argument);
    });
  }

  /** The upstream fails: Envoy's own 503 when there is no response yet, a broken response otherwise. */
  upstreamReset(reason: UpstreamFailure): void {
    if (!this.#upstream.isOpen || this.#upstream.isFollowed(reason)) return;
    this.#upstream.close();
    const [flag, transport] = upstreamFailures[reason];
    this.info.failUpstream(flag, transport);
    this.event(() => {
      const when = this.response.message ? "after" : "before";
      const reply =
        this.profile.localReplies === "nginx"
          ? nginxError(502, "Bad Gateway", "upstream_failed")
          : upstreamFailureReply(reason, when, this.info.attempts > 1);
      if (!this.#downstream.isStarted) return this.sendLocalReply(reply);
      this.details = reply.details;
      this.reset(reply.details);
    });
  }

  /** Something arrives: what filters post meanwhile waits until it has been dealt with. */
  event(deal: () => void): void {
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
    } else if (!this.#downstream.isStarted && this.profile.localReplies === "nginx") {
      this.#overrideResponse(reply);
    } else if (!this.#downstream.isStarted) {
      this.replaceResponse(reply);
    } else {
      this.details = reply.details;
      this.reset(reply.details);
    }
  }

  /** A filter closes the exchange. */
  close(): void {
    if (this.ended && !this.#replied) this.#refuseMore("proxy_close_stream");
    this.reset("wasm_close_stream");
  }

  /** A filter answers the request. */
  answer(reply: LocalReply): void {
    if (this.ended && !this.#replied) this.#refuseMore("proxy_send_local_response");
    this.sendLocalReply(reply);
  }

  /** What ended the exchange and this have been put off by the same callback: nothing else can reach it any more. */
  #refuseMore(call: string): never {
    throw new EnvoyFault(
      `${call} behind another call that ended the stream, in one callback: Envoy 1.40 crashes (SIGSEGV), or answers on ` +
        "a stream that it has closed. Answer or close once, and return.",
    );
  }

  /** Ends the exchange without a complete answer. */
  reset(details: string): void {
    if (this.ended) return;
    this.#broken = true;
    this.#replied = false;
    const reply = this.#pendingReply;
    this.details = reply?.details ?? this.details ?? details;
    if (reply) this.info.code = reply.status;
    this.#upstream.reset("the stream was reset");
    this.#options.downstream.reset(details);
    this.#end();
  }

  /** Lets the request go on from this filter. */
  continueRequest(filter: StreamFilter): void {
    if (this.#answeredWhileHeld && this.request.isHeldBy(filter)) {
      throw new EnvoyFault(
        "the request was answered with proxy_send_local_response while it was held, and continued thereafter: Envoy " +
          "1.40 answers it and sends it upstream as well. Do one or the other.",
      );
    }
    if (!this.ended) this.request.continueFrom(filter);
  }

  /** Lets the response go on from this filter. */
  continueResponse(filter: StreamFilter): void {
    if (this.#broken && this.response.isHeldBy(filter)) this.#refuseMore("proxy_continue_stream(HttpResponse)");
    if (!this.response.message) {
      throw new EnvoyFault(
        "proxy_continue_stream(HttpResponse) while there is no response: Envoy 1.40 crashes (SIGSEGV). " +
          "Continue the request, or wait for on_response_headers.",
      );
    }
    if (!this.ended) this.response.continueFrom(filter);
  }

  #deliverReply(): void {
    const reply = this.#pendingReply;
    if (!reply || this.ended) return;
    this.#pendingReply = undefined;
    this.#replied = true;
    this.localReply = reply;
    this.details = reply.details;
    this.info.code = reply.status;
    this.#upstream.reset("the proxy answered by itself");
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
    for (const filter of this.#filters.toReversed()) filter.headers("response", headers, !body.length);
  }

  /** Sends a reply in place of a response of which nothing has gone out, past the filters. */
  replaceResponse(reply: LocalReply): void {
    this.#replied = false;
    this.response.aborted = true;
    this.localReply = reply;
    this.details = reply.details;
    this.#upstream.reset("the proxy answered by itself");
    const { headers, body } = this.#messageOf(reply);
    this.response.message = headers;
    this.#downstream.headers(headers, !body.length);
    if (body.length) this.#downstream.data(new Body(body), true);
  }

  entered(which: Which): void {
    if (which === "request") this.#requestCallbacks++;
  }

  left(which: Which): void {
    if (which === "request" && !--this.#requestCallbacks) this.#deliverReply();
  }

  overLimit(which: Which): void {
    this.sendLocalReply(
      which === "request"
        ? proxyReply(413, "Payload Too Large", "request_payload_too_large")
        : proxyReply(500, "Internal Server Error", "response_payload_too_large"),
    );
  }

  watermark(which: Which, above: boolean): void {
    const sender = which === "request" ? this.#options.downstream : this.#options.upstream;
    sender.watermark?.(above);
  }

  continued(which: Which): void {
    if (which === "request") this.#upstream.continued();
  }

  continuedTwice(which: Which): void {
    if (this.#broken) return;
    const sent = which === "request" ? "the request upstream" : "the response's head";
    throw new EnvoyFault(
      `on_${which}_headers continued the ${which} with proxy_continue_stream and returned Continue: Envoy 1.40 sends ` +
        `${sent} twice. Return Pause when the ${which} is to be continued, or do not continue it.`,
    );
  }

  endedTwice(which: Which): void {
    throw new EnvoyFault(
      which === "request"
        ? "the request went on although its trailers had: Envoy 1.40 sends them twice, and what is too much stands in " +
            "front of the connection's next request. Do not continue a request that is not held, and make trailers " +
            "only when no part of the body was held."
        : "a response callback continued the response to its end with proxy_continue_stream and returned Continue: " +
            "Envoy 1.40 crashes (SIGSEGV). Return Pause when the response is to be continued, or do not continue it.",
    );
  }

  /** The whole response has gone out. */
  finishResponse(): void {
    this.#responseFinished = true;
    this.#upstream.reset("the response is complete");
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

/** Whether a body cannot be as long any more as its head says, of which so many bytes are left. */
function isWrongLength(left: number, endOfStream: boolean): boolean {
  return left < 0 || (endOfStream && left > 0);
}

function describeReset({ details, why }: StreamReset): string {
  return `the request breaks the rules of HTTP/2, so Envoy resets its stream (${details}): ${why}`;
}
