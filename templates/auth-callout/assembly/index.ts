// Lets a request pass when a server says so. Without an answer it does not pass.

import { Action, HttpCall, HttpContext, logWarn, registerRootContext, RootContext } from "proxy-wasm/assembly";

class AuthRoot extends RootContext {
  cluster: string = "auth";

  override onConfigure(configurationSize: u32): bool {
    if (configurationSize > 0) this.cluster = this.configuration!;
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Auth(this);
  }
}

class Auth extends HttpContext {
  constructor(private readonly root: AuthRoot) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const call = new HttpCall(this.root.cluster).get("/check").timeoutMs(500);
    const authorization = this.requestHeaders.get("authorization");
    if (authorization !== null) call.header("authorization", authorization);

    const status = this.httpCall<Auth>(call, (self, response) => {
      if (response.status == 200) {
        self.continueRequest();
      } else if (response.isReset || response.maybeFromProxy) {
        logWarn("no answer from " + self.root.cluster);
        self.sendLocalResponse(503, "authentication is not available\n");
      } else {
        self.sendLocalResponse(403, "denied\n");
      }
    });
    // Holds the request for the answer; when the call could not even be sent, answers 503.
    return this.pauseFor(status);
  }
}

registerRootContext("", () => new AuthRoot());
