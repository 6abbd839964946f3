// What goes wrong with images, registries and credentials.

/** An image, a registry or a credential is not as it should be; the message names the thing and the remedy. */
export class ImageError extends Error {
  override name = "ImageError";
}
