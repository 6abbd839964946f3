// A small module that proxies take, and images of every form around it, as layouts on disk.

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { describe, encodeJson, mediaTypes } from "../../src/oci/descriptor.ts";
import { writeTar } from "../../src/oci/tar.ts";

/**
 * The bytes never change, since digests of images with it are compared with golden ones. It exports the marker of ABI
 * 0.2.1, a memory, and a `malloc` that answers 0:
 *
 *     (module
 *       (memory (export "memory") 1)
 *       (func (export "proxy_abi_version_0_2_1"))
 *       (func (export "malloc") (param i32) (result i32) (i32.const 0)))
 */
export const smallModule: Uint8Array = Uint8Array.from(
  Buffer.from(
    "0061736d0100000001090260000060017f017f03030200010503010001072d03066d656d6f727902001770726f78795f6162695f766572" +
      "73696f6e5f305f325f310000066d616c6c6f6300010a090202000b040041000b",
    "hex",
  ),
);

/** A blob with its media type. */
export type Part = readonly [mediaType: string, bytes: Uint8Array];

/** An image of any form. */
export interface AnyImage {
  readonly config?: Part;
  readonly layers: readonly Part[];
  /** Further members of the manifest, or others in place of its own. */
  readonly more?: object;
  /** The media type that the index names; the manifest's own without. */
  readonly mediaType?: string;
}

const dockerConfig = "application/vnd.docker.container.image.v1+json";
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
/** A gzipped archive of files. */
export const archive = (...files: [name: string, bytes: Uint8Array][]): Uint8Array =>
  gzipSync(writeTar(files.map(([name, bytes]) => ({ name, bytes }))));
const plugin = archive(["plugin.wasm", smallModule]);
const other = archive(["etc/config", text("1")]);
const imageConfig: Part = [mediaTypes.config, text('{"architecture":"amd64","os":"linux"}')];
const empty: Part = [mediaTypes.empty, text("{}")];
const wasmConfig: Part = [mediaTypes.wasmConfig, text('{"type":"envoy_proxy"}')];
const docker = (...layers: Part[]): AnyImage => ({
  config: [dockerConfig, imageConfig[1]],
  layers,
  more: { mediaType: mediaTypes.dockerManifest },
  mediaType: mediaTypes.dockerManifest,
});

/** Images that tools make, right and wrong, by name. */
export const anyImages: Readonly<Record<string, AnyImage>> = {
  docker: docker([mediaTypes.dockerLayer, plugin]),
  "docker-last-layer": docker([mediaTypes.dockerLayer, other], [mediaTypes.dockerLayer, plugin]),
  "docker-first-layer": docker([mediaTypes.dockerLayer, plugin], [mediaTypes.dockerLayer, other]),
  "docker-oci-layer": docker([mediaTypes.layer, plugin]),
  "docker-no-layers": docker(),
  oci: { layers: [[mediaTypes.layer, plugin]] },
  "oci-no-media-type": { layers: [[mediaTypes.layer, plugin]], more: { mediaType: undefined } },
  "oci-folder": { layers: [[mediaTypes.layer, archive(["a/b/plugin.wasm", smallModule])]] },
  "oci-dot": { layers: [[mediaTypes.layer, archive(["./plugin.wasm", smallModule])]] },
  "oci-two-files": { layers: [[mediaTypes.layer, archive(["x", text("1")], ["plugin.wasm", smallModule])]] },
  "oci-wrong-name": { layers: [[mediaTypes.layer, archive(["filter.wasm", smallModule])]] },
  "oci-not-last": {
    layers: [
      [mediaTypes.layer, plugin],
      [mediaTypes.layer, other],
    ],
  },
  "oci-no-layers": { layers: [] },
  "oci-plain-tar": {
    layers: [["application/vnd.oci.image.layer.v1.tar", writeTar([{ name: "plugin.wasm", bytes: smallModule }])]],
  },
  "oci-not-gzipped": { layers: [[mediaTypes.layer, writeTar([{ name: "plugin.wasm", bytes: smallModule }])]] },
  "oci-empty-layer": { layers: [[mediaTypes.layer, new Uint8Array()]] },
  "oci-damaged-gzip": { layers: [[mediaTypes.layer, plugin.subarray(0, 60)]] },
  "oci-no-tar": { layers: [[mediaTypes.layer, gzipSync(Buffer.alloc(2048, "x"))]] },
  "oci-cut-tar": {
    layers: [[mediaTypes.layer, gzipSync(writeTar([{ name: "plugin.wasm", bytes: smallModule }]).subarray(0, 560))]],
  },
  "oci-zstd": { layers: [["application/vnd.oci.image.layer.v1.tar+zstd", plugin]] },
  "oci-not-wasm": { layers: [[mediaTypes.layer, archive(["plugin.wasm", text("hello, world")])]] },
  "oci-short": { layers: [[mediaTypes.layer, archive(["plugin.wasm", smallModule.subarray(0, 4)])]] },
  "oci-empty-config": { config: empty, layers: [[mediaTypes.layer, plugin]], more: { artifactType: "x/y" } },
  artifact: { config: wasmConfig, layers: [wasmConfig, [mediaTypes.wasmLayer, smallModule]] },
  "artifact-wasm-first": { config: empty, layers: [[mediaTypes.wasmLayer, smallModule], wasmConfig] },
  "artifact-one-layer": { config: wasmConfig, layers: [[mediaTypes.wasmLayer, smallModule]] },
  "artifact-three-layers": {
    config: wasmConfig,
    layers: [wasmConfig, ["text/markdown", text("# Filter")], [mediaTypes.wasmLayer, smallModule]],
  },
  "artifact-gzipped": { config: wasmConfig, layers: [wasmConfig, [mediaTypes.wasmLayer, plugin]] },
  "artifact-two-configs": { config: empty, layers: [wasmConfig, ["x/y", text("{ }")]] },
  cncf: { config: ["application/vnd.wasm.config.v0+json", text("{}")], layers: [["application/wasm", smallModule]] },
  "wasm-to-oci": {
    config: wasmConfig,
    layers: [["application/vnd.wasm.content.layer.v1+wasm", smallModule]],
  },
};

/** The manifest of an image, as bytes, and its blobs. */
export function assembleAny({ config = imageConfig, layers, more }: AnyImage): {
  manifest: Uint8Array;
  blobs: Uint8Array[];
} {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(...config),
    layers: layers.map((layer) => describe(...layer)),
    ...more,
  };
  return { manifest: encodeJson(document), blobs: [config, ...layers].map(([, bytes]) => bytes) };
}

/** Writes a layout: blobs, and descriptors of what `index.json` lists. */
export function writeAnyLayout(folder: string, blobs: readonly Uint8Array[], manifests: readonly object[]): string {
  mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, "index.json"), encodeJson({ schemaVersion: 2, manifests }));
  for (const blob of blobs) {
    writeFileSync(join(folder, "blobs/sha256", createHash("sha256").update(blob).digest("hex")), blob);
  }
  return folder;
}

/** Writes the layout of one image. */
export function writeImage(folder: string, image: AnyImage): string {
  const { manifest, blobs } = assembleAny(image);
  const descriptor = describe(image.mediaType ?? mediaTypes.manifest, manifest);
  return writeAnyLayout(folder, [manifest, ...blobs], [descriptor]);
}
