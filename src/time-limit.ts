// Stops what runs too long. Of all that Node has, only `vm` can interrupt WebAssembly; arming it costs 0.1 ms a call.

/** Runs something, and throws when it takes longer than its limit. */
export type TimeLimit = <T>(run: () => T) => T;

/** A limit of so many milliseconds. Needs Node. */
export async function timeLimit(milliseconds: number): Promise<TimeLimit> {
  if (!Number.isInteger(milliseconds) || milliseconds < 1) {
    throw new RangeError(`limits.callbackMs is ${milliseconds}; it must be a whole number of milliseconds above 0`);
  }
  const { createContext, Script } = await import("node:vm");
  const holder: { run?: () => void } = {};
  const context = createContext(holder);
  const script = new Script("run()");
  return <T>(run: () => T): T => {
    let result: T;
    holder.run = () => void (result = run());
    try {
      script.runInContext(context, { timeout: milliseconds });
    } catch (error) {
      if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      throw new Error(`it ran longer than ${milliseconds} ms (limits.callbackMs)`, { cause: error });
    }
    return result!;
  };
}
