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
  if (isObject(schema) && schema["$async"] === true) {
    throw new ManifestError("configurationSchema has $async, whose answer is not waited for; leave it out");
  }
  const ajv = makeAjv(schema, options);
  try {
    return ajv.compile(schema as object | boolean as object);
  } catch (error) {
    throw new ManifestError(`configurationSchema is no JSON Schema: ${(error as Error).message}`, { cause: error });
  }
}

/** The validator of the draft that a schema names; draft 7 when it names none. */
function makeAjv(schema: JsonObject | boolean, options: ConstructorParameters<typeof Ajv>[0]): Ajv {
  const named = isObject(schema) ? schema["$schema"] : undefined;
  if (named === undefined) return new Ajv(options);
  const draft = /^https?:\/\/json-schema\.org\/(draft-0[67]|draft\/20(?:19-09|20-12))\/schema#?$/.exec(
    String(named),
  )?.[1];
  if (draft === "draft/2020-12") return new Ajv2020(options);
  if (draft === "draft/2019-09") return new Ajv2019(options);
  if (draft === undefined) {
    throw new ManifestError(
      `configurationSchema is of ${JSON.stringify(named)}, which is not known; the drafts 6, 7, 2019-09 and 2020-12 are, such as https://json-schema.org/draft/2020-12/schema`,
    );
  }
  const ajv = new Ajv(options);
  const id = (named as string).replace(/#$/, "");
  if (!ajv.getSchema(id)) ajv.addMetaSchema({ $id: id, $ref: "http://json-schema.org/draft-07/schema#" });
  return ajv;
}
