export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  registerRootContext,
  RootContext,
  stream_context,
} from "@solo-io/proxy-runtime";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new AddHeader(id, this);
  }
}

class AddHeader extends Context {
  onResponseHeaders(_count: u32, _endOfStream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-service-name", "my-custom-service");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Root(id), "");
