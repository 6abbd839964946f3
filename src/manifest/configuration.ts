// A filter's configuration, compared with the schema that its author wrote.

import { Ajv } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";

import { ManifestError } from "./error.ts";
import { explainErrors, isObject, type Json, type JsonObject } from "./json.ts";

/**
 * Throws unless a configuration fits a schema of the drafts 6, 7, 2019-09 or 2020-12. `format` is not looked at.
 * `place` is what the configuration is called in errors.
 */
export function checkConfiguration(configuration: Json | undefined, schema: JsonObject | boolean, place: string): void {
  const validate = compile(schema);
  if (validate(configuration === undefined ? null : configuration)) return;
  if (configuration === undefined) {
    throw new ManifestError(
      `${place} is missing, and configurationSchema wants one; "configuration": {} is an empty one`,
    );
  }
  throw new ManifestError(explainErrors(validate.errors!, place));
}

function compile(schema: JsonObject | boolean): ReturnType<Ajv["compile"]> {
  const options = { allErrors: true, verbose: true, strict: false, validateFormats: false, logger: false } as const;
  try {
    return makeAjv(schema, options).compile(schema as object | boolean as object);
  } catch (error) {
    throw new ManifestError(`configurationSchema is no JSON Schema: ${(error as Error).message}`, { cause: error });
  }
}

function makeAjv(schema: JsonObject | boolean, options: ConstructorParameters<typeof Ajv>[0]): Ajv {
  const draft = isObject(schema) && typeof schema["$schema"] === "string" ? schema["$schema"] : "";
  if (draft.includes("2020-12")) return new Ajv2020(options);
  if (draft.includes("2019-09")) return new Ajv2019(options);
  const ajv = new Ajv(options);
  if (/draft-0?6/.test(draft)) {
    ajv.addMetaSchema({ $id: draft.replace(/#$/, ""), $ref: "http://json-schema.org/draft-07/schema#" });
  }
  return ajv;
}
