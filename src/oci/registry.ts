// A registry's API, as far as pushing and pulling need it.
// Source: OCI distribution specification 1.1; Distribution 2.8.2, Docker Hub and GitHub's registry for what they differ in.

import { Authentication, type Credential } from "./authentication.ts";
import {
  type Descriptor,
  type Digest,
  digestOf,
  hexOf,
  isDigest,
  MAX_MANIFEST_BYTES,
  mediaTypes,
} from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { isInternal, istioRefusesRealm } from "./hosts.ts";
import { exchange, type HttpOptions, type HttpRequest, type HttpResponse, refusalText, repeat } from "./http.ts";
import { redact } from "./redact.ts";
import { formatReference, type Reference } from "./reference.ts";
import { checkBytes, checkDescriptor, type ImageSource, parseObject, type StoredManifest } from "./source.ts";

/** How a repository is reached. */
export interface RepositoryOptions {
  readonly http: HttpOptions;
  /** Whether the registry is talked to without TLS. */
  readonly plainHttp: boolean;
  /** What is asked for. */
  readonly actions: "pull" | "pull,push";
  /** What to log in with; undefined means nobody in particular. Asked for when the registry wants a login. */
  readonly findCredential: () => Promise<Credential | undefined>;
}

const MAX_REDIRECTS = 5;
const accepted = [mediaTypes.manifest, mediaTypes.index, mediaTypes.dockerManifest, mediaTypes.dockerIndex].join(", ");

/** One repository of a registry. */
export class Repository {
  readonly #reference: Reference;
  readonly #base: URL;
  readonly #http: HttpOptions;
  readonly #authentication: Authentication;

  constructor(reference: Reference, { http, plainHttp, actions, findCredential }: RepositoryOptions) {
    const { registry, repository } = reference;
    this.#reference = reference;
    // Docker Hub's API is on another host than its name says.
    const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
    this.#base = new URL(`${plainHttp ? "http" : "https"}://${host}/v2/${repository}/`);
    this.#http = http;
    const scope = `repository:${repository}:${actions}`;
    this.#authentication = new Authentication(this.#base, scope, findCredential, http);
  }

