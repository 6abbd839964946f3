// Says which METADATA frames of HTTP/2 it hears of, and does what the path says about them.

import { Action, HttpContext, logInfo, registerRootContext, RootContext } from "proxy-wasm/assembly";

class Root extends RootContext {
  stream: Stream | null = null;

  override createHttpContext(): HttpContext {
    const stream = new Stream(this);
    this.stream = stream;
    return stream;
  }
}

class Stream extends HttpContext {
  private path: string = "";

  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, endOfStream: bool): Action {
    this.path = this.request.path!;
    logInfo("request headers " + (endOfStream ? "end" : "open"));
    if (this.path != "/hold") return Action.Continue;
    this.root.setTimer<Root>(100, (root) => {
      root.stream!.continueRequest();
    });
    return Action.Pause;
  }

  override onRequestBody(size: u32, endOfStream: bool): Action {
    logInfo("request body " + size.toString() + (endOfStream ? " end" : ""));
    return this.path == "/hold-body" && !endOfStream ? Action.Pause : Action.Continue;
  }

  override onRequestMetadata(count: u32): void {
    logInfo("request metadata " + count.toString());
    if (this.path == "/hold-body" && count == 1) this.continueRequest();
    if (this.path == "/reply") this.sendLocalResponse(403, "seen");
    if (this.path == "/trap") unreachable();
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("response headers " + this.response.status.toString());
    return Action.Continue;
  }

  override onResponseMetadata(count: u32): void {
    logInfo("response metadata " + count.toString());
  }

  override onLog(): void {
    logInfo("log");
  }
}
registerRootContext("", () => new Root());
