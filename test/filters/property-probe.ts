// Reads and sets properties in every callback, as its configuration says, and logs what each host call answered.
// A line of the configuration is a path whose segments are divided by "/", to be read in every callback; or
// `callback path=value`, to be set before the reading begins; or `callback !action`.

import {
  Action,
  HttpContext,
  logInfo,
  PeerType,
  registerRootContext,
  RootContext,
  StreamContext,
  StreamType,
} from "proxy-wasm/assembly";
import { proxy_continue_stream, proxy_get_property, proxy_set_property } from "proxy-wasm/assembly/env";

let lines: string[] = [];

/** Does and logs what the configuration says for this callback. */
function probe(callback: string, context: HttpContext | null): Action {
  let action = Action.Continue;
  for (let i = 0; i < lines.length; i++) {
    const space = lines[i].indexOf(" ");
    if (space < 0 || lines[i].substring(0, space) != callback) continue;
    const task = lines[i].substring(space + 1);
    if (task == "!pause") action = Action.Pause;
    else if (task == "!reply") context!.sendLocalResponse(403, "denied", null, -1, "probed");
    else if (task == "!close") context!.close();
    else if (task == "!continue") proxy_continue_stream(StreamType.HttpRequest);
    else if (task == "!lose") context!.requestHeaders.set(":path", "nowhere");
    else logInfo("set|" + callback + "|" + task + "|" + set(task).toString());
  }
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].indexOf(" ") < 0) logInfo("get|" + callback + "|" + lines[i] + "|" + get(lines[i]));
  }
  return action;
}

function wire(path: string): ArrayBuffer {
  const bytes = String.UTF8.encode(path);
  for (let i = 0; i < bytes.byteLength; i++) {
    const at = changetype<usize>(bytes) + i;
    if (load<u8>(at) == 0x2f) store<u8>(at, 0);
  }
  return bytes;
}

function set(task: string): u32 {
  const equals = task.indexOf("=");
  const path = wire(task.substring(0, equals));
  const value = String.UTF8.encode(task.substring(equals + 1));
  return proxy_set_property(changetype<usize>(path), path.byteLength, changetype<usize>(value), value.byteLength);
}

const answer = memory.data(8);

function get(name: string): string {
  const path = wire(name);
  store<u64>(answer, 0);
  const status = proxy_get_property(changetype<usize>(path), path.byteLength, answer, answer + 4);
  let text = status.toString();
  if (status) return text;
  text += " ";
  const from = load<u32>(answer) as usize;
  const size = min(load<u32>(answer, 4) as usize, 600);
  for (let i: usize = 0; i < size; i++)
    text += load<u8>(from + i)
      .toString(16)
      .padStart(2, "0");
  return text;
}

class Root extends RootContext {
  override onConfigure(_size: u32): bool {
    lines = this.configuration!.split("\n");
    probe("root", null);
    return true;
  }
}

class HttpRoot extends Root {
  override createHttpContext(): HttpContext | null {
    return new Stream();
  }
}

class TcpRoot extends Root {
  override createStreamContext(): StreamContext | null {
    return new Connection();
  }
}

class Stream extends HttpContext {
  private bodies: i32 = 0;

  constructor() {
    super();
    probe("create", this);
  }

  override onRequestHeaders(_count: u32, _end: bool): Action {
    return probe("request-headers", this);
  }

  override onRequestBody(_size: u32, _end: bool): Action {
    if (this.bodies & 1) return Action.Continue;
    this.bodies |= 1;
    return probe("request-body", this);
  }

  override onRequestTrailers(_count: u32): Action {
    return probe("request-trailers", this);
  }

  override onResponseHeaders(_count: u32, _end: bool): Action {
    this.responseHeaders.delete("x-envoy-upstream-service-time");
    return probe("response-headers", this);
  }

  override onResponseBody(_size: u32, _end: bool): Action {
    if (this.bodies & 2) return Action.Continue;
    this.bodies |= 2;
    return probe("response-body", this);
  }

  override onResponseTrailers(_count: u32): Action {
    return probe("response-trailers", this);
  }

  override onLog(): void {
    probe("log", this);
  }

  override onDone(): bool {
    probe("done", this);
    return true;
  }

  override onDelete(): void {
    probe("delete", this);
  }
}

class Connection extends StreamContext {
  constructor() {
    super();
    probe("create", null);
  }

  override onNewConnection(): Action {
    return probe("new-connection", null);
  }

  override onDownstreamData(_size: u32, end: bool): Action {
    return end ? Action.Continue : probe("downstream-data", null);
  }

  override onUpstreamData(_size: u32, end: bool): Action {
    return end ? Action.Continue : probe("upstream-data", null);
  }

  override onDownstreamClose(_peer: PeerType): void {
    probe("downstream-close", null);
  }

  override onLog(): void {
    probe("log", null);
  }

  override onDone(): bool {
    probe("done", null);
    return true;
  }

  override onDelete(): void {
    probe("delete", null);
  }
}

// Compiled with `--use TCP=1` it is a filter for TCP.
if (isDefined(TCP)) registerRootContext("root", () => new TcpRoot());
else registerRootContext("root", () => new HttpRoot());
