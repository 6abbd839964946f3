// What Istio's agent, Envoy Gateway and Higress do with an image: the module that they take out of it, or why they
// refuse it, in their own words.
// Source: Istio pkg/wasm/imagefetcher.go and cache.go (1.31), Envoy Gateway internal/wasm (1.9), Higress' Istio pkg/wasm,
// go-containerregistry pkg/v1/remote; Istio's fetcher run over the layouts of test/full/istio-fetch.test.ts.

import { basename } from "node:path/posix";

import {
  type Descriptor,
  type Digest,
  hexOf,
  isDigest,
  type Manifest,
  MAX_MODULE_BYTES,
  mediaTypes,
} from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { gunzip, type Unpacked } from "./gzip.ts";
import { type ImageSource, isModule, parseIndex, parseManifest, type StoredManifest } from "./source.ts";
import { readTar, TarError } from "./tar.ts";

/** The programs that fetch filters from registries, by the names of the proxies that they fetch for. */
export const consumers = { istio: "Istio", "envoy-gateway": "Envoy Gateway", higress: "Higress" } as const;

/** One of them. */
export type Consumer = (typeof consumers)[keyof typeof consumers];

/** Whether a consumer would load an image. */
export interface Verdict {
  readonly consumer: Consumer;
  /** Why it would not, in its own words; undefined when it would. */
  readonly error: string | undefined;
}

/** What was found in an image. */
export interface Examination {
  /** The digest that consumers compare with `sha256` and with what stands behind `@`; undefined when no image is found. */
  readonly digest: Digest | undefined;
  /** Set when the source holds an index: its own digest, which nobody can pin. */
  readonly indexDigest: Digest | undefined;
  readonly manifest: Manifest | undefined;
  /** The module; undefined when no consumer finds one. */
  readonly module: Uint8Array | undefined;
  readonly verdicts: readonly Verdict[];
}

/** How an image is examined. */
export interface ExaminationOptions {
  /** What a manifest would pin, 64 digits: `sha256` there, or what stands behind `@`. */
  readonly pin?: string | undefined;
  /** Why Istio refuses the registry itself, in its own words; asked for when the image has been read. */
  readonly registryProblem?: () => string | undefined;
}

const MODULE_NAME = "plugin.wasm";

/** Why a module cannot be taken out of an image: one reason, or one for each of the two layouts that were tried. */
type Refusal = { readonly docker: string } | { readonly compat: string; readonly artifact: string };

/** Says what every consumer would do with the image of a source. */
export async function examine(source: ImageSource, options: ExaminationOptions = {}): Promise<Examination> {
  const url = `oci://${source.name.replace(/^oci:\/\//, "")}`;
  const top = await source.manifest();
  const found = await resolveImage(source, top, 4);
  const indexDigest = isIndex(top.mediaType) ? top.digest : undefined;
  if (typeof found === "string") {
    const error = `could not fetch Wasm OCI image: could not fetch image: ${found}`;
    const digest = indexDigest === undefined ? top.digest : undefined;
    return { digest, indexDigest, manifest: undefined, module: undefined, verdicts: same(error, options) };
  }
  const digest = found.digest;
  const facts = { digest, indexDigest };
  if (options.pin !== undefined && options.pin !== hexOf(digest)) {
    const error = `module downloaded from ${url} has checksum ${hexOf(digest)}, which does not match: ${options.pin}`;
    const { manifest, module } = await extract(source, found);
    return { ...facts, manifest, module, verdicts: same(error, options) };
  }
  const { manifest, module, refusal, problem } = await extract(source, found);
  if (problem !== undefined) {
    const error = `could not fetch Wasm binary: could not retrieve manifest: ${problem}`;
    return { ...facts, manifest, module, verdicts: same(error, options) };
  }
  if (refusal) return { ...facts, manifest, module, verdicts: refused(refusal, options) };
  if (isModule(module!)) return { ...facts, manifest, module, verdicts: same(undefined, options) };
  const error = `fetched Wasm binary from ${url} is invalid`;
  return { ...facts, manifest, module: undefined, verdicts: same(error, options) };
}

/** What a consumer says, in one line. */
export function oneLine(error: string): string {
  return error.replace(/\s+/g, " ").trim();
}

/** One verdict of all, but for what Istio has against the registry. */
function same(error: string | undefined, { registryProblem }: ExaminationOptions): Verdict[] {
  return [
    { consumer: "Istio", error: registryProblem?.() ?? error },
    { consumer: "Envoy Gateway", error },
    { consumer: "Higress", error },
  ];
}

function refused(refusal: Refusal, options: ExaminationOptions): Verdict[] {
  const start = "could not fetch Wasm binary: ";
  if ("docker" in refusal) {
    return same(`${start}could not extract Wasm file from the image as Docker container ${refusal.docker}`, options);
  }
  const reasons = [
    `could not parse as compat variant: ${refusal.compat}`,
    `could not parse as oci variant: ${refusal.artifact}`,
  ];
  const format = `${start}the given image is in invalid format as an OCI image: `;
  // Envoy Gateway joins errors as Go's errors.Join does, the others as hashicorp's multierror.
  const listed = `${format}2 errors occurred:\n${reasons.map((reason) => `\t* ${reason}\n`).join("")}\n`;
  return [
    { consumer: "Istio", error: options.registryProblem?.() ?? listed },
    { consumer: "Envoy Gateway", error: format + reasons.join("\n") },
    { consumer: "Higress", error: listed },
  ];
}

