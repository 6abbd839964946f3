// Everything an author imports.

export { Action, BufferType, GRPC_STATUS_UNSET, GrpcStatus, LogLevel, MapType, Status, StreamType } from "./abi";
export { currentTimeNanoseconds } from "./clock";
export { Context, HttpContext, RootContext } from "./context";
export { HeaderMap } from "./header-map";
export { Header, Headers } from "./headers";
export { isLogged, log, logCritical, logDebug, logError, logInfo, logTrace, logWarn } from "./log";
export { registerHttpContext, registerRootContext } from "./registry";
