import { Action, Headers, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class LocalReply extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const host = this.requestHeaders.get(":authority");
    const path = this.requestHeaders.get(":path");
    logInfo("host " + (host || "-") + " path " + (path || "-"));
    this.sendLocalResponse(200, "Hello from Wasm!\n", new Headers().append("x-service-name", "my-custom-service"));
    return Action.Pause;
  }
}
registerHttpContext(() => new LocalReply());
