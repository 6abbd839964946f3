// Calls out as the header x-do says, and writes down what comes of it.

import {
  Action,
  GRPC_STATUS_UNSET,
  HttpCall,
  HttpCallHandler,
  HttpCallResponse,
  HttpContext,
  logInfo,
  registerRootContext,
  RootContext,
  Status,
} from "proxy-wasm/assembly";

/** What came of a callout, on one line. */
function describe(response: HttpCallResponse): string {
  if (response.isReset) return "reset " + (response.body === null ? "without a body" : "with one?");
  const body = response.body;
  const parts = [response.status.toString(), body !== null ? body : "no body"];
  const header = response.headers.get("x-answer");
  if (header !== null) parts.push("x-answer=" + header);
  const trailers = response.trailers;
  const trailer = trailers !== null ? trailers.get("x-trailer") : null;
  if (trailer !== null) parts.push("x-trailer=" + trailer);
  if (response.trailerCount) parts.push(response.trailerCount.toString() + " trailers");
  if (response.maybeFromProxy) parts.push("maybe from the proxy");
  return parts.join(" ");
}

function status(started: Status): string {
  return "status " + (started as i32).toString();
}

class Root extends RootContext {
  ticks: i32 = 0;

  override onConfigure(_configurationSize: u32): bool {
    const configuration = this.configuration;
    if (configuration === null) return true;
    if (configuration == "configure") {
      const started = this.httpCall<Root>(new HttpCall("auth").get("/configure"), (self, response) => {
        logInfo("configure " + self.id.toString() + " " + describe(response));
      });
      logInfo(status(started));
    }
    if (configuration == "tick") this.setTickPeriodMs(100);
    return true;
  }

  override onTick(): void {
    const call = new HttpCall("auth").get("/tick/" + (++this.ticks).toString());
    this.httpCall<Root>(call, (self, response) => logInfo("tick " + describe(response)));
  }

  override createHttpContext(): HttpContext {
    return new Stream(this);
  }
}

/** Carries what a function could not. */
class Named extends HttpCallHandler {
  constructor(
    private readonly stream: Stream,
    private readonly name: string,
  ) {
    super();
  }

  override onResponse(response: HttpCallResponse): void {
    logInfo(this.name + " " + response.status.toString() + ", open " + this.stream.pendingHttpCalls.toString());
    if (!this.stream.pendingHttpCalls) this.stream.resume();
  }
}

