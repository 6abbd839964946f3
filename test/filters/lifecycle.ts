// Writes down what happens to it, and does what the configuration says.

import {
  Action,
  HttpContext,
  logInfo,
  currentTimeNanoseconds,
  registerRootContext,
  RootContext,
  isLogged,
  LogLevel,
  logDebug,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  name: string = "";
  ticks: i32 = 0;

  override onVmStart(configurationSize: u32): bool {
    logInfo("vm " + configurationSize.toString() + " " + this.vmConfiguration!);
    return true;
  }

  override onConfigure(configurationSize: u32): bool {
    this.name = this.configuration!;
    logInfo("configure " + configurationSize.toString() + " " + this.name);
    if (this.name == "refuse") logInfo("the name must not be refuse");
    if (this.name == "tick") this.setTickPeriodMs(100);
    return this.name != "refuse";
  }

  override onTick(): void {
    logInfo("tick " + (++this.ticks).toString() + " at " + (currentTimeNanoseconds() / 1000000).toString());
    if (this.ticks == 3) this.setTickPeriodMs(0);
  }

  override createHttpContext(): HttpContext | null {
    return this.name == "none" ? null : new Stream(this);
  }

  override onDone(): bool {
    logInfo("root done");
    return true;
  }

  override onDelete(): void {
    logInfo("root delete");
  }
}

class Other extends Root {
  override createHttpContext(): HttpContext | null {
    return null;
  }
}

class Stream extends HttpContext {
  constructor(private readonly root: Root) {
    super();
    logInfo("create " + this.id.toString());
  }

  override onRequestHeaders(count: u32, endOfStream: bool): Action {
    const late = this.root.configuration === null;
    logInfo("request " + count.toString() + (endOfStream ? " end " : " ") + this.root.name + (late ? "" : " not late"));
    if (isLogged(LogLevel.Debug)) logDebug("debug");
    return Action.Continue;
  }

  override onRequestBody(size: u32, endOfStream: bool): Action {
    logInfo("request body " + size.toString() + (endOfStream ? " end" : ""));
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.root.name == "throw") throw new Error("thrown on purpose");
    if (this.root.name == "index") logInfo([1, 2, 3][this.root.name.length].toString());
    return Action.Continue;
  }

  override onResponseBody(size: u32, endOfStream: bool): Action {
    logInfo("response body " + size.toString() + (endOfStream ? " end" : ""));
    return Action.Continue;
  }

  override onLog(): void {
    logInfo("log " + this.requestHeaders.get(":path")! + " " + this.responseHeaders.get(":status")!);
  }

  override onDone(): bool {
    logInfo("done");
    return true;
  }

  override onDelete(): void {
    logInfo("delete");
  }
}

registerRootContext("main", () => new Root());
registerRootContext("other", () => new Other());
