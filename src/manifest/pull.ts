// Where control planes that load images load a filter from.

import { hexOf } from "../oci/descriptor.ts";
import { ManifestError } from "./error.ts";
import type { Filter } from "./filter.ts";

/** A place with the digest that belongs to it: of the image's manifest for images, of the module for downloads. */
export interface Pulled {
  /** Always with a scheme: without one, Istio takes a host's name for it and drops the filter. */
  readonly url: string;
  /** The digits of the digest; undefined when nothing is pinned. */
  readonly sha256: string | undefined;
  readonly isImage: boolean;
}

/** Where the image is, or the module when there is none. */
export function pulled({ image, download }: Filter, target: string): Pulled {
  if (image) return { url: `oci://${image.name}`, sha256: image.digest && hexOf(image.digest), isImage: true };
  if (download) return { ...download, isImage: false };
  throw new ManifestError(
    `${target} fetches the filter, and proxy-wasm.json says nowhere from where; "image" is what proxy-wasm push pushes to, "url" a server`,
  );
}

/** The same, with an image's digest behind `@`. */
export function pinned(filter: Filter, target: string): Pulled {
  const from = pulled(filter, target);
  if (!from.isImage || from.sha256 === undefined) return from;
  return { ...from, url: `${from.url}@sha256:${from.sha256}`, sha256: undefined };
}
