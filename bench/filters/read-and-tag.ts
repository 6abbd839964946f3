import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class ReadAndTag extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const path = this.requestHeaders.get(":path");
    const authority = this.requestHeaders.get(":authority");
    const agent = this.requestHeaders.get("user-agent");
    if (path === null || authority === null || agent === null) return Action.Continue;
    this.requestHeaders.set("x-seen", authority + path);
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-service-name", "my-custom-service");
    return Action.Continue;
  }
}
registerHttpContext(() => new ReadAndTag());
