// A module as an image that proxies take.
// Source: OCI image specification 1.1, manifest.md, config.md; the Wasm image specification, spec.md and spec-compat.md.

import {
  type Descriptor,
  describe,
  type Digest,
  digestOf,
  encodeJson,
  hexOf,
  type Manifest,
  mediaTypes,
} from "./descriptor.ts";
import { gzip } from "./gzip.ts";
import { writeTar } from "./tar.ts";

/**
 * How the module lies in the image. `compat` is one gzipped tar with `plugin.wasm`, which every consumer takes;
 * `artifact` is two layers, a configuration and the bare module, which Istio, Envoy Gateway and Higress take too.
 */
export type Layout = "compat" | "artifact";

/** What an image is made of. */
export interface ImageParts {
  readonly module: Uint8Array;
  /** The version of the ABI that the module is for, such as `0.2.1`. */
  readonly abi: string;
  readonly layout: Layout;
  /** What stands in the manifest, such as `org.opencontainers.image.title`. */
  readonly annotations: Readonly<Record<string, string>>;
  /** When it was made, as RFC 3339; undefined leaves it out. */
  readonly created: string | undefined;
}

/** A manifest and what it points to, as bytes. */
export interface Image {
  readonly descriptor: Descriptor;
  readonly manifest: Uint8Array;
  /** The configuration and the layers. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

/** The names of the annotations that say what the module in an image is. */
export const moduleAnnotations = { digest: "proxy-wasm.module.sha256", size: "proxy-wasm.module.size" } as const;

/** Makes an image; the same parts give the same bytes everywhere. */
export function buildImage(parts: ImageParts): Image {
  const { module, layout, created } = parts;
  const annotations = {
    "module.wasm.image/variant": layout === "compat" ? "compat" : "oci",
    [moduleAnnotations.digest]: hexOf(digestOf(module)),
    [moduleAnnotations.size]: String(module.length),
    ...(created !== undefined && { "org.opencontainers.image.created": created }),
    ...parts.annotations,
  };
  return assemble(layout === "compat" ? compat(parts) : artifact(parts), annotations);
}

/** A blob and its media type. */
type Blob = readonly [mediaType: string, bytes: Uint8Array];

function compat({ module, created }: ImageParts): { config: Blob; layers: readonly Blob[] } {
  const tar = writeTar([{ name: "plugin.wasm", bytes: module }]);
  const config = {
    ...(created !== undefined && { created }),
    // What consumers ask for when they find an index; nothing in here runs on it.
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [{ ...(created !== undefined && { created }), created_by: "proxy-wasm package" }],
  };
  return { config: [mediaTypes.config, encodeJson(config)], layers: [[mediaTypes.layer, gzip(tar)]] };
}

function artifact({ module, abi }: ImageParts): { config: Blob; layers: readonly Blob[] } {
  const description = encodeJson({ type: "envoy_proxy", abiVersions: [`v${abi.replaceAll(".", "-")}`], config: {} });
  return {
    config: [mediaTypes.wasmConfig, encodeJson({})],
    layers: [
      [mediaTypes.wasmConfig, description],
      [mediaTypes.wasmLayer, module],
    ],
  };
}

/** Makes a manifest over a configuration and layers. */
export function assemble(
  { config, layers }: { readonly config: Blob; readonly layers: readonly Blob[] },
  annotations: Readonly<Record<string, string>>,
  more: Partial<Manifest> = {},
): Image {
  const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  const document: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    ...more,
    config: describe(...config),
    layers: layers.map((layer) => describe(...layer)),
    annotations: Object.fromEntries(sorted),
  };
  const manifest = encodeJson(document);
  const blobs = [config, ...layers].map(([, bytes]): [Digest, Uint8Array] => [digestOf(bytes), bytes]);
  return { descriptor: describe(mediaTypes.manifest, manifest), manifest, blobs: new Map(blobs) };
}