function isIndex(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex;
}

/** Follows indexes to the image for linux/amd64, as consumers do on every machine; a string says why that fails. */
async function resolveImage(
  source: ImageSource,
  stored: StoredManifest,
  depth: number,
): Promise<StoredManifest | string> {
  if (stored.mediaType.startsWith("application/vnd.docker.distribution.manifest.v1+")) {
    return `unsupported MediaType: ${JSON.stringify(stored.mediaType)}, see https://github.com/google/go-containerregistry/issues/377`;
  }
  if (!isIndex(stored.mediaType)) return stored;
  if (depth === 0) throw new ImageError(`${source.name}: indexes point to indexes without an end`);
  const index = parseIndex(stored.bytes, `${source.name}: the index`);
  const child = index.manifests.find(({ platform }) => {
    return !platform || (platform.architecture === "amd64" && platform.os === "linux");
  });
  if (!child) return `no child with platform linux/amd64 in index ${source.name.replace(/^oci:\/\//, "")}`;
  if (!isDigest(child.digest))
    throw new ImageError(`${source.name}: the index points to ${JSON.stringify(child.digest)}`);
  const manifest = await source.manifest(child.digest);
  return resolveImage(source, { ...manifest, mediaType: child.mediaType }, depth - 1);
}

interface Extraction {
  readonly manifest: Manifest | undefined;
  readonly module: Uint8Array | undefined;
  /** Why there is no module. */
  readonly refusal?: Refusal;
  /** Why the manifest cannot be read. */
  readonly problem?: string;
}

async function extract(source: ImageSource, stored: StoredManifest): Promise<Extraction> {
  let manifest: Manifest;
  try {
    manifest = parseManifest(stored.bytes, "the manifest");
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { manifest: undefined, module: undefined, problem: error.message };
  }
  if (manifest.mediaType === mediaTypes.dockerManifest) {
    const docker = await fromArchive(source, manifest, mediaTypes.dockerLayer);
    return typeof docker === "string"
      ? { manifest, module: undefined, refusal: { docker } }
      : { manifest, module: docker };
  }
  const compat = await fromArchive(source, manifest, mediaTypes.layer);
  if (typeof compat !== "string") return { manifest, module: compat };
  const artifact = await fromArtifact(source, manifest);
  return typeof artifact === "string"
    ? { manifest, module: undefined, refusal: { compat, artifact } }
    : { manifest, module: artifact };
}

/** Takes the module out of the last layer, a gzipped tar; a string says why that fails. */
async function fromArchive(source: ImageSource, manifest: Manifest, mediaType: string): Promise<Uint8Array | string> {
  const layer = manifest.layers.at(-1);
  if (!layer) return "number of layers must be greater than zero";
  const actual = mediaTypeOf(layer, manifest);
  if (actual !== mediaType) return `invalid media type ${actual.replaceAll(/\s+/g, " ")} (expect ${mediaType})`;
  const bytes = await contentOf(source, layer);
  if (typeof bytes === "string") return bytes;
  const found = findModule(await gunzip(bytes, MAX_MODULE_BYTES), bytes.length);
  return typeof found === "string" ? `could not extract wasm binary: ${found}` : found;
}

function findModule({ bytes, problem }: Unpacked, packedLength: number): Uint8Array | string {
  if (problem === "not gzip") {
    return `failed to parse layer as tar.gz: ${packedLength ? "gzip: invalid header" : "EOF"}`;
  }
  try {
    for (const entry of readTar(bytes)) {
      if (basename(entry.name) !== MODULE_NAME) continue;
      return entry.bytes.length === entry.size ? entry.bytes : `failed to read ${MODULE_NAME}: unexpected EOF`;
    }
  } catch (error) {
    if (error instanceof TarError) return error.message;
    throw error;
  }
  // What was cut off might have held it.
  return problem === undefined ? `${MODULE_NAME} not found in the archive` : "unexpected EOF";
}

/** Takes the module out of one of two layers, where it lies bare; a string says why that fails. */
async function fromArtifact(source: ImageSource, manifest: Manifest): Promise<Uint8Array | string> {
  if (manifest.layers.length !== 2) return `number of layers must be 2 but got ${manifest.layers.length}`;
  const layer = manifest.layers.find((item) => mediaTypeOf(item, manifest) === mediaTypes.wasmLayer);
  return layer ? contentOf(source, layer) : `could not find the layer of type ${mediaTypes.wasmLayer}`;
}

/** Consumers look a layer up by its digest, among the configuration and the layers, and take the first. */
function mediaTypeOf({ digest }: Descriptor, { config, layers }: Manifest): string {
  return [config, ...layers].find((item) => item.digest === digest)!.mediaType;
}

async function contentOf(source: ImageSource, layer: Descriptor): Promise<Uint8Array | string> {
  try {
    return await source.blob(layer);
  } catch (error) {
    if (error instanceof ImageError) return `could not get layer content: ${error.message}`;
    throw error;
  }
}
