// The functions of CEL as Envoy has them, and its bound for loops.
// Source: google/cel-cpp `comprehension_max_iterations`; a running Envoy 1.40.

import { type CelEnv, celEnv, celFunc, CelScalar, isCelError, parse, plan } from "@bufbuild/cel";

/** A node of an expression. */
export type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;

const { STRING, BOOL } = CelScalar;
const matches = plan(celEnv(), parse("text.matches(pattern)"));

/** A name that no expression can say. */
const COUNT = "@count";
/** Once more around than this, in all loops together, is an error. */
const MOST_ITERATIONS = 9_999;
let iterations = 0;

/** The functions of CEL; @bufbuild/cel has `matches` behind a dot only, and bounds no loop. */
export const environment: CelEnv = celEnv({
  funcs: [
    celFunc("matches", [STRING, STRING], BOOL, (text, pattern) => {
      const result = matches({ text, pattern });
      if (isCelError(result)) throw result;
      return result === true;
    }),
    celFunc(COUNT, [BOOL], BOOL, (goesOn) => {
      if (goesOn && ++iterations > MOST_ITERATIONS) throw tooMuch();
      return goesOn;
    }),
  ],
});

/** The condition of a loop, counted each time. */
export function counted(condition: Expr): Expr {
  const value = { $typeName: "cel.expr.Expr.Call" as const, function: COUNT, args: [condition] };
  return { ...condition, exprKind: { case: "callExpr", value } };
}

/** Runs an expression; throws when its loops go around more often than Envoy lets them, whatever comes of it. */
export function bounded<T>(run: () => T): T {
  iterations = 0;
  const value = run();
  if (iterations > MOST_ITERATIONS) throw tooMuch();
  return value;
}

function tooMuch(): Error {
  return new Error(`its loops go around more than ${MOST_ITERATIONS} times, the most in Envoy`);
}