class Stream extends HttpContext {
  command: string = "";
  answers: string[] = [];

  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const command = this.requestHeaders.get("x-do");
    this.command = command !== null ? command : "";
    if (this.command == "memory") logInfo(memory.size().toString());
    if (this.command == "auth") return this.authorize("auth");
    if (this.command == "dead") return this.authorize("dead");
    if (this.command == "unknown") return this.authorize("nowhere");
    if (this.command == "refusing") return this.authorize("refusing");
    if (this.command == "denied") return this.authorize("auth", "/status/401");
    if (this.command == "busy") return this.pauseFor(this.ask("auth", "/status/503"));
    if (this.command == "reset") return this.pauseFor(this.ask("auth", "/reset"));
    if (this.command == "open") return this.pauseOrContinue(this.ask("dead", "/open"));
    if (this.command == "slow") return this.pauseFor(this.ask("auth", "/slow", 200));
    if (this.command == "patient") return this.pauseFor(this.ask("auth", "/slow", 0));
    if (this.command == "full") return this.pauseFor(this.full());
    if (this.command == "several") return this.several();
    if (this.command == "chain") return this.pauseFor(this.chain("/1"));
    if (this.command == "bytes") return this.pauseFor(this.bytes());
    if (this.command == "forget") this.ask("auth", "/forget");
    if (this.command == "handler") return this.handlers();
    return Action.Continue;
  }

  override onRequestBody(_size: u32, endOfStream: bool): Action {
    if (this.command != "body" || !endOfStream) return Action.Continue;
    return this.pauseFor(this.ask("auth", "/body"));
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    if (this.command == "response") {
      const call = new HttpCall("auth").get("/response");
      return this.pauseFor(
        this.httpCall<Stream>(call, (self, response) => {
          self.responseHeaders.set("x-called", describe(response));
          self.resume();
        }),
      );
    }
    if (this.command == "response-chain") return this.pauseFor(this.chain("/1"));
    return Action.Continue;
  }

  override onLog(): void {
    if (this.command != "log") return;
    const call = new HttpCall("auth").post("/log", this.requestHeaders.get(":path")!);
    this.root.httpCall<Root>(call, (self, response) => logInfo("logged " + describe(response)));
    this.ask("auth", "/never");
  }

  /** The usual case. */
  private authorize(cluster: string, path: string = "/check?a=b"): Action {
    const call = new HttpCall(cluster).get(path).header("x-token", "secret").timeoutMs(500);
    const started = this.httpCall<Stream>(call, (self, response) => {
      const said = describe(response);
      logInfo(said);
      self.requestHeaders.set("x-called", said);
      if (response.status == 200) self.continueRequest();
      else self.sendLocalResponse(403, "denied", null, GRPC_STATUS_UNSET, "denied");
    });
    logInfo(status(started));
    return this.pauseFor(started);
  }

  private ask(cluster: string, path: string, timeoutMs: u32 = 500): Status {
    const call = new HttpCall(cluster).get(path).timeoutMs(timeoutMs);
    return this.httpCall<Stream>(call, (self, response) => {
      logInfo(describe(response));
      self.resume();
    });
  }

  /** Everything that can be set. */
  private full(): Status {
    const call = new HttpCall("auth")
      .method("PUT")
      .path("/full")
      .authority("auth.test:8080")
      .header("X-One", "1")
      .header("x-two", "a")
      .header("x-two", "ü")
      .headerBytes("x-bytes", Uint8Array.wrap(String.UTF8.encode("€")))
      .body("grüße")
      .timeoutMs(1234);
    return this.httpCall<Stream>(call, (self, response) => {
      logInfo(describe(response));
      const names: string[] = [];
      const headers = response.headers.entries();
      for (let i = 0; i < headers.length; i++) names.push(headers[i].name);
      logInfo(response.headerCount.toString() + " " + names.join(" "));
      logInfo(response.bodySize.toString() + " " + response.bodyBytes!.length.toString());
      logInfo("write " + (response.headers.set("x", "y") as i32).toString());
      self.continueRequest();
    });
  }

  /** Waits for all. */
  private several(): Action {
    for (let i = 1; i <= 3; i++) {
      this.httpCall<Stream>(new HttpCall("auth").get("/several/" + i.toString()), (self, response) => {
        self.answers.push(response.body!);
        if (self.pendingHttpCalls) return;
        self.requestHeaders.set("x-called", self.answers.join(" "));
        self.resume();
      });
    }
    return Action.Pause;
  }

  /** One after the other. */
  private chain(path: string): Status {
    return this.httpCall<Stream>(new HttpCall("auth").get(path), (self, response) => {
      const next = response.body!;
      logInfo("next " + next);
      if (!next.length) self.resume();
      else if (self.chain(next) != Status.Ok) self.sendLocalResponse(500);
    });
  }

  private bytes(): Status {
    const body = new Uint8Array(6000);
    for (let i = 0; i < body.length; i++) body[i] = i as u8;
    const call = new HttpCall("auth").method("POST").path("/bytes").bodyBytes(body);
    return this.httpCall<Stream>(call, (self, response) => {
      const bytes = response.bodyBytes!;
      let sum = 0;
      for (let i = 0; i < bytes.length; i++) sum += bytes[i];
      logInfo(bytes.length.toString() + " " + sum.toString());
      self.resume();
    });
  }

  private handlers(): Action {
    this.httpCallWith(new HttpCall("auth").get("/a"), new Named(this, "a"));
    this.httpCallWith(new HttpCall("auth").get("/b"), new Named(this, "b"));
    return Action.Pause;
  }
}

registerRootContext("", () => new Root());
