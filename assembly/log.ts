// Lines in the proxy's log, under the name of the plugin.

import { LogLevel, Status } from "./abi";
import { proxy_get_log_level, proxy_log } from "./env";
import { answerData, beginCall, write, written } from "./memory";
import { ABI } from "./version";

/** Writes a line at this level; what lies below the proxy's own level is dropped there. Allowed everywhere. */
export function log(level: LogLevel, message: string): void {
  beginCall();
  const text = write(changetype<usize>(message));
  proxy_log(level, text, written);
}

/** Writes a line at level trace. */
export function logTrace(message: string): void {
  log(LogLevel.Trace, message);
}

/** Writes a line at level debug. */
export function logDebug(message: string): void {
  log(LogLevel.Debug, message);
}

/** Writes a line at level info. */
export function logInfo(message: string): void {
  log(LogLevel.Info, message);
}

/** Writes a line at level warn. */
export function logWarn(message: string): void {
  log(LogLevel.Warn, message);
}

/** Writes a line at level error. */
export function logError(message: string): void {
  log(LogLevel.Error, message);
}

/** Writes a line at level critical. */
export function logCritical(message: string): void {
  log(LogLevel.Critical, message);
}

/**
 * Whether the proxy writes lines of this level, so that a costly message need not be built. `true` when the host does
 * not say, and in builds for an ABI before 0.2.1, which have no such call; ngx_wasm_module refuses a module with it.
 */
export function isLogged(level: LogLevel): bool {
  if (ABI < 21) return true;
  beginCall();
  return proxy_get_log_level(answerData) != Status.Ok || (level as u32) >= load<u32>(answerData);
}
