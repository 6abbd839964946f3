// Where the messages of an HTTP stream leave it, behind the last filter of each direction: the request for the upstream,
// as Envoy's router sends it, and the response for the client, as its connection manager does.

import type { Body } from "./body.ts";
import { finishResponse, requestHead, responseHead } from "./connection.ts";
import type { Metadata, Sink } from "./direction.ts";
import type { HeaderMap } from "./header-map.ts";
import type { HttpStream, HttpStreamOptions, Peer } from "./http-stream.ts";
import { nginxError, proxyReply } from "./local-reply.ts";
import { MessageLength } from "./message-length.ts";
import { plainPatience, refuseRequest, refuseResponse, takePatience } from "./router.ts";
import { ResponseFlag } from "./stream-info.ts";

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
  #patience = plainPatience(0n);
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
    this.#patience = wholeMs === undefined ? takePatience(headers, this.#options.route) : plainPatience(wholeMs);
    if (!endOfStream) this.#length = new MessageLength("request", headers, profile);
    info.sendRequest();
    if (endOfStream) this.#awaitResponse();
    this.#peer.headers(requestHead(headers, endOfStream), endOfStream);
  }

  data(data: Body, endOfStream: boolean): void {
    this.#length?.data(data);
    if (endOfStream) this.#awaitResponse();
    this.#peer.data(data, endOfStream);
    if (endOfStream) this.#length?.end();
  }

  trailers(trailers: HeaderMap): void {
    this.#awaitResponse();
    this.#peer.trailers(trailers);
    this.#length?.end();
  }

  metadata(entries: Metadata): void {
    this.#peer.metadata?.(entries);
  }

  /** Nobody waits for the response any more. */
  close(): void {
    this.isOpen = false;
    this.#stopTrying?.();
    this.#stopWaiting?.();
  }

  /** The head of the response has come in. */
  begin(): void {
    this.#stopTrying?.();
  }

  /** The whole response has come in. */
  complete(): void {
    this.close();
    this.#stream.info.completeResponse();
  }

  /** Breaks off, unless the response is complete. */
  reset(reason: string): void {
    if (!this.isOpen) return;
    this.close();
    this.#peer.reset(reason);
  }

  /** The request is complete: the time for the response begins. */
  #awaitResponse(): void {
    const { wholeMs, tryMs } = this.#patience;
    const { clock } = this.#options;
    if (wholeMs) this.#stopWaiting = clock.after(Number(wholeMs), () => this.#timedOut("response_timeout"));
    if (tryMs) this.#stopTrying = clock.after(Number(tryMs), () => this.#timedOut("upstream_per_try_timeout"));
  }

  #timedOut(details: string): void {
    if (!this.isOpen) return;
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
    if (!endOfStream) this.#length = new MessageLength("response", headers, profile);
    const status = headers.get(":status");
    info.code = Number(status);
    const upgraded = status === "101" && request.message?.get("upgrade") !== undefined;
    finishResponse(headers, this.#options.clock, { requestComplete: request.complete, upgraded, server });
    this.#peer.headers(responseHead(headers, endOfStream, answersHead), endOfStream);
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
