// Reads a file of cases; what is wrong in it is told with line and column.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { Ajv, type ErrorObject } from "ajv";
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";

import { CommandError } from "../errors.ts";
import { packageRoot } from "../package-root.ts";
import { whyUnreadable } from "../reasons.ts";
import type { Cases, Place } from "./cases.ts";

/** The path to a value of a file. */
export type ValuePath = readonly (string | number)[];

/** A file that has been read. */
export interface CasesFile {
  readonly file: string;
  readonly cases: Cases;
  /** Where a value stands, as `file:line:column`. */
  where(path: ValuePath): string;
}

/** The JSON Schema of the files, as text. */
export function readSchema(): Promise<string> {
  return readFile(join(packageRoot(), "cases.schema.json"), "utf8");
}

/** Reads and checks a file; a `CommandError` has a line for each thing that is wrong. */
export async function readCases(file: string): Promise<CasesFile> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new CommandError(`cannot read ${file}: ${whyUnreadable(error)}`);
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const where = (place: Place): string => `${file}:${place.line}:${place.column}`;
  if (document.errors.length) {
    throw new CommandError(document.errors.map(({ pos, message }) => `${where(at(pos[0]))}: ${message}`).join("\n"));
  }
  const cases: unknown = document.toJS();
  const validate = new Ajv({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(
    JSON.parse(await readSchema()) as object,
  );
  const placeOf = (path: ValuePath): string => where(at(offsetOf(document, path)));
  if (!validate(cases)) {
    const mistakes = new Set((validate.errors ?? []).flatMap((error) => mistakeOf(error, placeOf)));
    throw new CommandError([...mistakes].join("\n"));
  }
  return { file, cases: cases as Cases, where: placeOf };
}

/** What is wrong, in words. Errors that only sum up others are left out. */
function mistakeOf(error: ErrorObject, where: (path: ValuePath) => string): string[] {
  const path = pathOf(error.instancePath);
  const name = path.length ? describe(path) : "the file";
  const { keyword, params, parentSchema, data } = error;
  switch (keyword) {
    case "additionalProperties": {
      const unknown = String(params["additionalProperty"]);
      const known = Object.keys((parentSchema as { properties?: object }).properties ?? {}).join(", ");
      return [`${where([...path, unknown])}: ${JSON.stringify(unknown)} is no field of ${name}; it has: ${known}`];
    }
    case "required":
      if (error.schemaPath.includes("/oneOf/")) return [];
      return [`${where(path)}: ${name} lacks ${JSON.stringify(params["missingProperty"])}`];
    case "enum":
      return [
        `${where(path)}: ${name} is ${JSON.stringify(data)}; it can be ${(error.schema as unknown[]).map((one) => JSON.stringify(one)).join(", ")}`,
      ];
    case "type":
      return [`${where(path)}: ${name} is ${kindOf(data)}; expected is ${[params["type"]].flat().join(" or ")}`];
    case "oneOf":
      return [`${where(path)}: ${name} has one of exact, regex and file`];
    default:
      return [`${where(path)}: ${name} ${error.message}`];
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : `the ${typeof value} ${JSON.stringify(value)}`;
}

/** JSON Pointer to a path. RFC 6901. */
function pathOf(pointer: string): (string | number)[] {
  const parts = pointer.split("/").slice(1);
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll("~1", "/").replaceAll("~0", "~")));
}

/** A path as `test[1].request_headers`: people count from 1. */
function describe(path: ValuePath): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part + 1}]` : `.${part}`))
    .join("")
    .replace(/^\./, "");
}

/** Where a value begins; a key, for a value that is one of a map. */
function offsetOf(document: Document, path: ValuePath): number {
  for (let length = path.length; length >= 0; length--) {
    const parent = length ? document.getIn(path.slice(0, length - 1), true) : undefined;
    const key = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      if (pair && isNode(pair.key)) return pair.key.range?.[0] ?? 0;
    }
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
