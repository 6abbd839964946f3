// Writes down what happens to a TCP connection, and does what the configuration says.

import { Action, logInfo, PeerType, registerRootContext, RootContext, StreamContext } from "proxy-wasm/assembly";

class Root extends RootContext {
  mode: string = "";
  newest: Connection | null = null;

  override onConfigure(_configurationSize: u32): bool {
    this.mode = this.configuration!;
    return true;
  }

  override onTick(): void {
    this.setTickPeriodMs(0);
    this.newest!.later();
  }

  override createStreamContext(): StreamContext | null {
    if (this.mode == "none") return null;
    this.newest = new Connection(this);
    return this.newest;
  }
}

// Ticks stand for whatever comes later.
const SOON: u32 = 20;

class Connection extends StreamContext {
  constructor(private readonly root: Root) {
    super();
    logInfo("create");
  }

  later(): void {
    const mode = this.root.mode;
    // Asking for the data makes host calls mean this connection.
    logInfo("tick " + this.downstreamData.size.toString());
    if (mode == "tick-close") this.close();
    if (mode == "tick-upstream") logInfo("replaced " + this.upstreamData.replace("tick").toString());
    if (!mode.startsWith("tick-upstream")) this.continueDownstream();
    if (mode == "tick-downstream") logInfo("replaced " + this.downstreamData.replace("tick").toString());
  }

  override onNewConnection(): Action {
    logInfo("new connection");
    const mode = this.root.mode;
    if (mode == "tick-new") {
      this.root.setTickPeriodMs(SOON);
      return Action.Pause;
    }
    if (mode == "close-new") this.close();
    if (mode == "continue-new") this.continueDownstream();
    return mode == "pause-new" ? Action.Pause : Action.Continue;
  }

  override onDownstreamData(size: u32, endOfStream: bool): Action {
    return this.data("downstream", size, endOfStream);
  }

  override onUpstreamData(size: u32, endOfStream: bool): Action {
    return this.data("upstream", size, endOfStream);
  }

  override onDownstreamClose(peer: PeerType): void {
    logInfo("downstream close " + peer.toString());
    this.meddle();
    if (this.root.mode == "throw-close") throw new Error("thrown on purpose");
  }

  override onUpstreamClose(peer: PeerType): void {
    logInfo("upstream close " + peer.toString());
  }

  override onLog(): void {
    logInfo("log");
    this.meddle();
  }

  override onDone(): bool {
    logInfo("done");
    this.meddle();
    return true;
  }

  override onDelete(): void {
    logInfo("delete");
    this.meddle();
  }

  private meddle(): void {
    if (this.root.mode != "meddle") return;
    this.continueDownstream();
    this.close();
    this.closeUpstream();
  }

  private data(from: string, size: u32, endOfStream: bool): Action {
    const data = from == "downstream" ? this.downstreamData : this.upstreamData;
    const text = data.text();
    logInfo(from + " " + size.toString() + (endOfStream ? " end " : " ") + text.trimEnd());
    const mode = this.root.mode;
    if ((mode == "tick-" + from || mode == "tick-close") && !text.includes("go")) {
      this.root.setTickPeriodMs(SOON);
      return Action.Pause;
    }
    if (mode == "pause-" + from && !text.includes("go")) return Action.Pause;
    if (mode == "continue-" + from) this.continueDownstream();
    if (mode == "continue-paused-" + from) {
      this.continueDownstream();
      return Action.Pause;
    }
    if (mode == "close-" + from) logInfo("closed " + this.close().toString());
    if (mode == "close-upstream-" + from) logInfo("closed " + this.closeUpstream().toString());
    if (mode == "throw-" + from) throw new Error("thrown on purpose");
    if (mode == "write-" + from) {
      data.replace("new ");
      data.prepend("[");
      data.append(endOfStream ? "]END" : "]");
    }
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
