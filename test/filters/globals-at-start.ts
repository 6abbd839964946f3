// Uses what JavaScript has as globals while the module starts, before there is a context.

import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

console.log("starting");
const started = Date.now();
const random = Math.random();
const variable = process.env.get("A");
const bytes = new Uint8Array(4);
crypto.getRandomValues(bytes);

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const passed = Date.now() - started;
    logInfo(
      [started.toString(), (passed >= 0 && passed < 60_000).toString(), (random < 1).toString(), variable].join(" "),
    );
    return Action.Continue;
  }
}
registerHttpContext(() => new Filter());
