// Where logins come from: docker's and podman's files, and credential helpers.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { findCredential } from "../src/oci/credentials.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-logins-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const auth = (name: string, password: string): object => ({
  auth: Buffer.from(`${name}:${password}`).toString("base64"),
});
const password = (username: string, secret: string): object => ({ kind: "password", username, password: secret });

/** Writes a file with logins, and gives the environment in which docker would read it. */
function docker(content: object | string): Record<string, string> {
  writeFileSync(join(folder, "config.json"), typeof content === "string" ? content : JSON.stringify(content));
  return { DOCKER_CONFIG: folder, HOME: join(folder, "home") };
}

/** Puts a credential helper on the path: a script that notes what it is asked. */
function helper(name: string, script: string): void {
  const file = join(folder, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\nprintf '%s ' "$@" > "${folder}/asked"\ncat >> "${folder}/asked"\n${script}\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"]}`);
}

describe("files", () => {
  test("give the login of exactly this host, under any of the names that docker has for it", async () => {
    for (const key of ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/", "http://ghcr.io/v1/"]) {
      const environment = docker({ auths: { [key]: auth("me", "a:b"), "ghcr.io.example": auth("other", "x") } });
      expect(await findCredential("ghcr.io/acme/f", environment)).toEqual(password("me", "a:b"));
      expect(await findCredential("hcr.io/acme/f", environment)).toBeUndefined();
      expect(await findCredential("ghcr.io:443/acme/f", environment)).toBeUndefined();
    }
  });

  test("know Docker Hub by its old address", async () => {
    const environment = docker({ auths: { "https://index.docker.io/v1/": auth("me", "hub") } });
    expect(await findCredential("docker.io/acme/f", environment)).toEqual(password("me", "hub"));
  });

  test("hold names and passwords, identity tokens and registry tokens", async () => {
    const environment = docker({
      auths: {
        "a.example": { username: "me", password: "plain" },
        "b.example": { ...auth("00000000-0000-0000-0000-000000000000", ""), identitytoken: "identity" },
        "c.example": { registrytoken: "registry" },
        "d.example": {},
      },
    });
    expect(await findCredential("a.example/f", environment)).toEqual(password("me", "plain"));
    expect(await findCredential("b.example/f", environment)).toEqual({ kind: "identity", token: "identity" });
    expect(await findCredential("c.example/f", environment)).toEqual({ kind: "registry", token: "registry" });
    expect(await findCredential("d.example/f", environment)).toBeUndefined();
  });

  test("of podman are read where it keeps them, the narrowest login first", async () => {
    const environment = { HOME: folder, XDG_RUNTIME_DIR: join(folder, "run"), XDG_CONFIG_HOME: join(folder, "config") };
    for (const place of ["run", "config"]) mkdirSync(join(folder, place, "containers"), { recursive: true });
    const write = (place: string, auths: object): void =>
      writeFileSync(join(folder, place, "containers/auth.json"), JSON.stringify({ auths }));
    write("run", {
      "quay.io": auth("all", "1"),
      "quay.io/acme": auth("acme", "2"),
      "quay.io/acme/other": auth("x", "3"),
    });
    write("config", { "quay.io/acme/f": auth("later", "4"), "example.com": auth("config", "5") });
    expect(await findCredential("quay.io/acme/f", environment)).toEqual(password("acme", "2"));
    expect(await findCredential("quay.io/else/f", environment)).toEqual(password("all", "1"));
    expect(await findCredential("example.com/f", environment)).toEqual(password("config", "5"));
    const file = join(folder, "named.json");
    writeFileSync(file, JSON.stringify({ auths: { "quay.io": auth("named", "6") } }));
    expect(await findCredential("quay.io/acme/f", { ...environment, REGISTRY_AUTH_FILE: file })).toEqual(
      password("named", "6"),
    );
  });

  test("that are not there are no logins", async () => {
    expect(await findCredential("ghcr.io/acme/f", { HOME: join(folder, "nobody") })).toBeUndefined();
  });

  test.each([
    [
      "no JSON",
      '{"auths": {"ghcr.io": {"auth": "c2VjcmV0',
      /^the logins in .*config\.json are no JSON object; docker login or podman login writes one$/,
    ],
    ["another shape", '"c2VjcmV0"', /are no JSON object/],
    [
      "a damaged login",
      { auths: { "ghcr.io": { auth: "c2VjcmV0" } } },
      /^the login for ghcr\.io in .*config\.json is damaged: auth holds no name and password$/,
    ],
    [
      "a number for a login's text",
      { auths: { "ghcr.io": { auth: 5 } } },
      /^the login for ghcr\.io in .*config\.json is damaged: auth is no text$/,
    ],
    [
      "an object for a token",
      { auths: { "ghcr.io": { identitytoken: { a: "secret" } } } },
      /: identitytoken is no text$/,
    ],
    ["a list for a token", { auths: { "ghcr.io": { registrytoken: ["secret"] } } }, /: registrytoken is no text$/],
    ["true for a name", { auths: { "ghcr.io": { username: true, password: "secret" } } }, /: username is no text$/],
    ["a number for a password", { auths: { "ghcr.io": { username: "me", password: 5 } } }, /: password is no text$/],
    [
      "a text for a login",
      { auths: { "ghcr.io": "c2VjcmV0" } },
      /^the login for ghcr\.io in .* is damaged: it is no JSON object$/,
    ],
    ["a list of logins", { auths: ["secret"] }, /^the logins in .*config\.json are damaged: auths is no JSON object$/],
    ["a number of helpers", { credHelpers: 5 }, /config\.json are damaged: credHelpers is no JSON object$/],
    ["a number for a helper", { credsStore: 5 }, /config\.json names the credential helper 5; letters, digits/],
    ["null for everything", "[]", /are no JSON object/],
  ])("with %s are named, without what is in them", async (_what, content, message) => {
    const failure = findCredential("ghcr.io/acme/f", docker(content));
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.not.toThrow(/c2VjcmV0|secret/);
  });

  test("that cannot be read are named", async () => {
    mkdirSync(join(folder, "config.json"));
    await expect(findCredential("ghcr.io/f", { DOCKER_CONFIG: folder })).rejects.toThrow(
      /^cannot read the logins in .*config\.json: EISDIR$/,
    );
  });
});

describe("credential helpers", () => {
  const answer = (username: string, secret: string): string => `echo '{"Username":"${username}","Secret":"${secret}"}'`;

  test("are asked for the host, before the file", async () => {
    helper("test", answer("me", "kept"));
    const environment = docker({ credHelpers: { "ghcr.io": "test" }, auths: { "ghcr.io": auth("file", "x") } });
    expect(await findCredential("ghcr.io/acme/f", environment)).toEqual(password("me", "kept"));
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe("get ghcr.io");
  });

  test("give identity tokens", async () => {
    helper("test", answer("<token>", "identity"));
    const environment = docker({ credsStore: "test" });
    expect(await findCredential("docker.io/acme/f", environment)).toEqual({ kind: "identity", token: "identity" });
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe("get https://index.docker.io/v1/");
  });

  test("that have no login leave it to the file", async () => {
    helper("test", "echo credentials not found in native keychain; exit 1");
    const environment = docker({ credsStore: "test", auths: { "ghcr.io": auth("file", "x") } });
    expect(await findCredential("ghcr.io/acme/f", environment)).toEqual(password("file", "x"));
  });

  test.each([
    ["../../bin/sh", /names the credential helper "\.\.\/\.\.\/bin\/sh"; letters, digits/],
    ["x; rm -rf /", /names the credential helper "x; rm -rf \/"/],
    ["absent", /^docker-credential-absent, which .*config\.json names, is not installed$/],
  ])("named %s are not started", async (name, message) => {
    await expect(findCredential("ghcr.io/f", docker({ credsStore: name }))).rejects.toThrow(message);
  });

  test.each([
    ["fail", "echo the secret is hunter2; exit 3", /failed \(exit code 3\)$/],
    ["answer with something else", "echo hunter2", /gave no JSON with Username and Secret$/],
    ["answer without end", "yes hunter2", /docker-credential-test, which .* names, failed \(SIGTERM\)$/],
  ])("that %s are named, without what they said", async (_what, script, message) => {
    helper("test", script);
    const failure = findCredential("ghcr.io/f", docker({ credsStore: "test" }));
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.not.toThrow(/hunter2/);
  });
});
