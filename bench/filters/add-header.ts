import { Action, HttpContext, registerHttpContext } from "proxy-wasm/assembly";

class AddHeader extends HttpContext {
  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-service-name", "my-custom-service");
    return Action.Continue;
  }
}
registerHttpContext(() => new AddHeader());
