// The levels of filters' logs, by the names that they have on the command line.

import { LogLevel } from "../../assembly/abi.ts";

/** The name of a level. */
export type LogLevelName = "trace" | "debug" | "info" | "warn" | "error" | "critical";

/** The levels, the lowest first. */
export const logLevels: Readonly<Record<LogLevelName, LogLevel>> = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warn,
  error: LogLevel.Error,
  critical: LogLevel.Critical,
};
