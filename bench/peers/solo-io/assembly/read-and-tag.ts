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
    return new ReadAndTag(id, this);
  }
}

class ReadAndTag extends Context {
  onRequestHeaders(_count: u32, _endOfStream: bool): FilterHeadersStatusValues {
    const path = stream_context.headers.request.get(":path");
    const authority = stream_context.headers.request.get(":authority");
    const agent = stream_context.headers.request.get("user-agent");
    if (path == "" || authority == "" || agent == "") return FilterHeadersStatusValues.Continue;
    stream_context.headers.request.replace("x-seen", authority + path);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _endOfStream: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-service-name", "my-custom-service");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Root(id), "");
