// What `import "proxy-wasm"` gives.

export {
  Action,
  BufferType,
  DataAction,
  GrpcStatus,
  HeadersAction,
  LogLevel,
  MapType,
  PeerType,
  Status,
} from "../assembly/abi.ts";
export { type Clock, SystemClock, VirtualClock } from "./clock.ts";
export { EnvoyFault, LoadError, Refusal, StreamError, Trap } from "./error.ts";
export {
  type BodyInit,
  FilterResponse,
  type RequestInit,
  type Upstream,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
} from "./exchange.ts";
export type { Fault, Faults } from "./faults.ts";
export { Filter, type FilterOptions, loadFilter } from "./filter.ts";
export type { ForeignFunction } from "./foreign.ts";
export { FilterStream } from "./filter-stream.ts";
export { type HeadersInit, HttpHeaders } from "./http-headers.ts";
export type { Limits } from "./limits.ts";
export type { LocalReply } from "./local-reply.ts";
export type { FailurePolicy } from "./plugin.ts";
export { Step } from "./step.ts";
export { type Received, TcpConnection } from "./tcp-connection.ts";
export { type LogEntry, Trace, type TraceEvent } from "./trace.ts";
