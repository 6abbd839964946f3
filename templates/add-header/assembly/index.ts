// Adds `x-service-name` to every response, with the plugin's configuration as its value.

import { Action, HttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";

class AddHeaderRoot extends RootContext {
  serviceName: string = "my-service";

  override onConfigure(configurationSize: u32): bool {
    if (configurationSize > 0) this.serviceName = this.configuration!;
    return true;
  }

  override createHttpContext(): HttpContext {
    return new AddHeader(this);
  }
}

class AddHeader extends HttpContext {
  constructor(private readonly root: AddHeaderRoot) {
    super();
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-service-name", this.root.serviceName);
    return Action.Continue;
  }
}

registerRootContext("", () => new AddHeaderRoot());
