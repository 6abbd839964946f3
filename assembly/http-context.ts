// What an author extends for HTTP: one object for each stream.

import { Action, BufferType, GRPC_STATUS_UNSET, MapType, Status, StreamType } from "./abi";
import { Body, bodyOf } from "./body";
import { Context, focusOn, requestFlow, responseFlow } from "./context";
import { answered, continued, isWaiting, mayAnswer, mayContinue } from "./flow";
import { HeaderMap } from "./header-map";
import { Headers } from "./headers";
import { Request } from "./request";
import { Response } from "./response";
import { closeStream, continueStream, sendLocalResponse, sendLocalResponseBytes } from "./stream";

/**
 * One HTTP stream: a request and its response. Its methods mean this stream in every callback, also in that of another
 * context. Every callback does nothing unless it is overridden, and costs nothing then: it is not even exported.
 */
export class HttpContext extends Context {
  /** The request in the web's words: `method`, `path`, `query`, `cookies`, …. */
  get request(): Request {
    return Request.of(this.requestHeaders);
  }

  /** The response in the web's words: `status`, `contentType`, …. */
  get response(): Response {
    return Response.of(this.responseHeaders);
  }

  /** The request's headers, pseudo headers (`:method`, `:path`, `:authority`, `:scheme`) included. */
  get requestHeaders(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpRequestHeaders);
  }

  /** The request's trailers. */
  get requestTrailers(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpRequestTrailers);
  }

  /** The response's headers, `:status` included. */
  get responseHeaders(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpResponseHeaders);
  }

  /** The response's trailers. */
  get responseTrailers(): HeaderMap {
    return mapOf(changetype<usize>(this), MapType.HttpResponseTrailers);
  }

  /** What is there of the request's body: in `onRequestBody`, and while the body is held. */
  get requestBody(): Body {
    return bodyOf(this.id, BufferType.HttpRequestBody);
  }

  /** What is there of the response's body: in `onResponseBody`, and while the body is held. */
  get responseBody(): Body {
    return bodyOf(this.id, BufferType.HttpResponseBody);
  }

  /** The request's headers are there: `count` entries; `endOfStream` when neither body nor trailers follow. */
  onRequestHeaders(count: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * A piece of the request's body is there: `size` bytes can be read, all that was held so far included.
   * `endOfStream` when it is the last and no trailers follow.
   */
  onRequestBody(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** The request's trailers are there: `count` entries. */
  onRequestTrailers(count: u32): Action {
    return Action.Continue;
  }

  /**
   * A METADATA frame of HTTP/2 came with the request, with `count` names. The ABI gives no way to read or hold it. Envoy
   * only, where the connection has `allow_metadata`; it may come at any time after the headers.
   */
  onRequestMetadata(count: u32): void {}

  /** The response's headers are there, also those of a reply that the proxy or this filter made. */
  onResponseHeaders(count: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** A piece of the response's body is there; as `onRequestBody`. */
  onResponseBody(size: u32, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** The response's trailers are there: `count` entries. */
  onResponseTrailers(count: u32): Action {
    return Action.Continue;
  }

  /** A METADATA frame of HTTP/2 came with the response; as `onRequestMetadata`. */
  onResponseMetadata(count: u32): void {}

  // What the exports call. `BodyContext` comes in between.

  /** A piece of the request's body is there. @internal */
  receiveRequestBody(size: u32, endOfStream: bool): Action {
    return this.onRequestBody(size, endOfStream);
  }

  /** The request's trailers are there. @internal */
  receiveRequestTrailers(count: u32): Action {
    return this.onRequestTrailers(count);
  }

  /** A piece of the response's body is there. @internal */
  receiveResponseBody(size: u32, endOfStream: bool): Action {
    return this.onResponseBody(size, endOfStream);
  }

  /** The response's trailers are there. @internal */
  receiveResponseTrailers(count: u32): Action {
    return this.onResponseTrailers(count);
  }

  /**
   * Lets the held request go on, after the running callback. In a callback of the request itself the same as returning
   * `Action.Continue`, whatever it returns. `BadArgument`, and a line in the log, when the filter does not hold the
   * request: hosts take the call at any time, and Envoy then sends the request twice, or crashes.
   */
  continueRequest(): Status {
    return this.continueFlow(requestFlow(changetype<usize>(this)), StreamType.HttpRequest);
  }

  /** As `continueRequest`, for the response. */
  continueResponse(): Status {
    return this.continueFlow(responseFlow(changetype<usize>(this)), StreamType.HttpResponse);
  }

  /**
   * Lets go on what the filter holds of the stream: the response, or else the request. For what `pauseFor` has held; as
   * `continueRequest`.
   */
  resume(): Status {
    return isWaiting(responseFlow(changetype<usize>(this))) ? this.continueResponse() : this.continueRequest();
  }

  /**
   * Holds the stream for a callout: `return this.pauseFor(this.httpCall<Auth>(call, …))`. When the callout was refused,
   * the request is answered with a 503 (details `callout_refused`), so that nothing passes unseen.
   */
  pauseFor(started: Status): Action {
    if (started != Status.Ok) this.sendLocalResponse(503, "", null, GRPC_STATUS_UNSET, "callout_refused");
    return Action.Pause;
  }

  /** As `pauseFor`, but lets the stream go on when the callout was refused: for what is not needed. */
  pauseOrContinue(started: Status): Action {
    return started == Status.Ok ? Action.Pause : Action.Continue;
  }

  private continueFlow(flow: usize, stream: StreamType): Status {
    if (!focusOn(changetype<usize>(this))) return Status.BadArgument;
    const may = mayContinue(flow);
    if (may == Status.Ok) return continued(flow, continueStream(stream));
    return may == Status.Empty ? Status.Ok : may;
  }

  /**
   * Ends the stream without an answer, after the running callback. `BadArgument`, and a line in the log, in `onLog`
   * and `onDone`: Envoy crashes there.
   */
  close(): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer() ? answered(flows, before, closeStream(StreamType.HttpRequest)) : Status.BadArgument;
  }

  private canAnswer(): bool {
    return focusOn(changetype<usize>(this)) && mayAnswer(requestFlow(changetype<usize>(this)));
  }

  /**
   * Answers the request from the proxy, after the running callback, whatever that callback returns; the upstream is
   * not called any more. The reply passes `onResponseHeaders` and `onResponseBody` of this filter. Envoy sets
   * `content-length`, and `content-type: text/plain` unless given; without a body it removes both. A gRPC request is
   * answered with `grpcStatus` (from the status code when it is unset). `details` stands in the access log as
   * `%RESPONSE_CODE_DETAILS%`. `BadArgument`, and a line in the log, in `onLog` and `onDone`: Envoy crashes there.
   */
  sendLocalResponse(
    statusCode: u32,
    body: string = "",
    headers: Headers | null = null,
    // GRPC_STATUS_UNSET as a number, which asc puts into the call; by its name it takes 190 bytes of a filter.
    grpcStatus: i32 = 0xffff_ffff,
    details: string = "",
  ): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer()
      ? answered(flows, before, sendLocalResponse(statusCode, body, headers, grpcStatus, details))
      : Status.BadArgument;
  }

  /** As `sendLocalResponse`, with the body's bytes. */
  sendLocalResponseBytes(
    statusCode: u32,
    body: Uint8Array,
    headers: Headers | null = null,
    grpcStatus: i32 = 0xffff_ffff,
    details: string = "",
  ): Status {
    const flows = requestFlow(changetype<usize>(this));
    const before = load<u16>(flows);
    return this.canAnswer()
      ? answered(flows, before, sendLocalResponseBytes(statusCode, body, headers, grpcStatus, details))
      : Status.BadArgument;
  }
}

/** A header map of this context, whichever context host calls mean just now. */
function mapOf(context: usize, type: MapType): HeaderMap {
  return HeaderMap.of(focusOn(context) ? type : NO_MAP);
}

/** No host has such a map. */
const NO_MAP = 0xff as MapType;
