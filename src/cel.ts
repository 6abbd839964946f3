// CEL, the Common Expression Language, for filters that have the proxy evaluate expressions. It is evaluated by
// @bufbuild/cel, which is installed beside this package.

import { isCelError, plan } from "@bufbuild/cel";

import { bounded, environment } from "./properties/cel-environment.ts";
import { readExpression } from "./properties/cel-syntax.ts";
import { fromCel, namesIn } from "./properties/cel-values.ts";
import type { Expression, ExpressionLanguage } from "./properties/expressions.ts";

/**
 * Evaluates the expressions of filters over Envoy's attributes: `loadFilter(filter, { expressions: cel })`. Names,
 * functions and errors are those of Envoy 1.40.
 */
export const cel: ExpressionLanguage = {
  /** @internal */
  compile(source: string): Expression {
    const run = plan(environment, readExpression(source));
    return {
      evaluate(attributes) {
        const value = bounded(() => run(namesIn(attributes)));
        if (isCelError(value)) throw value;
        return fromCel(value);
      },
    };
  },
};
