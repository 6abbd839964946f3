export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  HeaderPair,
  log,
  LogLevelValues,
  registerRootContext,
  RootContext,
  send_local_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new LocalReply(id, this);
  }
}

class LocalReply extends Context {
  onRequestHeaders(_count: u32, _endOfStream: bool): FilterHeadersStatusValues {
    let host = stream_context.headers.request.get(":authority");
    let path = stream_context.headers.request.get(":path");
    if (host == "") host = "-";
    if (path == "") path = "-";
    log(LogLevelValues.info, "host " + host + " path " + path);
    const header = new HeaderPair(String.UTF8.encode("x-service-name"), String.UTF8.encode("my-custom-service"));
    const body = String.UTF8.encode("Hello from Wasm!\n");
    send_local_response(200, "", body, [header], GrpcStatusValues.Ok);
    return FilterHeadersStatusValues.StopIteration;
  }
}

registerRootContext((id: u32) => new Root(id), "");
