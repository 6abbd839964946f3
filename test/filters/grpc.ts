// Calls gRPC services as the header x-do says, and writes down what comes of it.

import {
  Action,
  GrpcCall,
  GrpcCallHandler,
  GrpcResponse,
  GrpcStatus,
  GrpcStream,
  GrpcStreamHandler,
  HeaderMap,
  HttpContext,
  logInfo,
  registerRootContext,
  RootContext,
  Status,
} from "proxy-wasm/assembly";

function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.byteLength);
}

function describe(response: GrpcResponse): string {
  const message = response.message;
  if (message !== null) return "ok " + response.messageSize.toString() + " " + text(message);
  return "status " + (response.status as i32).toString() + " " + response.statusMessage;
}

function state(stream: GrpcStream): string {
  const isClosed = stream.isClosed;
  return "closed " + isClosed.toString() + " send " + (stream.send(bytes("late")) as i32).toString();
}

/** The stream that was opened last. */
let newest: GrpcStream | null = null;

class Root extends RootContext {
  override onConfigure(_configurationSize: u32): bool {
    if (this.configuration == "configure") {
      this.grpcCall<Root>(new GrpcCall("greeter", "acme.Greeter", "Greet").message(bytes("root")), (_self, response) =>
        logInfo("configure " + describe(response)),
      );
    }
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Stream();
  }
}

/** Carries what a function could not. */
class Named extends GrpcCallHandler {
  constructor(
    private readonly stream: Stream,
    private readonly name: string,
  ) {
    super();
  }

  override onResponse(response: GrpcResponse): void {
    logInfo(this.name + " " + describe(response));
    this.stream.resume();
  }
}

/** A conversation: answers every message but the last. */
class Talk extends GrpcStreamHandler {
  messages: i32 = 0;

  constructor(private readonly owner: Stream) {
    super();
  }

  override onInitialMetadata(metadata: HeaderMap, count: u32): void {
    const from = metadata.get("x-from");
    logInfo("initial " + count.toString() + " " + (from !== null ? from : "nobody") + " " + this.owner.path());
  }

  override onMessage(message: Uint8Array): void {
    const said = text(message);
    logInfo("message " + said);
    const stream = this.stream!;
    if (said == "cancel me") {
      logInfo("cancel " + (stream.cancel() as i32).toString() + " " + (stream.cancel() as i32).toString());
      logInfo(state(stream));
      this.owner.resume();
    } else if (said == "close me") {
      logInfo("close " + (stream.close() as i32).toString() + " " + (stream.send(message) as i32).toString());
    } else if (said == "last") {
      stream.send(bytes("bye"), true);
    } else {
      stream.send(bytes("you said " + said));
    }
  }

  override onTrailingMetadata(metadata: HeaderMap, count: u32): void {
    const trailer = metadata.get("x-trailer");
    logInfo("trailing " + count.toString() + " " + (trailer !== null ? trailer : "none"));
  }

  override onClose(status: GrpcStatus, message: string): void {
    logInfo("closed " + (status as i32).toString() + " " + message);
    this.owner.resume();
  }
}

class Stream extends HttpContext {
  command: string = "";

  path(): string {
    const path = this.requestHeaders.get(":path");
    return path !== null ? path : "no path";
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const command = this.requestHeaders.get("x-do");
    this.command = command !== null ? command : "";
    const words = this.command.split(" ");
    if (words[0] == "call") return this.pauseFor(this.call(words[1], words[2]));
    if (words[0] == "stream") return this.pauseFor(this.talk(words[1], words[2]));
    if (words[0] == "handler") {
      return this.pauseFor(
        this.grpcCallWith(new GrpcCall("greeter", "acme.Greeter", "Greet"), new Named(this, "named")),
      );
    }
    if (words[0] == "forget") {
      this.call("greeter", "Forget");
      this.talk("greeter", "Forget");
    }
    if (words[0] == "late") logInfo(state(newest!));
    if (words[0] == "mark") logInfo(this.command);
    if (words[0] == "memory") logInfo(memory.size().toString());
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    return this.command == "response" ? this.pauseFor(this.call("greeter", "Greet")) : Action.Continue;
  }

  private call(cluster: string, method: string): Status {
    const call = new GrpcCall(cluster, "acme.Greeter", method)
      .metadata("x-token", "secret")
      .metadata("x-token", "again")
      .message(bytes("me"))
      .timeoutMs(method == "Patient" ? 0 : 300);
    const status = this.grpcCall<Stream>(call, (self, response) => {
      logInfo(describe(response));
      self.resume();
    });
    logInfo("call " + (status as i32).toString());
    return status;
  }

  private talk(cluster: string, method: string): Status {
    const stream = new GrpcStream(cluster, "acme.Greeter", method).metadata("x-token", "secret");
    newest = stream;
    const status = this.grpcStream(stream, new Talk(this));
    logInfo("stream " + (status as i32).toString() + " send " + (stream.send(bytes("hello")) as i32).toString());
    return status;
  }
}

registerRootContext("", () => new Root());
