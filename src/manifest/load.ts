// What a manifest is written from, out of a project's folder: proxy-wasm.json, and what it names.

import { dirname, join, resolve } from "node:path";

import { type Digest, digestOf, hexOf, MAX_MODULE_BYTES } from "../oci/descriptor.ts";
import { readLimited } from "../oci/files.ts";
import { openPackaged } from "../oci/packaged.ts";
import { wasPushed } from "../oci/pushed.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { isModule } from "../oci/source.ts";
import { parseJson } from "../encoding/parse-json.ts";
import { checkConfiguration } from "./check-configuration.ts";
import { ManifestError } from "./error.ts";
import type { Filter, FilterDownload, FilterImage, Places } from "./filter.ts";
import { isObject, type JsonObject } from "./json.ts";
import { filterFor, parseProjectFile, type ProjectFile } from "./project-file.ts";
import type { Target } from "./targets.ts";

/** More than a file that people write has. */
const MAX_TEXT_BYTES = 64 << 20;

/** What is not in proxy-wasm.json. */
export interface LoadOptions {
  /** The path of proxy-wasm.json. */
  readonly file: string;
  /** The layout that was pushed; undefined: `build/image` beside the file. */
  readonly layout: string | undefined;
  /** The image's name in place of the file's. */
  readonly reference: string | undefined;
  /** Whether the image is pinned by its digest. */
  readonly pin: boolean;
}

/** The filter as a target is to have it, and where; an error says what is wrong with it. `warn` is told what may be. */
export async function loadFilter(
  target: Target,
  options: LoadOptions,
  warn: (text: string) => void,
): Promise<{ filter: Filter; places: Partial<Places> }> {
  const { file } = options;
  const project = parseProjectFile(await readText(file, "; it says what a manifest is written from"), file);
  const configurationSchema = await schemaOf(project, file);
  const loads = !localOnly.has(target.place);
  const sources = {
    configurationSchema,
    image: loads ? await imageOf(project, options, warn) : undefined,
    download: await downloadOf(project, file),
  };
  const filter = filterFor(target.place, project, file, sources);
  if (configurationSchema !== undefined) {
    const isOverridden = project.targets?.[target.place]?.settings?.configuration !== undefined;
    const place = isOverridden ? `/targets/${target.place}/settings/configuration` : "/configuration";
    checkConfiguration(filter.configuration, configurationSchema, `${file}: ${place}`);
  }
  return { filter, places: project.targets ?? {} };
}

/** Targets that read a file or download a module, and know nothing of images. */
const localOnly: ReadonlySet<keyof Places> = new Set(["envoy", "kong", "nginx", "apisix"]);

async function imageOf(
  project: ProjectFile,
  options: LoadOptions,
  warn: (text: string) => void,
): Promise<FilterImage | undefined> {
  const text = options.reference ?? project.image;
  if (text === undefined) return undefined;
  const { digest: written, ...name } = parseReference(text);
  const image = { name: formatReference({ ...name, digest: undefined }), registry: name.registry };
  if (!options.pin) return { ...image, digest: undefined };
  if (written !== undefined) return { ...image, digest: written };
  const layout = options.layout ?? join(dirname(options.file), "build/image");
  const digest = await packagedDigest(text, layout, options.file);
  if (!(await wasPushed(layout, digest, image.name))) {
    warn(`${digest} is pinned, and proxy-wasm push has not pushed it to ${image.name} from ${layout}`);
  }
  return { ...image, digest };
}

async function packagedDigest(image: string, layout: string, file: string): Promise<Digest> {
  try {
    return (await openPackaged(layout)).image.digest;
  } catch (error) {
    throw new ManifestError(
      `the digest of ${image} is not known: ${file} names none, and ${(error as Error).message}; --reference takes what proxy-wasm push prints, --no-pin leaves the digest out`,
      { cause: error },
    );
  }
}

async function downloadOf(project: ProjectFile, file: string): Promise<FilterDownload | undefined> {
  const { url, module = "build/release.wasm" } = project;
  if (url === undefined) return undefined;
  const path = resolve(dirname(file), module);
  const bytes = await read(path, MAX_MODULE_BYTES).catch((error: Error) => {
    throw new ManifestError(
      `the digest of what lies at ${url} is not known: ${error.message}; proxy-wasm build makes it`,
      { cause: error },
    );
  });
  if (!isModule(bytes)) throw new ManifestError(`${path} is no WebAssembly module`);
  return { url, sha256: hexOf(digestOf(bytes)) };
}

async function schemaOf(project: ProjectFile, file: string): Promise<JsonObject | boolean | undefined> {
  const { configurationSchema } = project;
  if (typeof configurationSchema !== "string") return configurationSchema;
  const path = join(dirname(file), configurationSchema);
  const schema = parseJson(await readText(path, `; ${file} names it in configurationSchema`), path, ManifestError);
  if (isObject(schema) || typeof schema === "boolean") return schema;
  throw new ManifestError(`${path} is no JSON Schema: an object was expected`);
}

async function readText(path: string, why: string): Promise<string> {
  try {
    return new TextDecoder().decode(await read(path, MAX_TEXT_BYTES));
  } catch (error) {
    throw new ManifestError(`${(error as Error).message}${why}`, { cause: error });
  }
}

async function read(path: string, limit: number): Promise<Uint8Array> {
  const bytes = await readLimited(path, limit);
  if (bytes) return bytes;
  throw new ManifestError(`cannot read ${path}: there is no such file`);
}
