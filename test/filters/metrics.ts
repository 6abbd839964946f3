// Counts as the headers of the request say, and puts what it read into the log.

import {
  Action,
  Counter,
  Gauge,
  Histogram,
  HttpContext,
  logInfo,
  registerRootContext,
  RootContext,
  Status,
} from "proxy-wasm/assembly";

const requests = new Counter("requests");
const open = new Gauge("streams.open");
const sizes = new Histogram("sizes");
const configured = new Counter("configured");

class Root extends RootContext {
  override onConfigure(_configurationSize: u32): bool {
    configured.increment();
    requests.define();
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Counting();
  }
}

class Counting extends HttpContext {
  override onRequestHeaders(count: u32, _endOfStream: bool): Action {
    const command = this.requestHeaders.get("x-do");
    const code = this.requestHeaders.get("x-code");
    open.increment();
    if (command == "count") requests.increment();
    if (command == "add") logInfo(requests.increment(1000).toString() + " " + requests.value.toString());
    if (command == "nothing") logInfo(requests.increment(0).toString() + " " + requests.value.toString());
    if (command == "too much") logInfo((requests.increment(u64.MAX_VALUE) == Status.BadArgument).toString());
    if (command == "gauge") {
      const level = new Gauge("level");
      level.record(-5);
      level.decrement(10);
      logInfo(level.value.toString());
      level.record(12);
      level.increment(30);
      logInfo(level.value.toString());
    }
    if (command == "sample") sizes.record(count);
    // An object for each request: the SDK knows the metric again.
    if (code !== null) new Counter("responses").tag("code", code).tag("way", "in").increment();
    return Action.Continue;
  }

  override onDelete(): void {
    open.decrement();
  }
}

registerRootContext("", () => new Root());
