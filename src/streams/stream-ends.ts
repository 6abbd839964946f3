// Where the messages of an HTTP stream leave it, behind the last filter of each direction: the request for the upstream,
// as Envoy's router sends it, and the response for the client, as its connection manager does.

import type { Body } from "../http/body.ts";
import { codecOf } from "../http/codec.ts";
import { finishResponse } from "../http/connection.ts";
import type { Metadata, Sink } from "./direction.ts";
import { EnvoyFault } from "../error.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HttpStream, HttpStreamOptions } from "./http-stream.ts";
import type { Peer } from "./direction.ts";
import { nginxError, proxyReply } from "../http/local-reply.ts";
import { MessageLength } from "./message-length.ts";
import { noteRefusal, Retry, type TryFailure } from "./retry.ts";
import { plainPatience, refuseRequest, refuseResponse, settleScheme, takePatience, tellPatience } from "./router.ts";
import { ResponseFlag } from "../http/response-flag.ts";

const noPatience = plainPatience(0n);

/** Where the request goes. */
export class UpstreamEnd implements Sink {
  /** Whether the upstream has something of the request, and its response is not complete. */
  isOpen = false;
  /** Whether the request came with `x-forwarded-proto`, and so must have it still. */
  wantsForwardedProto = false;

  readonly #stream: HttpStream;
  readonly #options: HttpStreamOptions;
  readonly #peer: Peer;
  #length: MessageLength | undefined;
  #patience = noPatience;
  /** Undefined when this try is the last. */
  #retry: Retry | undefined;
  /** Call off the end of the wait for the upstream, and for its response's head. */
  #stopWaiting: (() => void) | undefined;
  #stopTrying: (() => void) | undefined;

