// Everything an author imports.

export {
  Action,
  BufferType,
  GRPC_STATUS_UNSET,
  GrpcStatus,
  LogLevel,
  MapType,
  PeerType,
  Status,
  StreamType,
} from "./abi";
export { Body } from "./body";
export { BodyContext } from "./body-context";
export { currentTimeNanoseconds } from "./clock";
export { Context, HttpContext, RootContext } from "./context";
export { GrpcCall, GrpcCallHandler, GrpcRequest, GrpcResponse, GrpcStream, GrpcStreamHandler } from "./grpc";
export { HeaderMap } from "./header-map";
export { Header, Headers } from "./headers";
export { HttpCall, HttpCallHandler, HttpCallResponse } from "./http-call";
export { Lease } from "./lease";
export { isLogged, log, logCritical, logDebug, logError, logInfo, logTrace, logWarn } from "./log";
export { Counter, Gauge, Histogram, Metric, tagged } from "./metrics";
export { Queue } from "./queues";
export { registerHttpContext, registerRootContext, registerStreamContext } from "./registry";
export { SharedData, SharedEntry } from "./shared-data";
export { StreamContext } from "./stream-context";
export { TextDecoder } from "./text-decoder";
