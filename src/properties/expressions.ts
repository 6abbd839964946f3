// Expressions that filters have the proxy evaluate over its attributes (`expr_create`, `expr_evaluate`, `expr_delete`).
// Source: Envoy source/extensions/common/wasm/foreign.cc; a running Envoy 1.40.

import { Status } from "../../assembly/abi.ts";
import { type ByteString, decodeText, byteString } from "../encoding/bytes.ts";
import { Gap, Misuse, Refusal } from "../error.ts";
import { beyond, ENTRY_BYTES, type Limits } from "../limits.ts";
import { propertyBytes } from "./property-bytes.ts";
import type { PropertyValue } from "./property-value.ts";

/** What an expression can name: an attribute of Envoy's, or undefined. @internal */
export type Attributes = (name: ByteString) => PropertyValue | undefined;

/** The language of expressions: `cel` of `proxy-wasm/cel`. */
export interface ExpressionLanguage {
  /** Reads an expression. Throws a `SyntaxError` when it is none, another error when it cannot be evaluated. @internal */
  compile(source: string): Expression;
}

/** An expression that can be evaluated. @internal */
export interface Expression {
  /** Its value; throws when there is none. */
  evaluate(attributes: Attributes): PropertyValue;
}

/** The expressions of a VM, each with a number, the token. */
export class Expressions {
  readonly #language: ExpressionLanguage | undefined;
  readonly #limits: Limits;
  readonly #known = new Map<number, { readonly expression: Expression; readonly bytes: number }>();
  #next = 0;
  #bytes = 0;

  constructor(language: ExpressionLanguage | undefined, limits: Limits) {
    this.#language = language;
    this.#limits = limits;
  }

  /** Reads an expression, and gives its token. */
  create(argument: Uint8Array): Uint8Array | Refusal {
    if (!this.#language) return noLanguage();
    const bytes = argument.length + ENTRY_BYTES;
    if (this.#bytes + bytes > this.#limits.expressionBytes) {
      return beyond("expressionBytes", "the bytes of expressions", this.#bytes + bytes, this.#limits);
    }
    const source = decodeText(byteString(argument));
    try {
      const expression = this.#language.compile(source);
      this.#known.set(this.#next, { expression, bytes });
    } catch (error) {
      // What cannot be read takes no token in Envoy; what cannot be evaluated has taken one.
      if (!(error instanceof SyntaxError)) this.#next++;
      return new Refusal(Status.BadArgument, `${JSON.stringify(source)} is no expression: ${(error as Error).message}`);
    }
    this.#bytes += bytes;
    return tokenBytes(this.#next++);
  }

  /** The bytes of the value of the expression with this token. */
  evaluate(argument: Uint8Array, attributes: Attributes): Uint8Array | Refusal {
    if (!this.#language) return noLanguage();
    const token = tokenOf(argument);
    if (token === undefined) return noToken();
    const known = this.#known.get(token);
    if (!known) return new Misuse(Status.NotFound, `there is no expression with the token ${token}`);
    let value: PropertyValue;
    try {
      value = known.expression.evaluate(attributes);
    } catch (error) {
      return new Refusal(Status.InternalFailure, `the expression has no value here: ${(error as Error).message}`);
    }
    return (
      propertyBytes(value) ??
      new Refusal(Status.SerializationFailure, "the value of the expression has no bytes: null, a type or a group")
    );
  }

  /** Forgets the expression with this token, if there is one. */
  delete(argument: Uint8Array): Refusal | undefined {
    if (!this.#language) return noLanguage();
    const token = tokenOf(argument);
    if (token === undefined) return noToken();
    this.#bytes -= this.#known.get(token)?.bytes ?? 0;
    this.#known.delete(token);
    return undefined;
  }
}

function tokenBytes(token: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, token, true);
  return bytes;
}

function tokenOf(argument: Uint8Array): number | undefined {
  if (argument.length !== 4) return undefined;
  return new DataView(argument.buffer, argument.byteOffset).getUint32(0, true);
}

function noToken(): Refusal {
  return new Refusal(Status.BadArgument, "the argument is no token: expr_create gives 4 bytes");
}

function noLanguage(): Refusal {
  return new Gap(
    "expr_create, expr_evaluate, expr_delete",
    'this host evaluates expressions with @bufbuild/cel: install it, and in a test import { cel } from "proxy-wasm/cel" ' +
      "for loadFilter(…, { expressions: cel })",
  );
}
