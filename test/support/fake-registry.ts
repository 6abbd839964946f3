// A registry in memory whose answers a test can bend: what a real one would not do on demand.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

import type { Certificate } from "./certificate.ts";

/** A request that arrived. */
export interface Arrived {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

/** How a registry differs from one that does everything right. */
export interface Deviations {
  /** Answers in its place; undefined leaves the request to the registry. */
  readonly instead?: (request: Arrived, response: ServerResponse, registry: FakeRegistry) => true | undefined;
  /** What must stand in Authorization, and the challenge otherwise. */
  readonly login?: { readonly challenge: string; readonly accepts: (authorization: string) => boolean };
  /** Whether it has the referrers API. */
  readonly referrers?: boolean;
  /** What stands behind 201 and 202, where most say nothing. */
  readonly remark?: string;
  readonly tls?: Certificate;
}

/** A registry that runs. */
export class FakeRegistry {
  readonly requests: Arrived[] = [];
  readonly blobs: Map<string, Buffer> = new Map();
  readonly manifests: Map<string, { type: string; bytes: Buffer }> = new Map();
  host = "";
  readonly #server: Server;
  readonly #deviations: Deviations;

  private constructor(deviations: Deviations) {
    this.#deviations = deviations;
    const listener = (incoming: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(incoming, response);
    const { tls } = deviations;
    this.#server = tls ? createTlsServer({ key: tls.key, cert: tls.certificate }, listener) : createServer(listener);
  }

  static async start(deviations: Deviations = {}): Promise<FakeRegistry> {
    const registry = new FakeRegistry(deviations);
    await new Promise<void>((done) => registry.#server.listen(0, "127.0.0.1", done));
    registry.host = `localhost:${(registry.#server.address() as AddressInfo).port}`;
    return registry;
  }

  get tags(): string[] {
    return [...this.manifests.keys()].filter((name) => !name.includes(":"));
  }

  /** The requests as `METHOD path`, without queries and the host's prefix. */
  get lines(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path.replace(/\?.*/, "")}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const { method = "", url: path = "", headers } = incoming;
    const request = { method, path, authorization: headers.authorization, body: Buffer.concat(chunks) };
    this.requests.push(request);
    if (this.#deviations.instead?.(request, response, this)) return;
    const { login } = this.#deviations;
    if (login && !login.accepts(request.authorization ?? "")) {
      refuse(response, 401, "UNAUTHORIZED", { "www-authenticate": login.challenge });
    } else this.#answer(request, response, headers["content-type"] ?? "");
  }

  #answer({ method, path, body }: Arrived, response: ServerResponse, type: string): void {
    const { remark } = this.#deviations;
    const [, kind, name] = /^\/v2\/.+?\/(blobs|manifests)\/([^?]*)/.exec(path) ?? [];
    const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
    if (kind === "blobs" && method === "POST") {
      response.writeHead(202, { location: path.replace("uploads/", "uploads/1?state=a%2Bb") }).end(remark);
    } else if (kind === "blobs" && method === "PUT") {
      if (!path.endsWith(`&digest=${encodeURIComponent(digest)}`)) return refuse(response, 400, "DIGEST_INVALID");
      this.blobs.set(digest, body);
      response.writeHead(201, { "docker-content-digest": digest }).end(remark);
    } else if (kind === "blobs" && this.blobs.has(name!)) {
      const bytes = this.blobs.get(name!)!;
      response.writeHead(200, { "content-length": bytes.length }).end(method === "HEAD" ? undefined : bytes);
    } else if (kind === "manifests" && method === "PUT") {
      for (const key of [name!, digest]) this.manifests.set(key, { type, bytes: body });
      const subject = (JSON.parse(body.toString()) as { subject?: { digest: string } }).subject?.digest;
      const noted = this.#deviations.referrers && subject !== undefined && { "oci-subject": subject };
      response.writeHead(201, { "docker-content-digest": digest, ...noted }).end(remark);
    } else if (kind === "manifests" && this.manifests.has(name!)) {
      const { type: stored, bytes } = this.manifests.get(name!)!;
      response.writeHead(200, { "content-type": stored }).end(bytes);
    } else if (path === "/v2/") response.writeHead(200).end("{}");
    else refuse(response, 404, "NOT_FOUND");
  }
}

/** Answers with an error as registries do. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  const errors = [{ code, message: code.toLowerCase().replaceAll("_", " ") }];
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify({ errors }));
}
