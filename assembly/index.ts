// Everything an author imports.

export {
  Action,
  BufferType,
  GRPC_STATUS_UNSET,
  GrpcStatus,
  LogLevel,
  MapType,
  MetricType,
  PeerType,
  Status,
  StreamType,
} from "./abi";
export {
  Connection,
  connection,
  Destination,
  destination,
  Plugin,
  plugin,
  Source,
  source,
  Upstream,
  upstream,
  Xds,
  xds,
} from "./attributes";
export { Body } from "./body";
export { BodyContext } from "./body-context";
export { CallStatus, callStatus } from "./call-status";
export { currentTimeNanoseconds } from "./clock";
export { ContentType, parseContentType } from "./content-type";
export { Context } from "./context";
export { parseCookies } from "./cookies";
export { DnsAddress, DnsAnswer, DnsHandler } from "./dns";
export { GrpcCall, GrpcCallHandler, GrpcRequest, GrpcResponse, GrpcStream, GrpcStreamHandler } from "./grpc";
export { callForeignFunction, foreignFunctionStatus } from "./foreign";
export { ipOf, parseForwardedFor } from "./forwarded";
export { HeaderMap } from "./header-map";
export { Header, Headers } from "./headers";
export { Lease } from "./lease";
export { HttpCall, HttpCallHandler, HttpCallResponse } from "./http-call";
export { HttpContext } from "./http-context";
export { isLogged, log, logCritical, logDebug, logError, logInfo, logTrace, logWarn } from "./log";
export { Counter, Gauge, Histogram, Metric, tagged } from "./metrics";
export { Parameter, Parameters } from "./parameters";
export {
  getProperty,
  getPropertyBool,
  getPropertyBytes,
  getPropertyF64,
  getPropertyI64,
  getPropertyList,
  getPropertyMap,
  getPropertyNanoseconds,
  getPropertyU64,
  PropertyMap,
  PropertyValue,
  setProperty,
  setPropertyBytes,
} from "./properties";
export { parseQuery } from "./query";
export { Queue } from "./queues";
export { registerHttpContext, registerRootContext, registerStreamContext } from "./registry";
export { Request, request, RequestHead } from "./request";
export { Response, response } from "./response";
export { RootContext } from "./root-context";
export { SharedData, SharedEntry } from "./shared-data";
export { StatsUpdate } from "./stats-update";
export { StreamContext } from "./stream-context";
export { TextDecoder } from "./text-decoder";
