// Images on disk: the OCI's image layout, as a folder and as one tar file.
// Source: OCI image specification 1.1, image-layout.md.

import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  type Descriptor,
  type Digest,
  encodeJson,
  hexOf,
  type Index,
  isDigest,
  MAX_MANIFEST_BYTES,
  MAX_MODULE_BYTES,
  mediaTypes,
} from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { makeFolders, readLimited } from "./files.ts";
import type { Image } from "./image.ts";
import { checkBytes, checkDescriptor, type ImageSource, isModule, parseIndex } from "./source.ts";
import { readTar, TarError, type TarFile, writeTar } from "./tar.ts";

/** The files of a layout with one image, in the order in which they are written. */
function layoutFiles(image: Image): TarFile[] {
  const index: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [image.descriptor] };
  const blobs = [[image.descriptor.digest, image.manifest] as const, ...image.blobs];
  return [
    { name: "oci-layout", bytes: encodeJson({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", bytes: encodeJson(index) },
    ...blobs.map(([digest, bytes]) => ({ name: `blobs/sha256/${hexOf(digest)}`, bytes })),
  ];
}

/** What lies in a layout's folder. */
export const layoutNames: readonly string[] = ["blobs", "index.json", "oci-layout"];

/** Writes an image into a folder, which must not exist. */
export async function writeLayout(folder: string, image: Image): Promise<void> {
  await makeFolders(join(folder, "blobs/sha256"));
  for (const { name, bytes } of layoutFiles(image)) await writeFile(join(folder, name), bytes);
}

/** The same as one file. */
export function layoutTar(image: Image): Uint8Array {
  return writeTar(layoutFiles(image));
}

/** The folder that other files of a layout are beside; the path is its own, or that of its tar file. */
export function layoutFolder(path: string): string {
  return path.replace(/\.tar$/, "").replace(/[/\\]+$/, "");
}

/** Opens the layout in a folder or a tar file; an `ImageError` says what is wrong with it. */
export async function openLayout(path: string): Promise<ImageSource> {
  const files = (await isFolder(path)) ? folderFiles(path) : await tarFiles(path);
  if (!(await files.read("oci-layout", 1024))) {
    throw new ImageError(`${path} is no OCI image layout: it has no file oci-layout; proxy-wasm package makes one`);
  }
  const bytes = await files.read("index.json", MAX_MANIFEST_BYTES);
  if (!bytes) throw new ImageError(`${path} is no OCI image layout: it has no file index.json`);
  const index = parseIndex(bytes, `${path}: index.json`);
  const image = theImage(index.manifests, path);
  // A layer is looked at and pushed: read and compared once.
  const known = new Map<Digest, Uint8Array>();
  const read = async (descriptor: Descriptor): Promise<Uint8Array> => {
    checkDescriptor(descriptor, path);
    const name = `blobs/sha256/${hexOf(descriptor.digest)}`;
    const blob = known.get(descriptor.digest) ?? (await files.read(name, descriptor.size));
    if (!blob) throw new ImageError(`${path} has no file ${name}, which its manifest points to`);
    if (!known.has(descriptor.digest) || blob.length !== descriptor.size) checkBytes(blob, descriptor, path);
    known.set(descriptor.digest, blob);
    return blob;
  };
  return {
    name: path,
    async manifest(digest) {
      if (digest === undefined) {
        return { mediaType: image.mediaType, digest: image.digest, bytes: await read(image) };
      }
      const file = await files.read(`blobs/sha256/${hexOf(digest)}`, MAX_MANIFEST_BYTES);
      if (!file) throw new ImageError(`${path} has no manifest ${digest}`);
      const descriptor = { mediaType: "", digest, size: file.length };
      checkBytes(file, descriptor, path);
      return { ...descriptor, bytes: file };
    },
    blob: read,
  };
}

/** What a layout is about, when there is only one thing. */
function theImage(manifests: readonly Descriptor[], path: string): Descriptor {
  const [image, ...others] = manifests;
  if (!image) throw new ImageError(`${path}: index.json lists no image`);
  if (others.length) {
    throw new ImageError(
      `${path}: index.json lists ${manifests.length} images; copy the one that is meant to a layout`,
    );
  }
  if (!isDigest(image.digest)) throw new ImageError(`${path}: index.json has no sha256 digest`);
  return image;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR")
      throw new ImageError(`cannot read ${path}: ${message}`, { cause: error });
    throw new ImageError(`there is no image ${path}; proxy-wasm package makes it`, { cause: error });
  }
}

/** Files by name; undefined when there is none. */
interface Files {
  read(name: string, limit: number): Promise<Uint8Array | undefined>;
}

function folderFiles(folder: string): Files {
  return { read: (name, limit) => readLimited(join(folder, name), limit) };
}

async function tarFiles(path: string): Promise<Files> {
  const bytes = (await readLimited(path, 2 * MAX_MODULE_BYTES))!;
  if (isModule(bytes)) throw new ImageError(`${path} is a module and no image; proxy-wasm package makes one of it`);
  const files = new Map<string, Uint8Array>();
  try {
    for (const entry of readTar(bytes)) files.set(entry.name.replace(/^\.\//, ""), entry.bytes);
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new ImageError(`${path} is neither a folder nor a tar file with an OCI image layout`, { cause: error });
  }
  return { read: async (name) => files.get(name) };
}
