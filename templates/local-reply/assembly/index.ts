// Answers some requests by itself: the upstream does not see them.

import { Action, Headers, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class LocalReply extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const path = this.request.pathname;
    if (path === null || path == "/internal" || path.startsWith("/internal/")) {
      this.sendLocalResponse(403, "not for you\n");
      return Action.Pause;
    }
    if (path == "/healthz" && this.request.method == "GET") {
      const headers = new Headers().set("content-type", "application/json");
      this.sendLocalResponse(200, '{"status":"ok"}\n', headers);
      return Action.Pause;
    }
    return Action.Continue;
  }
}

registerHttpContext(() => new LocalReply());
