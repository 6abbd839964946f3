// Why a response is the proxy's own, or broken: Envoy's flags, and how an upstream fails.
// Source: Envoy envoy/stream_info/stream_info.h.

/** Why a response is the proxy's own, or broken: the bits of `response.flags`. */
export const ResponseFlag = {
  UpstreamRequestTimeout: 0x4,
  UpstreamRemoteReset: 0x10,
  UpstreamConnectionFailure: 0x20,
  UpstreamConnectionTermination: 0x40,
  UpstreamOverflow: 0x80,
  NoRouteFound: 0x100,
  DownstreamConnectionTermination: 0x4000,
  UpstreamRetryLimitExceeded: 0x8000,
  DownstreamProtocolError: 0x40000,
  UpstreamProtocolError: 0x80_0000,
  DownstreamRemoteReset: 0x1000_0000,
} as const;

/** How an upstream fails, in Envoy's words. */
export type UpstreamFailure =
  | "remote connection failure"
  | "connection termination"
  | "connection timeout"
  | "remote reset"
  | "remote refused stream reset"
  | "protocol error";

/** The flag of each failure, and what the transport says of it. */
export const upstreamFailures: Readonly<Record<UpstreamFailure, readonly [flag: number, transport: string]>> = {
  "remote connection failure": [ResponseFlag.UpstreamConnectionFailure, "delayed connect error: Connection refused"],
  "connection termination": [ResponseFlag.UpstreamConnectionTermination, ""],
  "connection timeout": [ResponseFlag.UpstreamConnectionFailure, ""],
  "protocol error": [ResponseFlag.UpstreamProtocolError, ""],
  "remote reset": [ResponseFlag.UpstreamRemoteReset, ""],
  "remote refused stream reset": [ResponseFlag.UpstreamRemoteReset, ""],
};
