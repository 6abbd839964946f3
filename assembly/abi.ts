// The numbers of the proxy-wasm ABI, each written once: the filter's compiler (asc) and the host's (tsc) both read
// this file. Plain enums and integers only, no imports: `const enum` does not survive `isolatedModules`, and an unused
// string would end up in every filter.
// Source: proxy-wasm/spec, abi-versions/v0.2.1; values beyond it are proxy-wasm-cpp-host's, and say so.

/** What a host call answers. */
export enum Status {
  /** Done; answers were written. */
  Ok = 0,
  /** No such key, id, property, function or buffer. */
  NotFound = 1,
  /** A value out of range, or something that cannot be used now, such as a header map outside its callback. */
  BadArgument = 2,
  /** The value exists but has no byte form. */
  SerializationFailure = 3,
  /** The bytes given could not be read. */
  ParseFailure = 4,
  /** An expression is wrong (cpp-host; no host call answers it). */
  BadExpression = 5,
  /** An address or length lies outside the filter's memory, or its allocator gave nothing. */
  InvalidMemoryAccess = 6,
  /** The queue holds no item. */
  Empty = 7,
  /** The shared value was changed since it was read. */
  CasMismatch = 8,
  /** The result is not of the expected kind (cpp-host; no host call answers it). */
  ResultMismatch = 9,
  /** The host failed, or refused a restricted capability. */
  InternalFailure = 10,
  /** The connection broke (cpp-host; only as the code of `proxy_get_status`). */
  BrokenConnection = 11,
  /** The host does not offer this call. */
  Unimplemented = 12,
}

/** What a stream callback wants the proxy to do next. Portable hosts know these two. */
export enum Action {
  /** Go on with the stream. */
  Continue = 0,
  /** Hold the stream until it is continued, answered or closed. */
  Pause = 1,
}

/** Envoy's wider set of answers to a headers callback (cpp-host `FilterHeadersStatus`). */
export enum HeadersAction {
  /** Go on. */
  Continue = 0,
  /** Hold; Envoy treats it as `StopAllIterationAndWatermark` unless `allow_on_headers_stop_iteration` is set. */
  StopIteration = 1,
  /** Envoy treats it as `Continue`. */
  ContinueAndEndStream = 2,
  /** Hold headers and body; a body beyond the buffer limit fails the stream. */
  StopAllIterationAndBuffer = 3,
  /** Hold headers and body; beyond the buffer limit the proxy stops reading. */
  StopAllIterationAndWatermark = 4,
}

/** Envoy's wider set of answers to a body callback (cpp-host `FilterDataStatus`). */
export enum DataAction {
  /** Go on; what was held goes along. */
  Continue = 0,
  /** Hold and keep; the next callback sees everything held so far. */
  StopIterationAndBuffer = 1,
  /** Hold and keep out of sight; beyond the buffer limit the proxy stops reading. */
  StopIterationAndWatermark = 2,
  /** Hold and drop this chunk. */
  StopIterationNoBuffer = 3,
}

/** How important a log line is. */
export enum LogLevel {
  /** Finest detail. */
  Trace = 0,
  /** For the author. */
  Debug = 1,
  /** For the operator. */
  Info = 2,
  /** Something is odd. */
  Warn = 3,
  /** Something failed. */
  Error = 4,
  /** The filter cannot go on. */
  Critical = 5,
}

/** Which header map a call means. */
export enum MapType {
  /** Headers of the request, pseudo headers included. */
  HttpRequestHeaders = 0,
  /** Trailers of the request. */
  HttpRequestTrailers = 1,
  /** Headers of the response, `:status` included. */
  HttpResponseHeaders = 2,
  /** Trailers of the response. */
  HttpResponseTrailers = 3,
  /** First metadata of a gRPC answer. */
  GrpcReceiveInitialMetadata = 4,
  /** Last metadata of a gRPC answer. */
  GrpcReceiveTrailingMetadata = 5,
  /** Headers of an HTTP callout's answer. */
  HttpCallResponseHeaders = 6,
  /** Trailers of an HTTP callout's answer. */
  HttpCallResponseTrailers = 7,
}

/** Which buffer a call means. */
export enum BufferType {
  /** Body of the request. */
  HttpRequestBody = 0,
  /** Body of the response. */
  HttpResponseBody = 1,
  /** TCP bytes from the client. */
  DownstreamData = 2,
  /** TCP bytes from the upstream. */
  UpstreamData = 3,
  /** Body of an HTTP callout's answer. */
  HttpCallResponseBody = 4,
  /** A gRPC message. */
  GrpcReceiveBuffer = 5,
  /** Configuration of the VM. */
  VmConfiguration = 6,
  /** Configuration of the plugin. */
  PluginConfiguration = 7,
  /** Arguments of a foreign function callback. */
  CallData = 8,
}

/** Which half of a stream is continued or closed (ABI 0.2.x). */
export enum StreamType {
  /** The request of an HTTP stream. */
  HttpRequest = 0,
  /** The response of an HTTP stream. */
  HttpResponse = 1,
  /** The client's side of a TCP stream. */
  Downstream = 2,
  /** The upstream's side of a TCP stream. */
  Upstream = 3,
}

/** Which kind of metric is defined. */
export enum MetricType {
  /** Only grows. */
  Counter = 0,
  /** Goes up and down. */
  Gauge = 1,
  /** Collects samples. */
  Histogram = 2,
}

/** Who closed a TCP connection. */
export enum PeerType {
  /** The host does not say. */
  Unknown = 0,
  /** The proxy. */
  Local = 1,
  /** The peer. */
  Remote = 2,
}

/** Status of a gRPC call, as in gRPC's own specification. */
export enum GrpcStatus {
  /** Success. */
  Ok = 0,
  /** Cancelled by the caller. */
  Cancelled = 1,
  /** An error of no other kind. */
  Unknown = 2,
  /** The argument is wrong whatever the state. */
  InvalidArgument = 3,
  /** Out of time. */
  DeadlineExceeded = 4,
  /** Not there. */
  NotFound = 5,
  /** There already. */
  AlreadyExists = 6,
  /** Not allowed. */
  PermissionDenied = 7,
  /** A quota is used up. */
  ResourceExhausted = 8,
  /** Not possible in this state. */
  FailedPrecondition = 9,
  /** Stopped half way, as by a conflict. */
  Aborted = 10,
  /** Past the valid range. */
  OutOfRange = 11,
  /** Not offered. */
  Unimplemented = 12,
  /** An invariant of the server broke. */
  Internal = 13,
  /** Not reachable now. */
  Unavailable = 14,
  /** Data is lost. */
  DataLoss = 15,
  /** No valid credentials. */
  Unauthenticated = 16,
}

/** Passed to `proxy_send_local_response` when the reply carries no gRPC status. */
export const GRPC_STATUS_UNSET = -1;
