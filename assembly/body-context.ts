// What an author extends to see whole bodies, or to rewrite them piece by piece, without minding how they arrive.

import { Action, GrpcStatus } from "./abi";
import { BodyReader, ChunkReader, TextReader, WholeReader } from "./body-readers";
import { HeaderMap } from "./header-map";
import { HttpContext } from "./http-context";

/**
 * An HTTP stream whose bodies are collected or rewritten. In a headers callback, say what is wanted of the body that
 * follows; its hook is called then in place of `onRequestBody` or `onResponseBody`, however the body is cut, and also
 * when trailers end it:
 *
 * ```ts
 * class Upper extends BodyContext {
 *   override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
 *     return this.collectResponseBody(64 * 1024);
 *   }
 *   override onWholeResponseBody(_size: u32): Action {
 *     this.responseBody.replace(this.responseBody.text().toUpperCase());
 *     return Action.Continue;
 *   }
 * }
 * ```
 *
 * What is to change loses its `content-length` (the length is not known when the headers go on), so HTTP/1 sends it in
 * chunks. Without a call in the headers callback a body passes as in any `HttpContext`. A stream without a body calls
 * none of these hooks. Bodies come as they are on the wire: compressed ones are compressed.
 * Source: Envoy's buffering, `source/common/http/filter_manager.cc`, and what Envoy 1.40 was seen to do.
 */
export class BodyContext extends HttpContext {
  private requestReader: BodyReader | null = null;
  private responseReader: BodyReader | null = null;
  /** Whether the request is answered with 413: that response is not to be read. */
  private answered: bool = false;

  // Whole bodies

  /**
   * Holds the request's body until all of it is there, then calls `onWholeRequestBody`. A body of more than `limit` bytes
   * is refused (`onRequestBodyTooLarge`), at once when its `content-length` says so. Envoy has a limit of its own,
   * `per_connection_buffer_limit_bytes` (1 MiB; 32 KiB in Istio), beyond which it answers 413 by itself. With `readOnly`
   * the body is not to change and keeps its `content-length`. Call it in `onRequestHeaders`, and return what it returns.
   */
  collectRequestBody(limit: u32, readOnly: bool = false): Action {
    return this.collect(true, limit, readOnly);
  }

  /**
   * As `collectRequestBody`, of the response: then `onWholeResponseBody`, or `onResponseBodyTooLarge`. The response's head
   * is on its way to the client while its body is held; neither Envoy's own refusal of a body beyond its limit nor ours
   * can be more than a broken connection then.
   */
  collectResponseBody(limit: u32, readOnly: bool = false): Action {
    return this.collect(false, limit, readOnly);
  }

  /**
   * The request's whole body is there: `size` bytes in `requestBody`, to be read and changed. `Action.Pause` holds it on,
   * until `continueRequest`. The request's headers cannot be read any more (Envoy).
   */
  onWholeRequestBody(size: u32): Action {
    return Action.Continue;
  }

  /** The response's whole body is there, as in `onWholeRequestBody`. */
  onWholeResponseBody(size: u32): Action {
    return Action.Continue;
  }

  /**
   * The request's body has more bytes than the limit: `size` so far, or announced. Answers 413. When overridden,
   * `Action.Continue` lets the body pass unseen, `Action.Pause` goes on holding it (answer the request then).
   */
  onRequestBodyTooLarge(size: u32): Action {
    const grpcStatus = GrpcStatus.ResourceExhausted;
    this.answered = true;
    this.sendLocalResponse(413, "Payload Too Large", null, grpcStatus, "request_payload_too_large");
    return Action.Pause;
  }

  /** The response's body has more bytes than the limit. Answers 500, or breaks the response when its head has gone. */
  onResponseBodyTooLarge(size: u32): Action {
    const grpcStatus = GrpcStatus.ResourceExhausted;
    this.sendLocalResponse(500, "Internal Server Error", null, grpcStatus, "response_payload_too_large");
    return Action.Pause;
  }

  // Piece by piece

  /** Calls `onRequestChunk` for each piece of the request's body. Call it in `onRequestHeaders`. */
  rewriteRequestBody(): void {
    this.rewrite(true, new ChunkReader(true));
  }

