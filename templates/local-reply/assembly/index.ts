// Answers some requests by itself: the upstream does not see them.

import { Action, Headers, HttpContext, registerHttpContext } from "proxy-wasm/assembly";
import { plainPath } from "./path";

class LocalReply extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const pathname = this.request.pathname;
    const path = pathname !== null ? plainPath(pathname) : null;
    if (path === null) {
      this.sendLocalResponse(400, "not a plain path\n");
      return Action.Pause;
    }
    if (path == "/internal" || path.startsWith("/internal/")) {
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
