// Does to bodies what the configuration says, in both directions.

import { Action, Body, BodyContext, HttpContext, logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";

const SECRET = "secret";

class Root extends RootContext {
  mode: string = "";

  override onConfigure(_configurationSize: u32): bool {
    this.mode = this.configuration!;
    return true;
  }

  override createHttpContext(): HttpContext | null {
    return this.mode.startsWith("plain") ? new Plain(this.mode) : new Toolkit(this.mode);
  }
}

/** Uses the handles alone. */
class Plain extends HttpContext {
  constructor(private readonly mode: string) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.requestHeaders.delete("content-length");
    logInfo("too early " + this.requestBody.append("x").toString() + " " + this.requestBody.text());
    return Action.Continue;
  }

  override onRequestBody(size: u32, endOfStream: bool): Action {
    return this.edit(this.requestBody, size, endOfStream);
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.delete("content-length");
    return Action.Continue;
  }

  override onResponseBody(size: u32, endOfStream: bool): Action {
    return this.edit(this.responseBody, size, endOfStream);
  }

  private edit(body: Body, size: u32, endOfStream: bool): Action {
    const before = body.size;
    logInfo(size.toString() + " " + before.toString() + (endOfStream ? " end " : " ") + body.text());
    if (this.mode == "plain text" && size) {
      body.replace("ü");
      body.prepend("<");
      body.append(">");
    }
    if (this.mode == "plain bytes" && size) {
      const bytes = body.bytes();
      body.replaceBytes(bytes.subarray(1));
      body.prependBytes(bytes.subarray(0, 1));
      body.appendBytes(body.bytes(1, 2));
      logInfo(body.text(2) + "," + body.text(0, 1) + "," + body.text(99) + "," + body.bytes().length.toString());
    }
    if (this.mode == "plain clear") body.clear();
    return this.mode == "plain hold" && !endOfStream ? Action.Pause : Action.Continue;
  }
}

/** Uses `BodyContext`. */
class Toolkit extends BodyContext {
  constructor(private readonly mode: string) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.mode.startsWith("collect")) return this.collectRequestBody(this.limit, this.mode.endsWith("only"));
    if (this.mode == "chunks" || this.mode == "hold chunks") this.rewriteRequestBody();
    if (this.mode == "text" || this.mode == "hold text") this.rewriteRequestText();
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.mode.startsWith("collect")) return this.collectResponseBody(this.limit, this.mode.endsWith("only"));
    if (this.mode == "chunks" || this.mode == "hold chunks") this.rewriteResponseBody();
    if (this.mode == "text" || this.mode == "hold text") this.rewriteResponseText();
    return Action.Continue;
  }

  override onWholeRequestBody(size: u32): Action {
    return this.reverse("request", this.requestBody, size);
  }

  override onWholeResponseBody(size: u32): Action {
    return this.reverse("response", this.responseBody, size);
  }

  override onRequestBodyTooLarge(size: u32): Action {
    logInfo("request too large " + size.toString());
    return this.mode == "collect or pass" ? Action.Continue : super.onRequestBodyTooLarge(size);
  }

  override onResponseBodyTooLarge(size: u32): Action {
    logInfo("response too large " + size.toString());
    return this.mode == "collect or pass" ? Action.Continue : super.onResponseBodyTooLarge(size);
  }

  override onRequestChunk(chunk: Uint8Array, last: bool): Uint8Array | null {
    return this.invert(chunk, last);
  }

  override onResponseChunk(chunk: Uint8Array, last: bool): Uint8Array | null {
    return this.invert(chunk, last);
  }

  override onRequestText(text: string, last: bool): string | null {
    return this.redact(text, last);
  }

  override onResponseText(text: string, last: bool): string | null {
    return this.redact(text, last);
  }

  // These are called as well, whatever a reader does.
  override onRequestTrailers(count: u32): Action {
    logInfo("request trailers " + count.toString());
    return Action.Continue;
  }

  override onResponseTrailers(count: u32): Action {
    logInfo("response trailers " + count.toString());
    return Action.Continue;
  }

  private get limit(): u32 {
    return this.mode == "collect" ? 1000 : 10;
  }

  private reverse(which: string, body: Body, size: u32): Action {
    logInfo("whole " + which + " " + size.toString());
    if (!this.mode.endsWith("only") && size) body.replaceBytes(body.bytes().reverse());
    return Action.Continue;
  }

  /** Inverts every byte; holds a piece that ends in 0. */
  private invert(chunk: Uint8Array, last: bool): Uint8Array | null {
    if (last) logInfo("last " + chunk.length.toString());
    if (this.mode == "hold chunks" && !last && chunk.length && !chunk[chunk.length - 1]) return null;
    for (let i = 0; i < chunk.length; i++) chunk[i] = ~chunk[i];
    return chunk;
  }

  /** Takes secrets out; holds a piece that may end within one. */
  private redact(text: string, last: bool): string | null {
    if (this.mode == "text") return text.replaceAll("ü", "ue");
    if (!last) {
      for (let i = 1; i < SECRET.length; i++) if (text.endsWith(SECRET.substr(0, i))) return null;
    }
    return text.replaceAll(SECRET, "***");
  }
}

registerRootContext("", () => new Root());
