// Debian's `docker-registry`, a real registry, for tests: where it is, and how it is started and ended.

import { spawn } from "node:child_process";
import { createHash, createPublicKey, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Certificate, selfSigned } from "./certificate.ts";
import { freePort } from "./envoy.ts";
import { endProcess, findProgram, leaveOut } from "./programs.ts";

/** The program; undefined when it is not installed. */
export const dockerRegistry: string | undefined = findProgram("docker-registry");

/** Says that tests with a real registry are left out and how to have them; fails in CI, where they never are. */
export function explainMissingRegistry(): void {
  leaveOut(
    "No docker-registry was found, so the tests with a real registry are left out. " +
      "To have them on Debian: apt-get install docker-registry",
  );
}

/** The login that registries of tests accept. */
export const account = { username: "me", password: "correct horse" } as const;
// bcrypt of the password.
const HTPASSWD = "me:$2b$05$RUQguA84iwoVvCvWdWveHe/K2.0ZHKYT6LJQb.kM/knnlV9q6xCG2\n";

/** A registry that runs. */
export interface RunningRegistry {
  readonly host: string;
  stop(): Promise<void>;
}

/** Starts a registry; `login` is how it wants to be logged in to. */
export async function startDockerRegistry(login?: "basic" | TokenServer): Promise<RunningRegistry> {
  const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-registry-"));
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") } },
    http: { addr: `127.0.0.1:${port}` },
    ...(login && { auth: authentication(login, folder) }),
  };
  const file = join(folder, "config.yml");
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(dockerRegistry!, ["serve", file], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const stop = async (): Promise<void> => {
    await endProcess(child, "SIGTERM", 10);
    rmSync(folder, { recursive: true, force: true });
  };
  const host = `localhost:${port}`;
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break;
    if (await fetch(`http://${host}/v2/`).catch(() => undefined)) return { host, stop };
    await new Promise((done) => setTimeout(done, 50));
  }
  await stop();
  throw new Error(`docker-registry did not start:\n${log}`);
}

function authentication(login: "basic" | TokenServer, folder: string): object {
  if (login === "basic") {
    writeFileSync(join(folder, "htpasswd"), HTPASSWD);
    return { htpasswd: { realm: "test", path: join(folder, "htpasswd") } };
  }
  writeFileSync(join(folder, "tokens.pem"), login.certificate.certificate);
  const token = { realm: login.realm, service: "test", issuer: "test", rootcertbundle: join(folder, "tokens.pem") };
  return { token };
}

/**
 * A server that gives a registry's tokens to those who log in.
 * Source: Distribution's "Token Authentication Implementation"; libtrust for the key's id.
 */
export class TokenServer {
  readonly certificate: Certificate = selfSigned();
  realm = "";
  /** The scopes that tokens were given for. */
  readonly scopes: string[] = [];
  readonly #server: Server;

  constructor() {
    const expected = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString("base64")}`;
    this.#server = createServer((request, response) => {
      const scope = new URL(request.url!, "http://localhost").searchParams.get("scope") ?? "";
      if (request.headers.authorization !== expected) response.writeHead(401).end("{}");
      else {
        this.scopes.push(scope);
        response.end(JSON.stringify({ token: this.#token(scope), expires_in: 60 }));
      }
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    this.realm = `http://localhost:${(this.#server.address() as AddressInfo).port}/token`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #token(scope: string): string {
    const [type, name, actions = ""] = scope.split(":");
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "test",
      sub: account.username,
      aud: "test",
      nbf: now - 10,
      iat: now,
      exp: now + 60,
      jti: String(this.scopes.length),
      access: [{ type, name, actions: actions.split(",") }],
    };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const head = part({ typ: "JWT", alg: "ES256", kid: keyId(this.certificate) });
    const text = `${head}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(text), {
      key: this.certificate.privateKey,
      dsaEncoding: "ieee-p1363",
    });
    return `${text}.${signature.toString("base64url")}`;
  }
}

/** What the registry calls a key: 30 bytes of its digest in base 32, in groups of four. */
function keyId({ certificate }: Certificate): string {
  const der = createPublicKey(certificate).export({ type: "spki", format: "der" });
  const digest = createHash("sha256").update(der).digest().subarray(0, 30);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{5}/g)!.map((five) => alphabet[Number.parseInt(five, 2)]);
  return letters.join("").match(/.{4}/g)!.join(":");
}
