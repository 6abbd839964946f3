// Replaces a word in the bodies of text responses.

import { Action, BodyContext, registerHttpContext } from "proxy-wasm/assembly";

/** A body is held until all of it is there, so there has to be a limit. */
const MOST_BYTES: u32 = 1024 * 1024;

class RewriteBody extends BodyContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    // A compressed body cannot be read: the upstream is not told that the client takes one.
    this.requestHeaders.delete("accept-encoding");
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, endOfStream: bool): Action {
    const type = this.responseHeaders.get("content-type");
    if (endOfStream || type === null || !type.startsWith("text/")) return Action.Continue;
    return this.collectResponseBody(MOST_BYTES);
  }

  override onWholeResponseBody(_size: u32): Action {
    this.responseBody.replace(this.responseBody.text().replaceAll("world", "filter"));
    return Action.Continue;
  }
}

registerHttpContext(() => new RewriteBody());
