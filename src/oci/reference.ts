// Names of images, as the consumers parse them: what is refused here, Istio cannot load.
// Source: go-containerregistry pkg/name, which Istio, Envoy Gateway and Higress use; Go's net/url for what follows `oci://`.

import { type Digest, isDigest } from "./descriptor.ts";
import { ImageError } from "./error.ts";

/** The name of an image. */
export interface Reference {
  /** Host and port, such as `ghcr.io`. */
  readonly registry: string;
  /** Such as `acme/my-filter`. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const DOCKER_HUB = "docker.io";

/** Reads a name, with or without `oci://` before it; an `ImageError` says what is wrong with it. */
export function parseReference(text: string): Reference {
  if (hasLogin(text)) {
    throw new ImageError(
      "the reference has a login in it, before @; leave it out: --username and --password-stdin give one",
    );
  }
  const fail = (why: string): never => {
    throw new ImageError(`${JSON.stringify(text)} is no reference that Istio and registries take: ${why}`);
  };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme && scheme[1] !== "oci") fail(`it begins with ${scheme[0]}; an image's reference begins with oci://`);
  const name = scheme ? text.slice(scheme[0].length) : text;
  const [before, digest, ...more] = name.split("@");
  if (more.length || (digest !== undefined && !isDigest(digest))) {
    fail("behind @ stands a digest: sha256: and 64 digits from 0-9a-f");
  }
  const colon = before!.lastIndexOf(":");
  const hasTag = colon > before!.lastIndexOf("/");
  const base = hasTag ? before!.slice(0, colon) : before!;
  const tag = hasTag ? before!.slice(colon + 1) : undefined;
  if (tag !== undefined) checkTag(tag, fail);
  const slash = base.indexOf("/");
  const first = base.slice(0, Math.max(slash, 0));
  const named = /[.:]/.test(first);
  const path = named ? base.slice(slash + 1) : base;
  if (slash < 0 && hasTag) {
    // Behind oci:// the name would be a host, and the tag its port.
    fail(`name the registry too: ${DOCKER_HUB}/library/${base}:${tag}`);
  }
  if (named) checkRegistry(first, fail);
  if (first === "localhost") fail("localhost needs its port, or it is a name on Docker Hub: localhost:5000/…");
  if (path.length < 2 || path.length > 255) fail("a repository's name has from 2 to 255 characters");
  if (!/^[a-z0-9_./-]+$/.test(path)) fail("a repository's name consists of a-z, 0-9, '.', '_', '-' and '/'");
  if (path.split("/").some((part) => !/^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/.test(part))) {
    fail("each part of a repository's name begins and ends with a letter or a digit");
  }
  const registry = named && first !== "index.docker.io" ? first : DOCKER_HUB;
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  return { registry, repository, tag, digest: digest as Digest | undefined };
}

/** Whether there is a name, and maybe a password, before the host. A digest has no slash, and a host with a port one behind it. */
export function hasLogin(text: string): boolean {
  const name = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/@sha256:[0-9a-f]*$/, "");
  const at = name.lastIndexOf("@");
  return at >= 0 && (name.indexOf("/", at) >= 0 || !name.slice(0, at).includes("/"));
}

function checkTag(tag: string, fail: (why: string) => never | void): void {
  if (!/^[\w.-]{1,128}$/.test(tag)) fail("a tag has from 1 to 128 characters of a-z, A-Z, 0-9, '_', '.' and '-'");
  if (/^[.-]/.test(tag)) fail("a tag does not begin with '.' or '-'");
}

function checkRegistry(registry: string, fail: (why: string) => never | void): void {
  const port = /:(\d+)$/.exec(registry)?.[1];
  const valid = URL.canParse(`http://${registry}/`) && new URL(`http://${registry}/`).host.length > 0;
  const host = /^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:\d+)?$/.test(registry);
  if (!valid || !host || (port !== undefined && Number(port) > 65535)) {
    fail(`${JSON.stringify(registry)} is no registry; a host with an optional port is, such as ghcr.io`);
  }
}

/** The name as it stands in a manifest, without `oci://`. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