  constructor(stream: HttpStream, options: HttpStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#peer = options.upstream;
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    const { info, profile } = this.#stream;
    const refusal = refuseRequest(headers, this.wantsForwardedProto);
    if (refusal) {
      info.routed = refusal.status !== 404;
      info.flags |= info.routed ? ResponseFlag.DownstreamProtocolError : ResponseFlag.NoRouteFound;
      return this.#stream.sendLocalReply(refusal);
    }
    this.isOpen = true;
    const wholeMs = profile.responseTimeoutMs;
    this.#patience =
      wholeMs === undefined ? takePatience(headers, this.#options.route, this.#options.trace) : plainPatience(wholeMs);
    const { upstreamProtocol } = this.#options;
    if (profile.server === "envoy") settleScheme(headers);
    if (!endOfStream) this.#length = new MessageLength("request", headers, upstreamProtocol, profile);
    info.sendRequest();
    const retry = this.#mayRetry(headers);
    if (endOfStream) this.#awaitResponse();
    if (retry) retry.send(this.#peer);
    else this.#peer.headers(codecOf(upstreamProtocol).sendRequest(headers, endOfStream), endOfStream);
  }

  data(data: Body, endOfStream: boolean): void {
    this.#length?.data(data);
    if (this.#retry && !this.#keep(this.#retry, data)) return;
    if (endOfStream) this.#awaitResponse();
    if (!this.#retry?.isDue) this.#peer.data(data, endOfStream);
    if (endOfStream) this.#length?.end();
  }

  trailers(trailers: HeaderMap): void {
    this.#retry?.keepTrailers(trailers);
    this.#awaitResponse();
    if (!this.#retry?.isDue) this.#peer.trailers(trailers);
    this.#length?.end();
  }

  metadata(entries: Metadata): void {
    if (!this.#retry?.isDue) this.#peer.metadata?.(entries);
  }

  /** Nobody waits for the response any more. */
  close(): void {
    this.isOpen = false;
    this.#stopTrying?.();
    this.#stopWaiting?.();
    this.stopRetrying();
  }

  /** The head of a response has come in: whether the request is sent again in place of it. */
  isTriedAgain(head: HeaderMap, endOfStream: boolean): boolean {
    if (this.#retry?.replaces(head)) {
      this.#endTry(!endOfStream || this.#retry.completedAt === undefined);
      return true;
    }
    this.#stopTrying?.();
    this.stopRetrying();
    return false;
  }

  /** There is no response for this reason: whether the request is sent again. */
  isFollowed(reason: TryFailure): boolean {
    if (!this.#retry?.follows(reason)) return false;
    this.#endTry(reason === "local reset");
    return true;
  }

  /** A filter continues the request: a body that is kept for another try must not have gone on yet. */
  continued(): void {
    if (!this.#retry?.hasBody) return;
    throw new EnvoyFault(
      "the request was continued when a part of its body had gone on, and x-envoy-retry-on was set: Envoy 1.40 keeps for " +
        "another try what has gone on, where it keeps what filters hold, and sends it once more. Hold a body from its " +
        "first piece on, or let all of it go on.",
    );
  }

  /** What comes of this try is what the client gets. */
  stopRetrying(): void {
    this.#retry?.end();
    this.#retry = undefined;
  }

  /** The whole response has come in. */
  complete(): void {
    const { request } = this.#stream;
    if (!request.sent) {
      // The rest of the request has nowhere to go any more, and no filter hears of it.
      request.aborted = true;
      this.#peer.reset("the response is complete");
    }
    this.close();
    this.#stream.info.completeResponse();
  }

  /** Breaks off, unless the response is complete. */
  reset(reason: string): void {
    const { isOpen } = this;
    if (!isOpen && !this.#retry?.isDue) return;
    this.close();
    if (isOpen) this.#peer.reset(reason);
  }

  /** What may send the request again, when its headers ask for it. */
  #mayRetry(headers: HeaderMap): Retry | undefined {
    const { retries } = this.#patience;
    if (!retries) return undefined;
    const { clock, limits, trace, upstreamProtocol, retries: budget } = this.#options;
    const again = (why: string): void => this.#tryAgain(headers, why);
    this.#retry = new Retry(retries, headers, {
      budget,
      codec: codecOf(upstreamProtocol),
      clock,
      info: this.#stream.info,
      trace,
      mostBytes: limits.bufferBytes,
      again,
    });
    return this.#retry;
  }

  /** Keeps a piece of the body for further tries; false when there is no upstream that could have it instead. */
  #keep(retry: Retry, data: Body): boolean {
    if (retry.keep(data)) return true;
    const { isDue } = retry;
    this.stopRetrying();
    if (!isDue) {
      const { limits, trace } = this.#options;
      noteRefusal(trace, `its body has more than limits.bufferBytes (${limits.bufferBytes})`);
      return true;
    }
    const text = "exceeded request buffer limit while retrying upstream";
    this.close();
    this.#stream.sendLocalReply(proxyReply(507, text, "request_payload_exceeded_retry_buffer_limit"));
    return false;
  }

  /** A try is over, and another one follows. */
  #endTry(isBrokenOff: boolean): void {
    this.isOpen = false;
    this.#stopTrying?.();
    if (isBrokenOff) this.#peer.reset("the request is sent again");
  }

  #tryAgain(headers: HeaderMap, why: string): void {
    const retry = this.#retry!;
    const { completedAt } = retry;
    const passed = completedAt === undefined ? 0n : this.#options.clock.now() - completedAt;
    this.#stream.event(() => {
      this.isOpen = true;
      this.#stream.info.sendRequest();
      tellPatience(headers, this.#patience, passed / 1_000_000n);
      if (completedAt !== undefined) this.#awaitHead();
      this.#peer.again?.(`the request is sent again: ${why}`);
      retry.send(this.#peer);
    });
  }

  /** The request is complete: the time for the response begins. */
  #awaitResponse(): void {
    this.#retry?.complete();
    // Between two tries there is nobody to wait for.
    if (this.#retry?.isDue) return;
    const { wholeMs } = this.#patience;
    const { clock } = this.#options;
    if (wholeMs) this.#stopWaiting = clock.after(Number(wholeMs), () => this.#timedOut("response_timeout"));
    this.#awaitHead();
  }

  /** A try has the whole request: the time for the response's head begins. */
  #awaitHead(): void {
    const { tryMs } = this.#patience;
    if (!tryMs) return;
    this.#stopTrying = this.#options.clock.after(Number(tryMs), () => {
      if (this.isOpen && !this.isFollowed("local reset")) this.#timedOut("upstream_per_try_timeout");
    });
  }

