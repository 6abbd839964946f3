// Resolves the names of its configuration, and of the header x-name of every request, which it answers with the answer.

import {
  Action,
  DnsAnswer,
  DnsHandler,
  HttpContext,
  logInfo,
  registerRootContext,
  RootContext,
} from "proxy-wasm/assembly";

function describe(answer: DnsAnswer): string {
  if (answer.failed) return "failed " + answer.addresses.length.toString();
  let text = answer.addresses.length.toString();
  for (let i = 0; i < answer.addresses.length; i++) {
    const one = answer.addresses[i];
    text += " " + one.address + "/" + one.ttlSeconds.toString();
  }
  return text;
}

class Named extends DnsHandler {
  constructor(private readonly name: string) {
    super();
  }

  override onAnswer(answer: DnsAnswer): void {
    logInfo(this.name + " = " + describe(answer));
  }
}

class Root extends RootContext {
  override onConfigure(size: u32): bool {
    if (!size) return true;
    const names = this.configuration!.split(",");
    for (let i = 0; i < names.length; i++) {
      const status = this.resolveDnsWith(names[i], new Named(names[i]));
      logInfo("asked " + names[i] + " " + status.toString());
    }
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Stream();
  }
}

class Stream extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.resolveDns<Stream>(this.requestHeaders.get("x-name")!, (self, answer) => {
      logInfo("stream " + self.id.toString() + " = " + describe(answer));
      self.sendLocalResponse(200, describe(answer));
    });
    return Action.Pause;
  }
}
registerRootContext("", () => new Root());
