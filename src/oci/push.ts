// Pushes an image and what is said of it. The tags come last: what a tag names is there, with all that is said of it.
// Source: OCI distribution specification 1.1, "Pushing manifests", "Referrers Tag Schema".

import {
  type Descriptor,
  describe,
  type Digest,
  encodeJson,
  type Index,
  type Manifest,
  mediaTypes,
} from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { assemble } from "./image.ts";
import type { Statement } from "./packaging.ts";
import { Repository } from "./registry.ts";
import { type ImageSource, parseIndex, type StoredManifest } from "./source.ts";
import { statementTypes } from "./statements.ts";

/** What to push. */
export interface PushRequest {
  readonly source: ImageSource;
  readonly image: StoredManifest;
  readonly manifest: Manifest;
  readonly tags: readonly string[];
  readonly statements: readonly Statement[];
  /** Told of every step, as a line. */
  readonly onProgress: (line: string) => void;
}

/** What takes long enough to be announced. */
const LONG_BYTES = 1 << 20;

/** Pushes. */
export async function push(repository: Repository, request: PushRequest): Promise<void> {
  const { source, image, manifest, tags, statements, onProgress } = request;
  for (const [name, descriptor] of [
    ["config", manifest.config] as const,
    ...manifest.layers.map((layer) => ["layer", layer] as const),
  ]) {
    const bytes = await source.blob(descriptor);
    const { wasThere } = await repository.putBlob(bytes, descriptor.digest, () => {
      if (bytes.length >= LONG_BYTES) onProgress(`${name.padEnd(10)}  ${descriptor.digest}  ${bytes.length} bytes …`);
    });
    onProgress(blobLine(name, descriptor, wasThere));
  }
  await repository.putManifest(image.bytes, image.mediaType);
  onProgress(`manifest    ${image.digest}  pushed`);
  const subject: Descriptor = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
  for (const statement of statements) {
    onProgress(`${statement.kind.padEnd(10)}  ${await attach(repository, subject, statement)}`);
  }
  for (const [i, tag] of tags.entries()) {
    await repository.putManifest(image.bytes, image.mediaType, tag).catch((error: Error) => {
      throw new ImageError(`${error.message}; of the tags, these are set: ${tags.slice(0, i).join(", ") || "none"}`);
    });
    onProgress(`tag         ${tag}`);
  }
}

function blobLine(name: string, { digest, size }: Descriptor, wasThere: boolean): string {
  return `${name.padEnd(10)}  ${digest}  ${wasThere ? "was there" : `pushed, ${size} bytes`}`;
}

/** Stores a statement as a referrer of the image; gives how it can be found, as a sentence. */
async function attach(repository: Repository, subject: Descriptor, { kind, bytes }: Statement): Promise<string> {
  const artifactType = statementTypes[kind];
  const attachment = assemble(
    { config: [mediaTypes.empty, encodeJson({})], layers: [[artifactType, bytes]] },
    { "org.opencontainers.image.title": `${kind}.json` },
    { artifactType, subject },
  );
  for (const [digest, blob] of attachment.blobs) await repository.putBlob(blob, digest);
  const { subjectNoted } = await repository.putManifest(attachment.manifest, mediaTypes.manifest);
  if (subjectNoted) return `${attachment.descriptor.digest}  attached`;
  const descriptor = { ...attachment.descriptor, artifactType };
  const tag = await listUnderTag(repository, subject.digest, descriptor);
  return `${attachment.descriptor.digest}  listed under the tag ${tag}`;
}

/** Registries without the referrers API list them under a tag. */
async function listUnderTag(repository: Repository, subject: Digest, referrer: Descriptor): Promise<string> {
  const tag = Repository.fallbackTag(subject);
  const found = await repository.findManifest(tag);
  const listed = found ? parseIndex(found.bytes, `the list of referrers ${tag}`).manifests : [];
  const others = listed.filter(({ digest }) => digest !== referrer.digest);
  const index: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...others, referrer] };
  const bytes = encodeJson(index);
  if (found?.digest !== describe(mediaTypes.index, bytes).digest) {
    await repository.putManifest(bytes, mediaTypes.index, tag);
  }
  return tag;
}
