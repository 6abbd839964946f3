/** Something about a manifest, or about what it is made from, that a person can mend. */
export class ManifestError extends Error {
  override name = "ManifestError";
}
