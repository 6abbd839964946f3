// The ways in which a `BodyContext` reads a body, one object for each body that is read.

import { Action, BufferType } from "./abi";
import { Body } from "./body";
import { BodyContext } from "./body-context";
import { answerData, answerSize } from "./memory";
import { TextDecoder } from "./text-decoder";

/** Reads a body that arrives in pieces. */
export abstract class BodyReader {
  constructor(protected readonly isRequest: bool) {}

  /** A piece is there: `size` bytes, what was held included. */
  abstract data(context: BodyContext, size: u32, endOfStream: bool): Action;

  /** The body is over, since its trailers are there. */
  abstract trailers(context: BodyContext): Action;

  protected get body(): Body {
    return Body.of(this.isRequest ? BufferType.HttpRequestBody : BufferType.HttpResponseBody);
  }
}

/** Waits for the whole body. The proxy holds it meanwhile, and says how much it holds. */
export class WholeReader extends BodyReader {
  private size: u32 = 0;

  constructor(
    isRequest: bool,
    private readonly limit: u32,
  ) {
    super(isRequest);
  }

  override data(context: BodyContext, size: u32, endOfStream: bool): Action {
    this.size = size;
    if (endOfStream || size > this.limit) return this.trailers(context);
    return Action.Pause;
  }

  override trailers(context: BodyContext): Action {
    const size = this.size;
    if (size > this.limit) return this.refuse(context, size);
    context.stopReading(this.isRequest);
    return this.isRequest ? context.onWholeRequestBody(size) : context.onWholeResponseBody(size);
  }

  /** The body is, or will be, of this size, which is too much. */
  refuse(context: BodyContext, size: u32): Action {
    const action = this.isRequest ? context.onRequestBodyTooLarge(size) : context.onResponseBodyTooLarge(size);
    if (action == Action.Continue) context.stopReading(this.isRequest);
    return action;
  }
}

/** Gives the pieces on as bytes. */
export class ChunkReader extends BodyReader {
  private held: bool = false;

  override data(context: BodyContext, size: u32, endOfStream: bool): Action {
    const chunk = this.body.bytes();
    const changed = this.isRequest
      ? context.onRequestChunk(chunk, endOfStream)
      : context.onResponseChunk(chunk, endOfStream);
    this.held = changed === null && !endOfStream;
    if (this.held) return Action.Pause;
    if (changed !== null && (chunk.length || changed.length)) this.body.replaceBytes(changed);
    return Action.Continue;
  }

  override trailers(context: BodyContext): Action {
    // What is not held has gone on and is not there any more, so that there is an empty piece.
    return this.data(context, 0, true);
  }
}

/** Gives the pieces on as text. */
export class TextReader extends BodyReader {
  private readonly decoder: TextDecoder = new TextDecoder();
  private held: bool = false;

  override data(context: BodyContext, size: u32, endOfStream: bool): Action {
    const decoder = this.decoder;
    const waiting = decoder.waiting;
    const waitingSize = decoder.waitingSize;
    this.body.read(0, u32.MAX_VALUE);
    const bytes = load<usize>(answerSize);
    const text = decoder.decodeAt(load<usize>(answerData), bytes, endOfStream);
    // Nothing but the beginning of a character, for which there is nothing to say yet.
    if (!endOfStream && bytes && !text.length) {
      this.body.clear();
      return Action.Continue;
    }
    const changed = this.isRequest
      ? context.onRequestText(text, endOfStream)
      : context.onResponseText(text, endOfStream);
    this.held = changed === null && !endOfStream;
    if (this.held) {
      decoder.waiting = waiting;
      decoder.waitingSize = waitingSize;
      return Action.Pause;
    }
    const isSame = changed === null || changetype<usize>(changed) == changetype<usize>(text);
    if (isSame && !waitingSize && !decoder.waitingSize) return Action.Continue;
    if (bytes || text.length || (changed !== null && changed.length)) {
      this.body.replace(changed === null ? text : changed);
    }
    return Action.Continue;
  }

  override trailers(context: BodyContext): Action {
    if (!this.held) this.decoder.waitingSize = 0;
    return this.data(context, 0, true);
  }
}
