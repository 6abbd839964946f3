// Does what differs between versions of the ABI, and says in the log what came of it.

import {
  Action,
  HttpContext,
  isLogged,
  LogLevel,
  logInfo,
  registerRootContext,
  RootContext,
  Status,
} from "proxy-wasm/assembly";
import { clearRouteCache } from "proxy-wasm/assembly/envoy";

class Root extends RootContext {
  held: Stream[] = [];

  override onVmStart(_configurationSize: u32): bool {
    logInfo("vm start: vm " + (this.vmConfiguration || "null") + ", plugin " + (this.configuration || "null"));
    return true;
  }

  override onConfigure(_configurationSize: u32): bool {
    logInfo("configure: plugin " + (this.configuration || "null"));
    return this.setTickPeriodMs(50) == 0;
  }

  override onTick(): void {
    while (this.held.length) this.held.shift().continueRequest();
  }

  override createHttpContext(): HttpContext {
    return new Stream(this);
  }
}

class Stream extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const headers = this.requestHeaders;
    const empty = headers.get("x-empty");
    logInfo(
      [
        "missing " + (headers.get("x-missing") === null ? "null" : "there"),
        "empty " + (empty === null ? "null" : '"' + empty + '"'),
        "path " + headers.get(":path")!,
        "has " + headers.has("x-empty").toString() + " " + headers.has("x-missing").toString(),
        "log " + isLogged(LogLevel.Critical).toString(),
        "cleared " + (clearRouteCache() == Status.Ok).toString(),
      ].join(", "),
    );
    this.root.held.push(this);
    return Action.Pause;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-version", "yes");
    return Action.Continue;
  }
}
registerRootContext("", () => new Root());
