// `console`, in the proxy's log. Its lines of level info, debug, warn and error need nothing but `log`; here is the rest.

import { LogLevel } from "./abi";
import { performanceNow } from "./globals";
import { log } from "./log";

/** `console.assert`: logs at level error when the condition is false. */
export function consoleAssert(condition: bool, message: string): void {
  if (!condition) log(LogLevel.Error, message.length ? "Assertion failed: " + message : "Assertion failed");
}

/** `console.time`: starts a timer among these; one that runs already is left as it is. */
export function consoleTime(timers: Map<string, f64>, label: string): void {
  if (timers.has(label)) log(LogLevel.Warn, 'Timer "' + label + '" already exists');
  else timers.set(label, performanceNow());
}

/** `console.timeLog` and `console.timeEnd`: logs at level info how long a timer has run. */
export function consoleTimeLog(timers: Map<string, f64>, label: string, end: bool): void {
  if (!timers.has(label)) return log(LogLevel.Warn, 'Timer "' + label + '" does not exist');
  const passed = performanceNow() - timers.get(label);
  log(LogLevel.Info, label + ": " + passed.toString() + " ms");
  if (end) timers.delete(label);
}