  /** Calls `onResponseChunk` for each piece of the response's body. Call it in `onResponseHeaders`. */
  rewriteResponseBody(): void {
    this.rewrite(false, new ChunkReader(false));
  }

  /** Calls `onRequestText` for each piece of the request's body, as UTF-8. Call it in `onRequestHeaders`. */
  rewriteRequestText(): void {
    this.rewrite(true, new TextReader(true));
  }

  /** Calls `onResponseText` for each piece of the response's body, as UTF-8. Call it in `onResponseHeaders`. */
  rewriteResponseText(): void {
    this.rewrite(false, new TextReader(false));
  }

  /**
   * A piece of the request's body, which is the filter's own; gives what goes on in its place. `null` holds it until
   * more has come, and the next call has both: that is how to look across the border of two pieces, within the proxy's
   * limit. Nothing follows `last`; its piece may be empty. When trailers ended the body and nothing was held, nothing
   * can be added any more: hold, rather than keep bytes back.
   */
  onRequestChunk(chunk: Uint8Array, last: bool): Uint8Array | null {
    return chunk;
  }

  /** A piece of the response's body, as in `onRequestChunk`. */
  onResponseChunk(chunk: Uint8Array, last: bool): Uint8Array | null {
    return chunk;
  }

  /**
   * A piece of the request's body as text, as in `onRequestChunk`; characters are whole, and what is no UTF-8 is U+FFFD.
   * A character that has only begun when trailers end the body is left out.
   */
  onRequestText(text: string, last: bool): string | null {
    return text;
  }

  /** A piece of the response's body as text, as in `onRequestText`. */
  onResponseText(text: string, last: bool): string | null {
    return text;
  }

  // What the readers call

  /** The body passes unseen from here on. @internal */
  stopReading(isRequest: bool): void {
    this.read(isRequest, null);
  }

  /** The proxy's callback. @internal */
  override receiveRequestBody(size: u32, endOfStream: bool): Action {
    const reader = this.requestReader;
    return reader !== null ? reader.data(this, size, endOfStream) : super.receiveRequestBody(size, endOfStream);
  }

  /** The proxy's callback. @internal */
  override receiveRequestTrailers(count: u32): Action {
    const reader = this.requestReader;
    if (reader !== null && reader.trailers(this) != Action.Continue) return Action.Pause;
    return super.receiveRequestTrailers(count);
  }

  /** The proxy's callback. @internal */
  override receiveResponseBody(size: u32, endOfStream: bool): Action {
    const reader = this.responseReader;
    return reader !== null ? reader.data(this, size, endOfStream) : super.receiveResponseBody(size, endOfStream);
  }

  /** The proxy's callback. @internal */
  override receiveResponseTrailers(count: u32): Action {
    const reader = this.responseReader;
    if (reader !== null && reader.trailers(this) != Action.Continue) return Action.Pause;
    return super.receiveResponseTrailers(count);
  }

  private collect(isRequest: bool, limit: u32, readOnly: bool): Action {
    if (this.answered) return Action.Continue;
    const headers = this.headersOf(isRequest);
    const reader = new WholeReader(isRequest, limit);
    this.read(isRequest, reader);
    const announced = headers.get("content-length");
    if (announced !== null) {
      const size = countOf(announced);
      if (size > limit) return reader.refuse(this, size);
      if (!readOnly) headers.delete("content-length");
    }
    return Action.Continue;
  }

  private rewrite(isRequest: bool, reader: BodyReader): void {
    if (this.answered) return;
    this.read(isRequest, reader);
    this.headersOf(isRequest).delete("content-length");
  }

  private read(isRequest: bool, reader: BodyReader | null): void {
    if (isRequest) this.requestReader = reader;
    else this.responseReader = reader;
  }

  private headersOf(isRequest: bool): HeaderMap {
    return isRequest ? this.requestHeaders : this.responseHeaders;
  }
}

/** The number in `content-length`, or the largest that fits. */
function countOf(text: string): u32 {
  let count: u64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = (text.charCodeAt(i) as u32) - 0x30;
    if (digit > 9) break;
    count = min<u64>(count * 10 + digit, u32.MAX_VALUE);
  }
  return count as u32;
}
