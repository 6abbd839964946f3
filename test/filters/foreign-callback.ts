// Logs what a host calls it with, in a root context and in streams of both kinds.

import { Context, HttpContext, logInfo, registerRootContext, RootContext, StreamContext } from "proxy-wasm/assembly";

function say(self: Context, who: string, functionId: u32, size: u32): void {
  const bytes = self.callData;
  const text = bytes === null ? "null" : String.UTF8.decodeUnsafe(bytes.dataStart, bytes.byteLength);
  logInfo(who + " " + functionId.toString() + " " + size.toString() + " " + text);
}

class Root extends RootContext {
  override onForeignFunction(functionId: u32, size: u32): void {
    say(this, "root", functionId, size);
    // The VM's configuration takes the place of the call data in Envoy.
    if (functionId == 7) {
      logInfo(this.vmConfiguration!);
      say(this, "then", functionId, size);
    }
  }

  override createHttpContext(): HttpContext {
    return new Http();
  }

  override createStreamContext(): StreamContext {
    return new Tcp();
  }
}

class Http extends HttpContext {
  override onForeignFunction(functionId: u32, size: u32): void {
    say(this, "stream", functionId, size);
    if (functionId == 403) this.sendLocalResponse(403);
  }
}

class Tcp extends StreamContext {
  override onForeignFunction(functionId: u32, size: u32): void {
    say(this, "connection", functionId, size);
  }
}
registerRootContext("", () => new Root());
