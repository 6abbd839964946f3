// Says in which root context what happens, and counts it for the whole proxy.

import { Action, Counter, HttpContext, logInfo, Queue, registerRootContext, RootContext } from "proxy-wasm/assembly";

const configured = new Counter("configured");
const ticks = new Counter("ticks");
/** What every plugin in the VM can reach. */
let inThisVm: i32 = 0;

class Root extends RootContext {
  name: string = "";

  override onConfigure(_configurationSize: u32): bool {
    this.name = this.configuration!;
    configured.increment();
    inThisVm++;
    logInfo("configure " + this.id.toString() + " " + this.name + " " + inThisVm.toString());
    if (this.name == "refuse") return false;
    if (this.name == "trap") throw new Error("trapped on purpose");
    Queue.register("q");
    this.setTickPeriodMs(1000);
    return true;
  }

  override onTick(): void {
    ticks.increment();
  }

  override onQueueReady(queue: Queue): void {
    logInfo("ready " + queue.dequeue()!);
  }

  override createHttpContext(): HttpContext {
    return new Stream(this);
  }

  override onDone(): bool {
    logInfo("done " + this.id.toString());
    return this.name != "stay";
  }

  override onDelete(): void {
    logInfo("delete " + this.id.toString());
  }
}

class Stream extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.requestHeaders.append("x-passed", this.root.name + " " + this.id.toString());
    const reply = this.requestHeaders.get("x-reply");
    if (reply !== null && reply == this.root.name) this.sendLocalResponse(403, "by " + this.root.name);
    const pause = this.requestHeaders.get("x-pause");
    return pause !== null && pause == this.root.name ? Action.Pause : Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.append("x-passed", this.root.name + " " + this.id.toString());
    return Action.Continue;
  }

  override onLog(): void {
    logInfo("log " + this.id.toString());
  }

  override onDone(): bool {
    logInfo("done " + this.id.toString());
    return true;
  }

  override onDelete(): void {
    logInfo("delete " + this.id.toString());
  }
}

registerRootContext("", () => new Root());
