// Which expressions of CEL Envoy takes: how long and how deep, and with which functions.
// Source: Envoy source/extensions/filters/common/expr/evaluator.cc; a running Envoy 1.40.

import { parse } from "@bufbuild/cel";

import { counted, environment, type Expr } from "./cel-environment.ts";

/** How much Envoy's parser reads, and how deep. */
const MOST_CHARACTERS = 100_000;
const MOST_DEPTH = 32;

/** Reads an expression, the loops in which are counted. Throws a `SyntaxError` for what Envoy's parser does not take, another for what it cannot plan. */
export function readExpression(source: string): ReturnType<typeof parse> {
  if ([...source].length > MOST_CHARACTERS) throw new SyntaxError(`Envoy reads ${MOST_CHARACTERS} characters`);
  const parsed = read(source);
  check(parsed.expr, 1);
  return parsed;
}

function read(source: string): ReturnType<typeof parse> {
  try {
    return parse(source);
  } catch (error) {
    throw new SyntaxError((error as Error).message, { cause: error });
  }
}

/** The functions that Envoy knows besides operators: with how many arguments, and with how many behind a dot. */
const functions: Readonly<Record<string, { readonly global: readonly number[]; readonly method: readonly number[] }>> =
  {
    size: { global: [1], method: [0] },
    matches: { global: [2], method: [1] },
    ...named("contains startsWith endsWith", [], [1]),
    ...named("bool bytes double duration dyn int string timestamp type uint", [1], []),
    ...named("getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds", [], [0, 1]),
    ...named("getMinutes getMonth getSeconds", [], [0, 1]),
  };

function named(
  names: string,
  global: readonly number[],
  method: readonly number[],
): Record<string, { readonly global: readonly number[]; readonly method: readonly number[] }> {
  return Object.fromEntries(names.split(" ").map((name) => [name, { global, method }]));
}

const macros: ReadonlySet<string> = new Set(["has", "all", "exists", "exists_one", "map", "filter"]);

/** Has loops counted. Throws for what Envoy does not take, and @bufbuild/cel finds out when it is evaluated, or not at all. */
function check(expr: Expr | undefined, depth: number): void {
  if (depth > MOST_DEPTH) throw new SyntaxError(`it is nested deeper than ${MOST_DEPTH} levels`);
  if (!expr) return;
  const inside = (...parts: readonly (Expr | undefined)[]): void => {
    for (const part of parts) check(part, depth + 1);
  };
  const { case: kind, value } = expr.exprKind;
  if (kind === "constExpr") {
    const { case: type, value: number } = value.constantKind;
    const fits =
      type === "int64Value"
        ? BigInt.asIntN(64, number) === number
        : type !== "uint64Value" || BigInt.asUintN(64, number) === number;
    if (!fits) throw new SyntaxError(`${value.constantKind.value} has more than 64 bits`);
  } else if (kind === "selectExpr") {
    inside(value.operand);
  } else if (kind === "callExpr") {
    checkCall(value.function, value.target !== undefined, value.args.length);
    inside(value.target, ...value.args);
  } else if (kind === "listExpr") {
    inside(...value.elements);
  } else if (kind === "structExpr") {
    if (value.messageName && !environment.registry.getMessage(value.messageName)) {
      throw new Error(`there is no message ${value.messageName}`);
    }
    for (const entry of value.entries) {
      inside(entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined, entry.value);
    }
  } else if (kind === "comprehensionExpr") {
    inside(value.iterRange, value.accuInit, value.loopCondition, value.loopStep, value.result);
    value.loopCondition = counted(value.loopCondition!);
  }
}

function checkCall(name: string, isMethod: boolean, count: number): void {
  if (/^\W|^_/.test(name)) return;
  if (macros.has(name)) throw new SyntaxError(`${name} is a macro and wants other arguments`);
  const known = Object.hasOwn(functions, name) ? functions[name]! : undefined;
  if (known?.[isMethod ? "method" : "global"].includes(count)) return;
  throw new Error(`there is no function ${isMethod ? "." : ""}${name} of ${count} arguments`);
}
