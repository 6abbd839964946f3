// Logs host and path of each request and answers it by itself: the upstream is never called.

import { Action, Headers, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class DirectResponse extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const host = this.requestHeaders.get(":authority");
    const path = this.requestHeaders.get(":path");
    logInfo("host: " + (host || "") + ", path: " + (path || ""));

    const headers = new Headers().set("x-service-name", "my-custom-service");
    this.sendLocalResponse(200, "Hello from Wasm!\n", headers);
    return Action.Pause;
  }
}

registerHttpContext(() => new DirectResponse());
