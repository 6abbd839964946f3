// Logs a line for each exchange, also for those that were refused or broken off.

import { Action, currentTimeNanoseconds, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class AccessLog extends HttpContext {
  private start: u64 = 0;

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.start = currentTimeNanoseconds();
    return Action.Continue;
  }

  override onLog(): void {
    const method = this.requestHeaders.get(":method") || "-";
    const path = this.requestHeaders.get(":path") || "-";
    const status = this.responseHeaders.get(":status") || "-";
    const milliseconds = this.start ? (currentTimeNanoseconds() - this.start) / 1_000_000 : 0;
    logInfo(`${method} ${path} ${status} ${milliseconds} ms`);
  }
}

registerHttpContext(() => new AccessLog());
