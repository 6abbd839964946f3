// JSON: what it holds, and what is wrong with it by a schema, in a sentence.

import type { ErrorObject } from "ajv";

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Whether a value is an object of JSON: no array, not null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MOST_ERRORS = 5;

/** What a schema has against a file, or against what lies in it at `root`, each with its place. */
export function explainErrors(errors: readonly ErrorObject[], root = ""): string {
  // What stands in a branch of anyOf or if says less than the branch as a whole.
  const telling = errors.filter(({ keyword }) => keyword !== "if");
  const sentences = [...new Set(telling.map((error) => explain(error, root)))];
  const more = sentences.length > MOST_ERRORS ? `; and ${sentences.length - MOST_ERRORS} more` : "";
  return sentences.slice(0, MOST_ERRORS).join("; ") + more;
}

function explain(error: ErrorObject, root: string): string {
  const { keyword, params, message = "is wrong", data } = error;
  const place = `${root}${error.instancePath}` || "the file";
  switch (keyword) {
    case "additionalProperties": {
      const known = Object.keys((error.parentSchema?.["properties"] as object | undefined) ?? {});
      const name = JSON.stringify(params["additionalProperty"]);
      return `${place} has ${name}, which is not known there; known: ${known.join(", ") || "none"}`;
    }
    case "required":
      return `${place} lacks ${JSON.stringify(params["missingProperty"])}`;
    case "enum":
      return `${place} must be one of ${values(params["allowedValues"] as Json[])}, and is ${shown(data)}`;
    case "const":
      return `${place} must be ${shown(params["allowedValue"])}, and is ${shown(data)}`;
    case "dependentRequired":
    case "dependencies":
      return `${place} ${message}`;
    case "false schema":
      return `${place} is not allowed`;
    default: {
      const described = keyword === "pattern" ? (error.parentSchema?.["description"] as string | undefined) : undefined;
      const wanted = described ? `${message} (${described.split(/\. |\.$/)[0]!})` : message;
      return `${place} ${wanted}, and is ${shown(data)}`;
    }
  }
}

function values(list: readonly Json[]): string {
  return list.map((value) => JSON.stringify(value)).join(", ");
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
