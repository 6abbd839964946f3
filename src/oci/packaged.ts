// A layout that is about to be pushed: one plain image.

import { examine, oneLine, type Verdict } from "./acceptance.ts";
import type { Manifest } from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { openLayout } from "./layout.ts";
import type { ImageSource, StoredManifest } from "./source.ts";

/** What is pushed. */
export interface Packaged {
  readonly source: ImageSource;
  readonly image: StoredManifest;
  readonly manifest: Manifest;
  readonly module: Uint8Array;
  readonly verdicts: readonly Verdict[];
}

/** Opens a layout for pushing. */
export async function openPackaged(path: string): Promise<Packaged> {
  const source = await openLayout(path);
  const { manifest, module, verdicts, indexDigest } = await examine(source);
  if (indexDigest !== undefined) {
    throw new ImageError(
      `${path} holds an index, whose digest nobody can pin; push a single one, as proxy-wasm package makes it`,
    );
  }
  if (!manifest || !module) {
    throw new ImageError(
      `${path} holds no filter that a proxy would find: ${oneLine(verdicts[0]!.error!)}; proxy-wasm package makes an image that loads`,
    );
  }
  const image = await source.manifest();
  return { source, image, manifest, module, verdicts };
}
