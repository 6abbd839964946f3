// Starts and stops timers as its configuration and requests say, and logs when they fire.

import {
  Action,
  currentTimeNanoseconds,
  HttpContext,
  logInfo,
  registerRootContext,
  RootContext,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  plan: string = "";
  runs: i32 = 0;
  timer: u32 = 0;
  other: u32 = 0;

  override onConfigure(_size: u32): bool {
    this.plan = this.configuration!;
    if (this.plan == "several") {
      this.setRepeatingTimer<Root>(100, (self) => self.say("100"));
      this.setTimer<Root>(250, (self) => self.say("250 once"));
      this.setRepeatingTimer<Root>(70, (self) => self.say("70"));
    }
    if (this.plan == "same") {
      this.setTimer<Root>(10, (self) => self.say("older"));
      this.setTimer<Root>(10, (self) => self.say("newer"));
    }
    if (this.plan == "cancel") {
      this.timer = this.setRepeatingTimer<Root>(10, (self) => {
        self.say("repeat");
        if (++self.runs == 3) self.say("cancelled " + self.cancelTimer(self.timer).toString());
      });
    }
    if (this.plan == "chain") this.setTimer<Root>(10, chain);
    if (this.plan == "other") {
      this.timer = this.setTimer<Root>(10, (self) => self.say("cancelled " + self.cancelTimer(self.other).toString()));
      this.other = this.setTimer<Root>(10, (self) => self.say("never"));
    }
    if (this.plan == "tick") this.setTickPeriodMs(10);
    if (this.plan == "garbage") this.setRepeatingTimer<Root>(1, (self) => self.waste());
    return true;
  }

  override onTick(): void {
    this.say("tick");
  }

  waste(): void {
    let text = "";
    for (let i = 0; i < 100; i++) text += i.toString();
    if (text.length == 1) this.say(text);
    this.setTimer<Root>(5, (self) => {});
  }

  say(what: string): void {
    logInfo(((currentTimeNanoseconds() / 1_000_000) % 1_000_000).toString() + " " + what);
  }

  override createHttpContext(): HttpContext {
    return new Stream(this);
  }
}

function chain(self: Root): void {
  self.say("link " + (++self.runs).toString());
  if (self.runs < 4) self.setTimer<Root>(self.runs * 10, chain);
}

class Other extends Root {
  override onConfigure(_size: u32): bool {
    this.setRepeatingTimer<Other>(30, (self) => self.say("other"));
    return true;
  }
}

class Stream extends HttpContext {
  constructor(readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.root.setTimer<Root>(parseInt(this.requestHeaders.get("x-after")!) as u32, (self) => self.say("from a stream"));
    this.requestHeaders.set("x-set", "still this stream");
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
registerRootContext("other", () => new Other());
