// What works on every host: a header, an answer of the filter's own, a callout, changed bodies.

import { Action, Body, HttpCall, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class Portable extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.requestHeaders.delete("content-length");
    const path = this.requestHeaders.get(":path");
    if (path == "/local") {
      this.sendLocalResponse(403, "no");
      return Action.Pause;
    }
    if (path != "/callout") return Action.Continue;
    const started = this.httpCall<Portable>(new HttpCall("auth:80").get("/check"), (self, response) => {
      self.requestHeaders.set("x-auth", response.status.toString());
      self.resume();
    });
    return this.pauseFor(started);
  }

  override onRequestBody(_size: u32, endOfStream: bool): Action {
    return this.upper(this.requestBody, endOfStream);
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.delete("content-length");
    this.responseHeaders.set("x-service-name", "portable");
    return Action.Continue;
  }

  override onResponseBody(_size: u32, endOfStream: bool): Action {
    return this.upper(this.responseBody, endOfStream);
  }

  private upper(body: Body, endOfStream: bool): Action {
    if (!endOfStream) return Action.Pause;
    const text = body.text();
    if (text.length) body.replace(text.toUpperCase());
    return Action.Continue;
  }
}
registerHttpContext(() => new Portable());