  #timedOut(details: string): void {
    if (!this.isOpen && !this.#retry?.isDue) return;
    const { info, profile } = this.#stream;
    info.flags |= ResponseFlag.UpstreamRequestTimeout;
    this.#stream.event(() => {
      this.reset("the upstream took too long");
      this.#stream.sendLocalReply(
        profile.localReplies === "nginx"
          ? nginxError(504, "Gateway Time-out", "upstream_timed_out")
          : this.#patience.answersEmpty
            ? proxyReply(204, "", details)
            : proxyReply(504, "upstream request timeout", details),
      );
    });
  }
}

/** Where the response goes. */
export class DownstreamEnd implements Sink {
  /** Whether the head is on its way to the client. */
  isStarted = false;

  readonly #stream: HttpStream;
  readonly #options: HttpStreamOptions;
  readonly #peer: Peer;
  #length: MessageLength | undefined;

  constructor(stream: HttpStream, options: HttpStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#peer = options.downstream;
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    const refusal = refuseResponse(headers);
    if (refusal) return this.#stream.replaceResponse(refusal);
    this.isStarted = true;
    const { info, request, profile, answersHead } = this.#stream;
    const { server } = profile;
    const { clock, protocol } = this.#options;
    if (!endOfStream) this.#length = new MessageLength("response", headers, protocol, profile);
    const status = headers.get(":status");
    info.code = Number(status);
    const upgraded = status === "101" && request.message?.get("upgrade") !== undefined;
    if (profile.addsEnvoyHeaders && request.message?.get("x-envoy-force-trace") !== undefined) {
      const id = request.message.get("x-request-id");
      if (id !== undefined) headers.put("x-request-id", id);
    }
    finishResponse(headers, clock, { requestComplete: request.complete, upgraded, protocol, server });
    this.#peer.headers(codecOf(protocol).sendResponse(headers, endOfStream, answersHead), endOfStream);
    if (endOfStream) this.#stream.finishResponse();
  }

  data(data: Body, endOfStream: boolean): void {
    this.#length?.data(data);
    this.#stream.info.bytesSent += data.length;
    this.#peer.data(data, endOfStream);
    if (!endOfStream) return;
    if (!this.#stream.answersHead) this.#length?.end();
    this.#stream.finishResponse();
  }

  trailers(trailers: HeaderMap): void {
    this.#peer.trailers(trailers);
    this.#length?.end();
    this.#stream.finishResponse();
  }

  metadata(entries: Metadata): void {
    this.#peer.metadata?.(entries);
  }
}

/** Keeps the head of a request until its body is complete, and says there how long it is. */
export class WholeMessage implements Sink {
  readonly #sink: Sink;
  readonly #stream: HttpStream;
  #head: HeaderMap | undefined;

  constructor(sink: Sink, stream: HttpStream) {
    this.#sink = sink;
    this.#stream = stream;
  }

  headers(headers: HeaderMap, endOfStream: boolean): void {
    if (endOfStream) this.#sink.headers(headers, true);
    else this.#head = headers;
  }

  data(data: Body, endOfStream: boolean): void {
    this.#head!.put("content-length", String(data.length));
    this.#sink.headers(this.#head!, false);
    if (!this.#stream.request.aborted) this.#sink.data(data, endOfStream);
  }

  trailers(trailers: HeaderMap): void {
    this.#sink.trailers(trailers);
  }
}
