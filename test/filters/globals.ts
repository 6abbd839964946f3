// Uses what JavaScript has as globals.

import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";

class Globals extends HttpContext {
  override onRequestHeaders(count: u32, _endOfStream: bool): Action {
    console.log("log");
    console.debug("debug");
    console.info("info");
    console.warn("warn");
    console.error("error");
    console.assert(count > 1, "two");
    console.assert(count < 1, "three");
    console.timeEnd("none");
    console.time("a");
    console.timeEnd("a");
    trace("trace", 2, 1.5, -2);
    logInfo("now " + Date.now().toString());
    logInfo("date " + new Date(Date.now()).toISOString());
    const start = performance.now();
    logInfo("passed " + (performance.now() >= start).toString() + " " + (process.hrtime() > 0).toString());
    const random = Math.random();
    logInfo("random " + (random >= 0 && random < 1 && random != Math.random()).toString());
    const bytes = new Uint8Array(100_000);
    crypto.getRandomValues(bytes);
    let sum = 0;
    for (let i = 90_000; i < 100_000; i++) sum += bytes[i];
    // Ten thousand bytes of 127.5 on average.
    logInfo("bytes " + (sum > 1_200_000 && sum < 1_350_000).toString());
    const names = process.env.keys().sort();
    for (let i = 0; i < names.length; i++) logInfo("env " + names[i] + "=" + process.env.get(names[i]));
    logInfo("argv " + process.argv.length.toString());
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.responseHeaders.has("x-exit")) process.exit(3);
    return Action.Continue;
  }
}
registerHttpContext(() => new Globals());
