// The bytes of a body, or of one direction of a TCP stream, while the proxy has them: read and changed in place.

import { BufferType, Status } from "./abi";
import { focus } from "./callback";
import { proxy_get_buffer_bytes, proxy_get_buffer_status, proxy_set_buffer_bytes } from "./env";
import { answerBytes, answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { checked, DONE, FOUND_OR_NOT } from "./status";

/** No host has such a buffer. */
const NO_BUFFER = 0xff as BufferType;

/** A body of this context, whichever context host calls mean just now. */
export function bodyOf(contextId: u32, buffer: BufferType): Body {
  return Body.of(focus(contextId) ? buffer : NO_BUFFER);
}

/** Where a change begins that adds at the end, and how many bytes one takes away that replaces all. */
const EVERYTHING: u32 = u32.MAX_VALUE;

/**
 * A body that lives in the proxy, as far as the proxy has it now: the piece that the running callback is about, and
 * everything before it that the filter holds by `Action.Pause`. Every call asks or changes the proxy at once; nothing
 * is copied into the filter until it is asked for. A body is there only during its own callback, and while the stream
 * is held there (Envoy): outside of that it is empty, and changes answer `BadArgument`; the log says so once. Use it at
 * once rather than keep it: it belongs to the stream whose body was asked for last.
 *
 * Envoy does not adjust `content-length`: who changes a body deletes that header in the headers callback, since later is
 * too late. `BodyContext` does so by itself.
 * Source: proxy-wasm/spec v0.2.1, "Buffers"; Envoy `source/extensions/common/wasm/context.cc`, `Buffer`.
 */
@unmanaged
export class Body {
  // As for a header map, there is no object behind it: the reference is the number of the buffer plus one.

  /** The body in this buffer. */
  static of(buffer: BufferType): Body {
    return changetype<Body>((buffer as usize) + 1);
  }

  /** The ABI's number of this buffer. */
  get type(): BufferType {
    return (changetype<usize>(this) - 1) as BufferType;
  }

  /**
   * How many bytes there are now. The body callbacks are given the same number, so a filter seldom needs to ask; and
   * ngx_wasm_module does not load a filter that does.
   */
  get size(): u32 {
    beginCall();
    const status = proxy_get_buffer_status(this.type, answerData, answerSize);
    checked(changetype<usize>("proxy_get_buffer_status"), status, FOUND_OR_NOT, memory.data(4));
    return status == Status.Ok ? load<u32>(answerData) : 0;
  }

  /**
   * A copy of `size` bytes from `start`, fewer where the body ends, none when there are none. `bytes()` gives all.
   * ngx_wasm_module takes 0 for any `start`.
   */
  bytes(start: u32 = 0, size: u32 = EVERYTHING): Uint8Array {
    this.read(start, size);
    return answerBytes();
  }

  /**
   * As `bytes`, as text; what is no UTF-8 becomes U+FFFD. A piece of a body may begin and end within a character: see
   * `TextDecoder`.
   */
  text(start: u32 = 0, size: u32 = EVERYTHING): string {
    this.read(start, size);
    return answerText();
  }

  /** Puts this text in place of all bytes there are now. */
  replace(text: string): Status {
    beginCall();
    const data = write(changetype<usize>(text));
    return this.change(0, EVERYTHING, data, written);
  }

  /** As `replace`, with bytes. */
  replaceBytes(bytes: Uint8Array): Status {
    return this.change(0, EVERYTHING, bytes.dataStart, bytes.byteLength);
  }

  /** Adds text behind the bytes there are now. */
  append(text: string): Status {
    beginCall();
    const data = write(changetype<usize>(text));
    return this.change(EVERYTHING, 0, data, written);
  }

  /** As `append`, with bytes. */
  appendBytes(bytes: Uint8Array): Status {
    return this.change(EVERYTHING, 0, bytes.dataStart, bytes.byteLength);
  }

  /** Puts text before the bytes there are now. */
  prepend(text: string): Status {
    beginCall();
    const data = write(changetype<usize>(text));
    return this.change(0, 0, data, written);
  }

  /** As `prepend`, with bytes. */
  prependBytes(bytes: Uint8Array): Status {
    return this.change(0, 0, bytes.dataStart, bytes.byteLength);
  }

  /** Takes all bytes away that there are now. */
  clear(): Status {
    return this.change(0, EVERYTHING, 0, 0);
  }

  /** Asks for bytes: `answerData` and `answerSize` say where they are. @internal */
  read(start: u32, size: u32): void {
    beginCall();
    const status = proxy_get_buffer_bytes(this.type, start, size, answerData, answerSize);
    checked(changetype<usize>("proxy_get_buffer_bytes"), status, FOUND_OR_NOT, memory.data(4));
    if (status != Status.Ok) store<u64>(answerData, 0);
  }

  private change(start: u32, size: u32, data: usize, dataSize: usize): Status {
    const status = proxy_set_buffer_bytes(this.type, start, size, data, dataSize);
    return checked(changetype<usize>("proxy_set_buffer_bytes"), status, DONE, memory.data(4));
  }
}
