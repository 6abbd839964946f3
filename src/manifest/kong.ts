// Kong Gateway's declarative configuration and the description of a filter beside its module.
// Source: Kong/kong 3.9, kong/db/schema/entities/filter_chains.lua, kong/runloop/wasm.lua.

import { head } from "./document.ts";
import { ManifestError } from "./error.ts";
import { type Filter, type KongPlace, textOf } from "./filter.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { checkLimits } from "./limits.ts";
import { note, writeYaml } from "./yaml.ts";

/** A file for Kong without a database, or for `deck`. */
export function kongChain(filter: Filter, place: KongPlace): string {
  checkLimits(filter, "kong");
  const { name, configuration, configurationSchema } = filter;
  const { service = name, upstream = "http://127.0.0.1:8000", paths } = place;
  const chain = [
    {
      filters: note("They run in the order of the list.", [
        {
          name: note(`The name of the file in Kong's wasm_filters_path: ${name}.wasm. kong.conf needs wasm=on.`, name),
          config: note(
            configurationSchema === undefined
              ? "What the filter reads as its configuration."
              : `What the filter reads as its configuration, as JSON. ${name}.meta.json has to lie beside ${name}.wasm:\nproxy-wasm manifest kong-meta --out ${name}.meta.json`,
            configurationSchema === undefined ? textOf(configuration) : configuration,
          ),
        },
      ]),
    },
  ];
  return writeYaml(head("kong"), {
    _format_version: "3.0",
    services: [
      {
        name: service,
        url: note("The server that requests go to.", upstream.replace(/\/$/, "")),
        filter_chains: paths ? undefined : chain,
        routes: [{ name: service, paths: paths ?? ["/"], filter_chains: paths ? chain : undefined }],
      },
    ],
  });
}

/** What Kong has to know of a filter to take a configuration that is no text: its JSON Schema, in draft 4. */
export function kongMeta(filter: Filter): string {
  checkLimits(filter, "kong");
  const { configurationSchema } = filter;
  if (!isObject(configurationSchema)) {
    throw new ManifestError(
      `Kong's description of a filter holds the schema of its configuration, and "configurationSchema" is ${configurationSchema === undefined ? "missing" : "none"}; without it, a text for a configuration needs none`,
    );
  }
  const { $schema: _other, $id: _id, ...schema } = configurationSchema;
  checkDraft4(schema, "configurationSchema");
  const meta = { config_schema: { $schema: "http://json-schema.org/draft-04/schema#", ...schema } };
  return `${JSON.stringify(meta, undefined, 2)}\n`;
}

/** Words that draft 4 has not, or has in another sense. */
const newer =
  /^(const|contains|propertyNames|if|then|else|\$defs|\$anchor|\$dynamicRef|dependentRequired|dependentSchemas|prefixItems|unevaluated(Items|Properties)|minContains|maxContains)$/;

function checkDraft4(schema: Json, place: string): void {
  if (typeof schema === "boolean") return refuse(place, "is true or false in place of a schema");
  if (!isObject(schema)) return;
  for (const [word, value] of Object.entries(schema)) {
    if (newer.test(word)) refuse(place, `has "${word}"`);
    if (/^exclusive(Minimum|Maximum)$/.test(word) && typeof value === "number")
      refuse(place, `has a number for "${word}"`);
    for (const [where, inner] of schemasIn(word, value)) checkDraft4(inner, `${place}/${word}${where}`);
  }
}

function refuse(place: string, what: string): never {
  throw new ManifestError(
    `${place} ${what}, which Kong does not know: it takes JSON Schema of draft 4; leave configurationSchema out of what Kong gets and write a text for a configuration`,
  );
}

/** The schemas that a word of a schema holds. */
function schemasIn(word: string, value: Json): (readonly [where: string, schema: Json])[] {
  if (/^(properties|patternProperties|definitions)$/.test(word) && isObject(value)) {
    return Object.entries(value as JsonObject).map(([name, schema]) => [`/${name}`, schema] as const);
  }
  if (/^(allOf|anyOf|oneOf|items)$/.test(word) && Array.isArray(value)) {
    return (value as readonly Json[]).map((schema, i) => [`/${i}`, schema] as const);
  }
  if (/^(not|items)$/.test(word)) return [["", value]];
  // Draft 4 itself has booleans here.
  return /^additional(Items|Properties)$/.test(word) && isObject(value) ? [["", value]] : [];
}
