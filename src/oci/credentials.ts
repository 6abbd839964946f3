// The logins that docker, podman and their kin have stored on this machine.
// Source: docker/cli cli/config, docker-credential-helpers' protocol; containers-auth.json(5).

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import type { Credential } from "./authentication.ts";
import { ImageError } from "./error.ts";

/** The variables that say where logins are. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A file with logins: docker's config.json, or podman's auth.json. */
interface LoginFile {
  readonly auths?: Readonly<Record<string, Login | null>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

const loginMembers = ["auth", "username", "password", "identitytoken", "registrytoken"] as const;

type Login = { readonly [member in (typeof loginMembers)[number]]?: string };

const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
const HELPER_MS = 30_000;
const HELPER_BYTES = 64 << 10;

/** The stored login for a repository such as `ghcr.io/acme/my-filter`; undefined when there is none. */
export async function findCredential(repository: string, environment: Environment): Promise<Credential | undefined> {
  for (const path of loginFiles(environment)) {
    const file = await readLogins(path);
    const found = file && (await findIn(file, path, repository));
    if (found) return found;
  }
  return undefined;
}

/** Where to look, first to last. */
function loginFiles(environment: Environment): string[] {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = environment;
  const home = environment["HOME"] || homedir();
  return [
    ...(REGISTRY_AUTH_FILE ? [REGISTRY_AUTH_FILE] : []),
    join(DOCKER_CONFIG || join(home, ".docker"), "config.json"),
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, "containers/auth.json")] : []),
    join(XDG_CONFIG_HOME || join(home, ".config"), "containers/auth.json"),
  ];
}

async function readLogins(path: string): Promise<LoginFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ImageError(`cannot read the logins in ${path}: ${code}`, { cause: error });
  }
  const file = parse(text);
  if (!isObject(file)) {
    throw new ImageError(`the logins in ${path} are no JSON object; docker login or podman login writes one`);
  }
  for (const member of ["auths", "credHelpers"]) {
    if (isObject(file[member] ?? {})) continue;
    throw new ImageError(`the logins in ${path} are damaged: ${member} is no JSON object`);
  }
  return file;
}

/** JSON's value; undefined when it is none, without the parser's message, which may quote a secret. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function findIn(file: LoginFile, path: string, repository: string): Promise<Credential | undefined> {
  for (const key of keys(repository)) {
    const helper = entry(file.credHelpers, key)?.[1];
    if (helper !== undefined) return askHelper(helper, serverUrl(key), path);
  }
  if (file.credsStore) {
    const found = await askHelper(file.credsStore, serverUrl(keys(repository).at(-1)!), path);
    if (found) return found;
  }
  for (const key of keys(repository)) {
    const found = entry(file.auths, key);
    const login = found && readLogin(found[1], found[0], path);
    if (login) return login;
  }
  return undefined;
}

/** What a repository's login may be stored under, the narrowest first; podman knows logins for parts of a registry. */
function keys(repository: string): string[] {
  const parts = repository.split("/");
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}

/** Docker Hub has a name of its own among logins. */
function serverUrl(key: string): string {
  return key === "docker.io" ? DOCKER_HUB_KEY : key;
}

/** The entry of exactly this host, or part of it; keys may be URLs. */
function entry<T>(entries: Readonly<Record<string, T>> | undefined, key: string): [string, T] | undefined {
  return Object.entries(entries ?? {}).find(([name]) => normalized(name) === key);
}

function normalized(name: string): string {
  const bare = name.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  return /^(index|registry-1)\.docker\.io$/.test(bare) ? "docker.io" : bare;
}

function readLogin(login: Login | null, key: string, path: string): Credential | undefined {
  const damaged = (why: string): ImageError => new ImageError(`the login for ${key} in ${path} is damaged: ${why}`);
  if (login === null) return undefined;
  if (!isObject(login)) throw damaged("it is no JSON object");
  const wrong = loginMembers.find((member) => typeof (login[member] ?? "") !== "string");
  if (wrong) throw damaged(`${wrong} is no text`);
  if (login.identitytoken) return { kind: "identity", token: login.identitytoken };
  if (login.registrytoken) return { kind: "registry", token: login.registrytoken };
  if (login.auth) {
    const text = Buffer.from(login.auth, "base64").toString();
    const colon = text.indexOf(":");
    if (colon < 0) throw damaged("auth holds no name and password");
    return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
  }
  if (login.username && login.password) {
    return { kind: "password", username: login.username, password: login.password };
  }
  return undefined;
}

/** Asks a credential helper, a program of a known name, without a shell. */
async function askHelper(name: string, server: string, path: string): Promise<Credential | undefined> {
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new ImageError(
      `${path} names the credential helper ${JSON.stringify(name)}; letters, digits, '.', '_' and '-' were expected`,
    );
  }
  const program = `docker-credential-${name}`;
  const { code, output } = await runHelper(program, server, path);
  if (code !== 0) {
    if (/credentials not found/.test(output)) return undefined;
    // Its output may hold a secret.
    throw new ImageError(
      `${program}, which ${path} names, failed (${typeof code === "number" ? `exit code ${code}` : code})`,
    );
  }
  const { Username: username, Secret: secret } = (parse(output) ?? {}) as { Username?: unknown; Secret?: unknown };
  if (typeof secret === "string" && secret && typeof username === "string") {
    return username === "<token>"
      ? { kind: "identity", token: secret }
      : { kind: "password", username, password: secret };
  }
  throw new ImageError(`${program}, which ${path} names, gave no JSON with Username and Secret`);
}

function runHelper(program: string, server: string, path: string): Promise<{ code: number | string; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], shell: false });
    let output = "";
    // What it has started may hold its output open.
    const stop = (): void => {
      child.kill();
      child.stdout.destroy();
    };
    const timer = setTimeout(stop, HELPER_MS);
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = error.code === "ENOENT" ? "is not installed" : `cannot be started (${error.code})`;
      reject(new ImageError(`${program}, which ${path} names, ${why}`, { cause: error }));
    });
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.length > HELPER_BYTES) stop();
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? signal ?? "unknown", output });
    });
    // A helper that ends without reading is no reason to fail.
    child.stdin.on("error", () => {});
    child.stdin.end(server);
  });
}
