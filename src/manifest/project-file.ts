// proxy-wasm.json: read, compared with its schema, and made a filter as one target is to have it.

import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";

import { Ajv, type ValidateFunction } from "ajv";

import { parseJson } from "../encoding/parse-json.ts";
import { ManifestError } from "./error.ts";
import type { Filter, FilterSettings, Places } from "./filter.ts";
import { explainErrors, findHalfCharacter, type Json, type JsonObject } from "./json.ts";

/** What the file holds, as its schema says. */
export interface ProjectFile extends Partial<FilterSettingsInFile> {
  readonly name: string;
  readonly kind?: Filter["kind"];
  readonly rootId?: string;
  readonly module?: string;
  readonly image?: string;
  readonly url?: string;
  readonly configurationSchema?: string | JsonObject | boolean;
  readonly targets?: {
    readonly [T in keyof Places]?: Places[T] & { readonly settings?: Partial<FilterSettingsInFile> };
  };
}

interface FilterSettingsInFile extends Omit<FilterSettings, "environment"> {
  readonly environment: Partial<FilterSettings["environment"]>;
}

let validate: ValidateFunction | undefined;

/** Reads the text of a file; `name` stands in errors. */
export function parseProjectFile(text: string, name: string): ProjectFile {
  const value = parseJson(text, name, ManifestError) as Json;
  const half = findHalfCharacter(value);
  if (half !== undefined) {
    throw new ManifestError(
      `${name}: ${half} has one half of a surrogate pair, such as \\ud83d, which is no character; write both, or none`,
    );
  }
  validate ??= new Ajv({ allErrors: true, verbose: true, strictRequired: false, allowUnionTypes: true }).compile(
    createRequire(import.meta.url)("proxy-wasm/proxy-wasm.schema.json") as object,
  );
  if (validate(value)) return value as unknown as ProjectFile;
  throw new ManifestError(`${name}: ${explainErrors(validate.errors!)}`);
}

/** Where a filter comes from and what it has to fit: what the file names and others hold. */
export interface Sources extends Pick<Filter, "image" | "download" | "configurationSchema"> {}

/** The filter as a target is to have it; `file` is the path of proxy-wasm.json. */
export function filterFor(target: keyof Places, project: ProjectFile, file: string, sources: Sources): Filter {
  const settings = { ...project, ...project.targets?.[target]?.settings };
  const { values = {}, host = [] } = settings.environment ?? {};
  const twice = host.find((name) => Object.hasOwn(values, name));
  if (twice !== undefined) throw new ManifestError(`${file}: the environment has ${twice} in values and in host`);
  return {
    ...sources,
    name: project.name,
    kind: project.kind ?? "http",
    rootId: project.rootId ?? "",
    module: resolve(dirname(file), project.module ?? "build/release.wasm"),
    configuration: settings.configuration,
    phase: settings.phase ?? "unspecified",
    priority: settings.priority ?? 0,
    failurePolicy: settings.failurePolicy ?? "closed",
    environment: { values, host },
    allowOnHeadersStopIteration: settings.allowOnHeadersStopIteration ?? false,
    capabilities: settings.capabilities,
    vmId: settings.vmId,
    vmConfiguration: settings.vmConfiguration,
  };
}