  /** Why Istio refuses to log in here, in its own words; undefined when it does not, or nothing was asked yet. */
  get istioProblem(): string | undefined {
    const { challenge } = this.#authentication;
    const problem = challenge === undefined ? undefined : istioRefusesRealm(challenge);
    if (problem === undefined) return undefined;
    const { registry } = this.#reference;
    const host = registry === "docker.io" ? "index.docker.io" : registry;
    const tried = `Get "https://${host}/v2/": http: server gave HTTP response to HTTPS client; `;
    const ping = `Get "${this.#base.protocol}//${host}/v2/": ${problem}`;
    const start = "could not fetch Wasm OCI image: could not fetch manifest: ";
    return start + (this.#base.protocol === "http:" ? tried : "") + ping;
  }

  /** The image that the reference names, for reading. */
  get source(): ImageSource {
    return {
      name: formatReference(this.#reference),
      manifest: (digest) => this.getManifest(digest ?? this.#reference.digest ?? this.#reference.tag ?? "latest"),
      blob: (descriptor) => this.getBlob(descriptor),
    };
  }

  /** The manifest or index behind a tag or digest. */
  async getManifest(name: string): Promise<StoredManifest> {
    const found = await this.findManifest(name);
    if (found) return found;
    throw new ImageError(`${this.#base.host} has no ${this.#reference.repository} with the name ${name}`);
  }

  /** The same; undefined when there is none. */
  async findManifest(name: string): Promise<StoredManifest | undefined> {
    const request = {
      method: "GET",
      url: new URL(`manifests/${name}`, this.#base),
      headers: { accept: accepted },
      limit: MAX_MANIFEST_BYTES,
    };
    const response = await this.#send(request);
    if (response.status === 404) return undefined;
    this.#expect(response, request, 200);
    const document = parseObject(response.body, `${response.url.host}: the manifest ${name}`);
    const digest = digestOf(response.body);
    if (isDigest(name) && name !== digest) {
      throw new ImageError(`${response.url.host}: what should be the manifest ${name} has the digest ${digest}`);
    }
    const mediaType = response.headers.get("content-type")?.split(";")[0] ?? String(document["mediaType"] ?? "");
    return { mediaType, digest, bytes: response.body };
  }

  /** What a descriptor points to, compared with its size and digest. */
  async getBlob(descriptor: Descriptor): Promise<Uint8Array> {
    checkDescriptor(descriptor, this.#base.host);
    const url = new URL(`blobs/${descriptor.digest}`, this.#base);
    const request = { method: "GET", url, limit: descriptor.size, size: descriptor.size };
    const response = await this.#send(request);
    this.#expect(response, request, 200);
    checkBytes(response.body, descriptor, response.url.host);
    return response.body;
  }

  /** Uploads bytes unless they are there; gives whether they were. `onStart` is told when an upload begins. */
  async putBlob(
    bytes: Uint8Array,
    digest: Digest = digestOf(bytes),
    onStart?: () => void,
  ): Promise<{ readonly wasThere: boolean }> {
    const head = { method: "HEAD", url: new URL(`blobs/${digest}`, this.#base) };
    const found = await this.#send(head);
    if (found.status === 200) return { wasThere: true };
    this.#expect(found, head, 404);
    onStart?.();
    // A failed upload leaves nothing to go on with: it is begun anew.
    await repeat(this.#http, () => this.#upload(bytes, digest));
    return { wasThere: false };
  }

  async #upload(bytes: Uint8Array, digest: Digest): Promise<void> {
    const start = { method: "POST", url: new URL("blobs/uploads/", this.#base), body: "", repeatable: false };
    const started = await this.#send(start);
    this.#expect(started, start, 202);
    const put: HttpRequest = {
      method: "PUT",
      url: this.#uploadUrl(started, digest),
      headers: { "content-type": "application/octet-stream" },
      body: bytes,
      repeatable: false,
    };
    const done = await this.#send(put);
    this.#expect(done, put, 201);
    this.#checkDigest(done, digest);
  }

  #uploadUrl(started: HttpResponse, digest: Digest): URL {
    const location = started.headers.get("location") ?? "";
    if (!URL.canParse(location, this.#base) || !location) {
      const said = redact(JSON.stringify(location), this.#http.secrets);
      throw new ImageError(`${this.#base.host} does not say where an upload goes: Location is ${said}`);
    }
    const url = new URL(location, this.#base);
    this.#checkSecurity(url, started.url);
    url.search += `${url.search ? "&" : "?"}digest=${encodeURIComponent(digest)}`;
    return url;
  }

  /** Stores a manifest under a tag, or under its digest without one; gives whether its subject was noted. */
  async putManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<{ readonly subjectNoted: boolean }> {
    const digest = digestOf(bytes);
    const request = {
      method: "PUT",
      url: new URL(`manifests/${tag ?? digest}`, this.#base),
      headers: { "content-type": mediaType },
      body: bytes,
    };
    const response = await this.#send(request);
    this.#expect(response, request, 201);
    this.#checkDigest(response, digest);
    return { subjectNoted: response.headers.has("oci-subject") };
  }

  #checkDigest({ headers }: HttpResponse, digest: Digest): void {
    const theirs = headers.get("docker-content-digest");
    if (theirs === null || theirs === digest) return;
    const said = redact(JSON.stringify(theirs), this.#http.secrets);
    throw new ImageError(`${this.#base.host} stored ${digest} as ${said}: it is not what was sent`);
  }

  /** Sends a request with what logs us in; only reading follows redirects, and without that. */
  async #send(request: HttpRequest): Promise<HttpResponse> {
    let response = await this.#sendOnce(request);
    if (response.status === 401 && request.url.origin === this.#base.origin) {
      await this.#authentication.challenged(response);
      response = await this.#sendOnce(request);
    }
    if (request.method !== "GET" && request.method !== "HEAD") return response;
    for (let i = 0; isRedirect(response); i++) {
      if (i === MAX_REDIRECTS) throw new ImageError(`${this.#base.host} redirects more than ${MAX_REDIRECTS} times`);
      const url = new URL(response.headers.get("location")!, response.url);
      this.#checkSecurity(url, response.url);
      // `request` has no Authorization: that is added for the registry alone.
      response = await exchange({ ...request, url }, this.#http);
    }
    return response;
  }

  async #sendOnce(request: HttpRequest): Promise<HttpResponse> {
    const isRegistry = request.url.origin === this.#base.origin;
    const authorization = isRegistry ? await this.#authentication.header() : undefined;
    const headers = { ...request.headers, ...(authorization !== undefined && { authorization }) };
    return exchange({ ...request, headers }, this.#http);
  }

  /** Refuses to go where others can read along when there was TLS before, and from outside into a private network. */
  #checkSecurity(url: URL, from: URL): void {
    if (url.username || url.password) {
      throw new ImageError(`${from.host} leads to ${url.host} with a login in the address, which is not followed`);
    }
    if (isInternal(url.hostname) && !isInternal(this.#base.hostname)) {
      throw new ImageError(`${from.host} leads to ${url.host}, an address of a private network`);
    }
    const allowed = this.#base.protocol === "https:" ? ["https:"] : ["https:", "http:"];
    if (allowed.includes(url.protocol)) return;
    throw new ImageError(
      `${from.host} leads from ${this.#base.protocol}// to ${url.protocol}//${url.host}, where others could read or change what is sent`,
    );
  }

  #expect(response: HttpResponse, request: HttpRequest, status: number): void {
    if (response.status === status) return;
    const text = refusalText(request, response, this.#http.secrets);
    const isRefused = response.status === 401 && response.url.origin === this.#base.origin;
    throw new ImageError(isRefused ? `the login is not accepted: ${text}` : text);
  }

  /** The tag under which the referrers of a manifest are listed when the registry has no API for that. */
  static fallbackTag(digest: Digest): string {
    return `sha256-${hexOf(digest)}`;
  }
}

function isRedirect({ status, headers }: HttpResponse): boolean {
  return status >= 300 && status < 400 && URL.canParse(headers.get("location") ?? "", "http://host/");
}
