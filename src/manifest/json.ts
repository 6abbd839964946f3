// JSON: what it holds, and what is wrong with it by a schema, in a sentence.

import type { ErrorObject } from "ajv";

import { isCredential } from "../http/credential-headers.ts";

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

/** Where a text is that is no Unicode, which no manifest can hold, as `/configuration/name`; undefined when none is. */
export function findHalfCharacter(value: Json, place = ""): string | undefined {
  if (typeof value === "string") return isWhole(value) ? undefined : place;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const inside = `${place}/${name}`;
    const found = isWhole(name) ? findHalfCharacter(member as Json, inside) : inside;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isWhole(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

const MOST_ERRORS = 5;
const MOST_SHOWN = 40;

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
  const found = shown(data, error.instancePath);
  switch (keyword) {
    case "additionalProperties": {
      const known = Object.keys((error.parentSchema?.["properties"] as object | undefined) ?? {});
      const name = JSON.stringify(params["additionalProperty"]);
      return `${place} has ${name}, which is not known there; known: ${known.join(", ") || "none"}`;
    }
    case "required":
      return `${place} lacks ${JSON.stringify(params["missingProperty"])}`;
    case "enum":
      return `${place} must be one of ${values(params["allowedValues"] as Json[])}, and is ${found}`;
    case "const":
      return `${place} must be ${JSON.stringify(params["allowedValue"])}, and is ${found}`;
    case "dependentRequired":
    case "dependencies":
      return `${place} ${message}`;
    case "false schema":
      return `${place} is not allowed`;
    default: {
      const described = keyword === "pattern" ? (error.parentSchema?.["description"] as string | undefined) : undefined;
      const wanted = described ? `${message} (${described.split(/\. |\.$/)[0]!})` : message;
      return `${place} ${wanted}, and is ${found}`;
    }
  }
}

function values(list: readonly Json[]): string {
  return list.map((value) => JSON.stringify(value)).join(", ");
}

/** A value that was refused: whole when it is a number or the like, its beginning when it is a text, and no secret. */
function shown(value: unknown, path: string): string {
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  if (typeof value !== "string") return JSON.stringify(value);
  // As a header would be called: apiKey is api-key.
  const names = path.split("/").map((name) => name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").replaceAll("_", "-"));
  if (names.some(isCredential)) return "a text, which is not shown";
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
