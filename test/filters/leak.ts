import { Action, HttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";

const kept: Uint8Array[] = [];

class Root extends RootContext {
  keeps: bool = false;

  override onConfigure(_size: u32): bool {
    this.keeps = this.configuration == "keep";
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Filter(this.keeps);
  }
}

/** Takes 1 kB for each stream, and keeps it for ever when it is told to. */
class Filter extends HttpContext {
  private taken: Uint8Array | null = null;

  constructor(private readonly keeps: bool) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.taken = new Uint8Array(1024);
    if (this.keeps) kept.push(this.taken!);
    return Action.Continue;
  }
}
registerRootContext("", () => new Root());
