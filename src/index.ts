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
export type { ByteString } from "./encoding/bytes.ts";
export type {
  Callout,
  CalloutRequest,
  CalloutResponse,
  CalloutResult,
  CalloutState,
  CalloutUpstream,
  CalloutUpstreams,
} from "./callouts/callouts.ts";
export { type Clock, SystemClock, VirtualClock } from "./clock.ts";
export type { HttpProtocol } from "./http/codec.ts";
export type { DnsAddress, DnsAnswer, DnsNames } from "./callouts/dns.ts";
export { EnvoyFault, HostFault, LeakError, LoadError, Refusal, StreamError } from "./error.ts";
export { type ExchangeOptions, FilterResponse } from "./exchange.ts";
export type { Fault, Faults } from "./faults.ts";
export { Filter, type FilterOptions, loadFilter } from "./filter.ts";
export { chain, type FilterChain } from "./filter-chain.ts";
export { FilterStream, type ReceivedMessage, type StreamOptions } from "./filter-stream.ts";
export type { ExpressionLanguage } from "./properties/expressions.ts";
export type { ForeignFunction } from "./services/foreign.ts";
export type { GrpcAnswer, GrpcCallout, GrpcUpstream, GrpcUpstreams } from "./callouts/grpc.ts";
export {
  grpcMessages,
  type GrpcMessages,
  type GrpcOutcome,
  grpcRequest,
  grpcResponse,
} from "./callouts/grpc-message.ts";
export type { HeaderEntry } from "./http/header-map.ts";
export { type HeadersInit, HttpHeaders } from "./http/http-headers.ts";
export type { UpstreamFailure } from "./http/response-flag.ts";
export type { LeakOptions, Usage } from "./leak.ts";
export type { Limits } from "./limits.ts";
export type { LocalReply } from "./http/local-reply.ts";
export type { Metric, MetricKind } from "./services/metrics.ts";
export { type HostName, hostProfiles, type HostVariant } from "./profiles/choose.ts";
export type {
  AbiVersion,
  FailurePolicy,
  HostFunction,
  HostPhase,
  HostProfile,
  HostSetting,
  Signature,
  TextForm,
  TextProperties,
} from "./profiles/profile.ts";
export type { Plain } from "./properties/property-messages.ts";
export type { PropertyOptions } from "./properties/property-options.ts";
export { type ProxyOptions, ProxyState } from "./contexts/proxy-state.ts";
export type { RequestInit } from "./request-init.ts";
export type { SharedQueue } from "./services/queues.ts";
export type { SharedDataView } from "./services/shared-data.ts";
export type { ProxyStats } from "./services/stats-update.ts";
export { Step } from "./step.ts";
export { type Received, TcpConnection } from "./tcp-connection.ts";
export { type LogEntry, Trace, type TraceEvent } from "./trace.ts";
export { Trap } from "./module/trap.ts";
export {
  type BodyInit,
  type Upstream,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamResponse,
} from "./callouts/upstream.ts";
