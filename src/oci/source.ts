// Where images are read from: a registry, an image layout in a folder or in a tar file.

import {
  type Descriptor,
  type Digest,
  digestOf,
  type Index,
  isDigest,
  type Manifest,
  MAX_MODULE_BYTES,
} from "./descriptor.ts";
import { ImageError } from "./error.ts";

/** A manifest or an index, as it is stored. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A place with an image in it. */
export interface ImageSource {
  /** As a person names it. */
  readonly name: string;
  /** The manifest or index with this digest; the image's own without one. Its bytes have been compared with the digest. */
  manifest(digest?: Digest): Promise<StoredManifest>;
  /** What a descriptor points to, compared with its size and digest. */
  blob(descriptor: Descriptor): Promise<Uint8Array>;
}

/** Throws unless a descriptor can be followed: a SHA-256, and not too long. */
export function checkDescriptor({ digest, size }: Descriptor, name: string): void {
  if (!isDigest(digest)) throw new ImageError(`${name} has the digest ${JSON.stringify(digest)}; sha256 was expected`);
  if (!Number.isSafeInteger(size) || size < 0) throw new ImageError(`${name}: ${digest} has no size`);
  if (size > MAX_MODULE_BYTES) {
    throw new ImageError(`${name}: ${digest} has ${size} bytes; no consumer takes more than ${MAX_MODULE_BYTES}`);
  }
}

/** Throws unless bytes are what a descriptor says. */
export function checkBytes(bytes: Uint8Array, { digest, size }: Descriptor, name: string): void {
  if (bytes.length !== size) {
    throw new ImageError(`${name}: ${digest} has ${bytes.length} bytes; its descriptor says ${size}`);
  }
  const actual = digestOf(bytes);
  if (actual !== digest) throw new ImageError(`${name}: what should be ${digest} has the digest ${actual}`);
}

/** Reads JSON that must be an object; `what` stands in the error. */
export function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  const text = new TextDecoder().decode(bytes);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  const seen = text.trimStart().startsWith("<") ? "it is HTML" : "it is none";
  throw new ImageError(`${what} should be a JSON object; ${seen}`);
}

/** Reads an index; throws when it is none. */
export function parseIndex(bytes: Uint8Array, name: string): Index {
  const index = parseObject(bytes, name);
  if (Array.isArray(index["manifests"]) && index["manifests"].every(isDescriptor)) return index as unknown as Index;
  throw new ImageError(`${name} lists no manifests`);
}

/** Reads a manifest; throws when it is none. */
export function parseManifest(bytes: Uint8Array, name: string): Manifest {
  const manifest = parseObject(bytes, name);
  const { config, layers } = manifest;
  if (isDescriptor(config) && Array.isArray(layers) && layers.every(isDescriptor))
    return manifest as unknown as Manifest;
  throw new ImageError(`${name} has no list of layers, each with media type, digest and size`);
}

function isDescriptor(value: unknown): value is Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Record<string, unknown>;
  return typeof mediaType === "string" && typeof digest === "string" && typeof size === "number";
}

/** Whether consumers take these bytes for a module: they look at the magic only. */
export function isModule(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}
