// `proxy-wasm push`, `pull` and `verify` with registries that a test bends: what is sent, in which order, and what a
// registry that means harm does not get.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { digestOf } from "../src/oci/descriptor.ts";
import { selfSigned } from "./support/certificate.ts";
import { command } from "./support/command.ts";
import { type Arrived, type Deviations, FakeRegistry, refuse } from "./support/fake-registry.ts";
import { smallModule } from "./support/images.ts";

const tls = selfSigned();
const SECRET = "correct-horse-battery";
const BASIC = `Basic ${Buffer.from(`me:${SECRET}`).toString("base64")}`;

let folder: string;
let image: string;
let running: FakeRegistry[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-push-"));
  image = join(folder, "image");
  const module = join(folder, "release.wasm");
  writeFileSync(module, smallModule);
  vi.stubEnv("SOURCE_DATE_EPOCH", "1700000000");
  await command(["package", module, "--out", image]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of [
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
  ]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("HOME", folder);
  vi.stubEnv("DOCKER_CONFIG", join(folder, "nowhere"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(running.map((registry) => registry.stop()));
  running = [];
});

async function start(deviations: Deviations = {}): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start(deviations);
  running.push(registry);
  return registry;
}

const push = (registry: FakeRegistry, ...args: string[]) =>
  command(["push", `${registry.host}/acme/f:1`, "--image", image, ...args]);

/** Stores logins as docker does. */
function login(...hosts: string[]): void {
  const auths = Object.fromEntries(hosts.map((host) => [host, { auth: BASIC.slice("Basic ".length) }]));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ auths }));
  vi.stubEnv("DOCKER_CONFIG", folder);
}

/** What stood in Authorization of any request to any of these. */
const authorizations = (...registries: FakeRegistry[]): string[] =>
  registries.flatMap(({ requests }) => requests.flatMap(({ authorization }) => authorization ?? []));

describe("push", () => {
  test("sends blobs, the manifest, what is said of it, and the tags last", async () => {
    const registry = await start({ referrers: true });
    const { code, stdout, stderr } = await push(registry, "--tag", "latest");
    expect(code).toBe(0);
    const digest = digestOf(registry.manifests.get("1")!.bytes);
    expect(stdout).toBe(`oci://${registry.host}/acme/f@${digest}\n`);
    expect(stderr).toMatch(
      /^config +sha256:\w+ +pushed, \d+ bytes\nlayer .*\nmanifest .*\nsbom .*attached\nprovenance .*attached\ntag +1\ntag +latest\n$/,
    );
    expect(registry.tags).toEqual(["1", "latest"]);
    const puts = registry.lines.filter((line) => line.startsWith("PUT"));
    expect(puts.slice(0, 3)).toEqual([
      "PUT /v2/acme/f/blobs/uploads/1",
      "PUT /v2/acme/f/blobs/uploads/1",
      `PUT /v2/acme/f/manifests/${digest}`,
    ]);
    expect(puts.slice(-2)).toEqual(["PUT /v2/acme/f/manifests/1", "PUT /v2/acme/f/manifests/latest"]);
    const statements = [...registry.manifests.values()].map(({ bytes }) => JSON.parse(bytes.toString()));
    expect(new Set(statements.map(({ artifactType }) => artifactType))).toEqual(
      new Set([undefined, "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]),
    );
  });

  test("sends nothing again that is there", async () => {
    const registry = await start({ referrers: true });
    await push(registry);
    registry.requests.length = 0;
    const { code, stderr } = await push(registry);
    expect(code).toBe(0);
    expect(registry.lines.filter((line) => /^(POST|PUT .*blobs)/.test(line))).toEqual([]);
    expect(stderr).toMatch(/layer +sha256:\w+ +was there/);
  });

  test("takes no notice of what stands behind an answer that says it all", async () => {
    for (const remark of ['{"status":"created"}', "x".repeat(1 << 20)]) {
      const registry = await start({ referrers: true, remark });
      expect(await push(registry)).toMatchObject({ code: 0, stderr: expect.stringMatching(/tag +1\n$/) });
      expect(registry.tags).toEqual(["1"]);
    }
  });

  test("lists what is said of an image under a tag where the registry has no referrers API", async () => {
    const registry = await start();
    await push(registry);
    await push(registry);
    const digest = digestOf(registry.manifests.get("1")!.bytes);
    const tag = digest.replace(":", "-");
    expect(registry.tags).toEqual([tag, "1"]);
    const index = JSON.parse(registry.manifests.get(tag)!.bytes.toString());
    expect(index.manifests).toHaveLength(2);
    expect(index.manifests[0]).toMatchObject({ artifactType: "application/vnd.cyclonedx+json" });
    const subject = JSON.parse(registry.manifests.get(index.manifests[1].digest)!.bytes.toString()).subject;
    expect(subject).toMatchObject({ digest });
    expect((await push(await start(), "--no-statements")).stderr).not.toMatch(/sbom|provenance/);
  });

  test("leaves no tag when it fails", async () => {
    const registry = await start({
      instead: ({ method, path }, response) =>
        method === "PUT" && path.includes("/manifests/sha256:")
          ? (refuse(response, 400, "MANIFEST_INVALID"), true)
          : undefined,
    });
    const { code, stderr } = await push(registry);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .* answered 400 to PUT .*: MANIFEST_INVALID: manifest invalid\n$/);
    expect(registry.tags).toEqual([]);
  });

  test("says which tags it has set when it cannot set all", async () => {
    const registry = await start({
      instead: ({ path }, response) =>
        path.endsWith("/manifests/locked") ? (refuse(response, 409, "TAG_IMMUTABLE"), true) : undefined,
    });
    const { code, stderr } = await push(registry, "--tag", "2", "--tag", "locked", "--tag", "3");
    expect(code).toBe(1);
    expect(stderr).toMatch(/TAG_IMMUTABLE: tag immutable; of the tags, these are set: 1, 2\n$/);
    const digest = digestOf(registry.manifests.get("1")!.bytes);
    // Without a referrers API, what is said of the image is listed under a tag too: that list comes first.
    expect(registry.tags).toEqual([digest.replace(":", "-"), "1", "2"]);
    const second = await push(registry, "--tag", "locked");
    expect(second.stderr).toMatch(/TAG_IMMUTABLE: tag immutable; of the tags, these are set: 1\n$/);
    const first = await command(["push", `${registry.host}/acme/f:locked`, "--image", image]);
    expect(first.stderr).toMatch(/TAG_IMMUTABLE: tag immutable; of the tags, these are set: none\n$/);
  });

  test("refuses an image that has changed, is no image, or is not there", async () => {
    const registry = await start();
    const other = join(folder, "other");
    await command(["package", join(folder, "release.wasm"), "--out", other]);
    writeFileSync(`${other}.provenance.json`, '{"subject":[]}');
    const stale = await command(["push", `${registry.host}/acme/f:1`, "--image", other]);
    expect(stale.stderr).toMatch(
      /other\.provenance\.json is not about .*other: it does not name \w{64}; package again/,
    );
    const missing = await command(["push", `${registry.host}/acme/f:1`, "--image", join(folder, "none")]);
    expect(missing.stderr).toMatch(/^error: there is no image .*none; proxy-wasm package makes it\n$/);
    expect(registry.requests).toEqual([]);
  });

  test("tries again when the registry is busy, up to five times", async () => {
    let failures = 2;
    const registry = await start({
      instead: ({ path }, response) =>
        path.includes("/blobs/") && failures-- > 0
          ? (refuse(response, failures ? 429 : 503, "TOOMANYREQUESTS", { "retry-after": "0" }), true)
          : undefined,
    });
    const { code, stderr } = await push(registry);
    expect(code).toBe(0);
    expect(stderr).toMatch(/answered 429 to HEAD .*; once more in 0\.0 s\n.*answered 503 .*; once more/);
    failures = Infinity;
    const given = await push(registry);
    expect(given.code).toBe(1);
    expect(given.stderr.match(/once more/g)).toHaveLength(4);
  });

  test("begins an upload anew when the connection breaks", async () => {
    let broken = false;
    const registry = await start({
      instead({ method }, response) {
        if (method !== "PUT" || broken) return undefined;
        broken = true;
        response.socket!.destroy();
        return true;
      },
    });
    const { code, stderr } = await push(registry);
    expect(stderr).toMatch(/the connection to localhost:\d+ broke/);
    expect(code).toBe(0);
    const [first, second] = registry.lines.filter((line) => line.startsWith("POST"));
    expect(second).toBe(first);
  });

  test("names the port or host where nothing is", async () => {
    const registry = await start();
    await registry.stop();
    running = [];
    expect((await push(registry)).stderr).toBe(`error: nothing listens on ${registry.host}\n`);
  });
});

describe("a login", () => {
  const challenge = 'Basic realm="registry"';
  const accepts = (authorization: string): boolean => authorization === BASIC;

  test("is sent when the registry asks for it, and shown nowhere", async () => {
    const registry = await start({ login: { challenge, accepts } });
    login(registry.host);
    const { code, stderr } = await push(registry);
    expect(code).toBe(0);
    expect(registry.requests[0]!.authorization).toBeUndefined();
    expect(new Set(authorizations(registry))).toEqual(new Set([BASIC]));
    expect(stderr).not.toContain(SECRET);
  });

  test("is that of exactly this host", async () => {
    const registry = await start({ login: { challenge, accepts } });
    login("localhost", `${registry.host}0`, registry.host.slice(0, -1), `evil.example/${registry.host}`);
    const { code, stderr } = await push(registry);
    expect(code).toBe(1);
    expect(stderr).toMatch(/wants a login, and there is none for it: give --username and --password-stdin/);
    expect(authorizations(registry)).toEqual([]);
  });

  test("that is wrong is refused once, and shown nowhere, even when the registry repeats it", async () => {
    const registry = await start({
      instead: ({ authorization }, response) =>
        authorization
          ? (refuse(response, 401, `UNAUTHORIZED ${authorization} ${SECRET}`, { "www-authenticate": challenge }), true)
          : undefined,
      login: { challenge, accepts },
    });
    login(registry.host);
    const { code, stdout, stderr } = await push(registry);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: the login is not accepted: .* 401/);
    expect(stdout + stderr).not.toContain(SECRET);
    expect(stdout + stderr).not.toContain(BASIC.slice(6));
    expect(registry.requests).toHaveLength(2);
  });

  test("is not shown in part either when a long answer repeats it", async () => {
    const registry = await start({
      instead: ({ authorization }, response) => {
        if (!authorization) return undefined;
        const errors = [{ code: "DENIED", message: "x".repeat(185) + SECRET }];
        response.writeHead(403).end(JSON.stringify({ errors }));
        return true;
      },
      login: { challenge, accepts },
    });
    login(registry.host);
    expect((await push(registry)).stderr).not.toContain(SECRET.slice(0, 6));
  });

  test("is not shown however it is written, and however short", async () => {
    for (const secret of ["pw", 'x y/ä"%', SECRET]) {
      const accepted = `Basic ${Buffer.from(`me:${secret}`).toString("base64")}`;
      const all = [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
      const echo = [secret, encodeURIComponent(secret), all, all.toUpperCase(), new URLSearchParams({ "": secret })];
      for (const body of [echo.join("|"), JSON.stringify({ said: secret })]) {
        const registry = await start({
          instead: ({ method, authorization }, response) =>
            method === "POST" && authorization ? (response.writeHead(403).end(body), true) : undefined,
          login: { challenge, accepts: (authorization) => authorization === accepted },
        });
        writeFileSync(
          join(folder, "config.json"),
          JSON.stringify({ auths: { [registry.host]: { username: "me", password: secret } } }),
        );
        vi.stubEnv("DOCKER_CONFIG", folder);
        const { stderr } = await push(registry);
        const shown = stderr.replace(/^.*?: /, "").replace(/^.*?: /, "");
        for (const form of echo) expect(shown).not.toContain(String(form));
        expect(shown).toContain("***");
      }
    }
  });

  test("does not go to a registry over plain HTTP elsewhere", async () => {
    // A proxy stands for the other host.
    const registry = await start({ login: { challenge, accepts } });
    login("registry.example:80");
    vi.stubEnv("http_proxy", `http://${registry.host}`);
    const { code, stderr } = await command(["push", "registry.example:80/acme/f:1", "--image", image, "--plain-http"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/registry\.example wants a password over plain HTTP, where others could read it/);
    expect(authorizations(registry)).toEqual([]);
  });

  test("comes from --username and stdin, without its line's end", async () => {
    const registry = await start({ login: { challenge, accepts } });
    const main = resolve(import.meta.dirname, "../dist/src/cli/main.js");
    const args = ["push", `${registry.host}/acme/f:1`, "--image", image, "--username", "me", "--password-stdin"];
    const child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.end(`${SECRET}\n`);
    expect(await new Promise((done) => child.on("exit", done))).toBe(0);
    const alone = await push(registry, "--username", "me");
    expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("go together") });
  });

  test("of an unknown kind is named", async () => {
    const registry = await start({ login: { challenge: "Negotiate", accepts: () => false } });
    expect((await push(registry)).stderr).toMatch(/wants a login and asks for negotiate; Basic or Bearer was expected/);
  });
});

describe.skipIf(process.platform === "win32")("a signal", () => {
  const main = resolve(import.meta.dirname, "../dist/src/cli/main.js");

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it with %i while it waits for a password", async (signal, code) => {
    const registry = await start();
    const args = ["push", `${registry.host}/acme/f:1`, "--image", image, "--username", "me", "--password-stdin"];
    const child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "ignore", "ignore"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    // More than a pipe holds: it has gone when it is read.
    await new Promise((done) => child.stdin.write("x".repeat(1 << 20), done));
    child.kill(signal);
    expect(await new Promise((done) => child.on("exit", (...end) => done(end)))).toEqual([code, null]);
    expect(registry.requests).toEqual([]);
  });

  test("ends it with 130 and a sentence while a registry does not answer", async () => {
    let arrived = (): void => {};
    const waiting = new Promise<void>((done) => (arrived = done));
    const registry = await start({ instead: () => (arrived(), true) });
    const child = spawn(process.execPath, [main, "push", `${registry.host}/acme/f:1`, "--image", image]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await waiting;
    child.kill("SIGINT");
    expect(await new Promise((done) => child.on("close", (...end) => done(end)))).toEqual([130, null]);
    expect(stderr).toBe("error: interrupted\n");
  });
});

/** A proxy whose tunnels all lead to this registry, and where they were meant to lead. */
async function tunnelTo(registry: FakeRegistry): Promise<{ url: string; tunnels: string[] }> {
  const tunnels: string[] = [];
  const proxy = createServer().on("connect", (request, socket) => {
    tunnels.push(request.url!);
    const upstream = connect(Number(registry.host.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const side of [upstream, socket]) side.on("error", () => {});
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  onTestFinished(() => void (proxy.closeAllConnections(), proxy.close()));
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
}

/** A token server that gives `token-N`, and what it was asked. */
async function tokenServer(answer?: (request: Arrived, response: ServerResponse) => true | undefined, secure = false) {
  let count = 0;
  return start({
    ...(secure && { tls }),
    instead: (request, response) => {
      if (answer?.(request, response)) return true;
      response.end(JSON.stringify({ token: `token-${++count}`, expires_in: 300 }));
      return true;
    },
  });
}

describe("a token", () => {
  const bearer = (realm: string): string => `Bearer realm="${realm}",service="reg, istry",scope="other"`;

  test("is fetched with the login, for this repository, and renewed when it is refused", async () => {
    const server = await tokenServer();
    let wanted = "Bearer token-1";
    let uses = 0;
    const registry = await start({
      login: {
        challenge: bearer(`http://${server.host}/token?account=a`),
        accepts(authorization) {
          if (authorization === wanted && ++uses === 3) wanted = "Bearer token-2";
          return authorization === wanted;
        },
      },
    });
    login(registry.host);
    const { code } = await push(registry);
    expect(code).toBe(0);
    expect(authorizations(server)).toEqual([BASIC, BASIC]);
    const asked = new URL(server.requests[0]!.path, "http://x");
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      account: "a",
      service: "reg, istry",
      scope: "repository:acme/f:pull,push",
    });
    expect(authorizations(registry)).not.toContain(BASIC);
  });

  test("is fetched without a login when there is none", async () => {
    const server = await tokenServer();
    const challenge = bearer(`http://${server.host}/token`);
    const registry = await start({ login: { challenge, accepts: (value) => value === "Bearer token-1" } });
    expect((await push(registry)).code).toBe(0);
    expect(authorizations(server)).toEqual([]);
  });

  test("is exchanged for an identity token", async () => {
    const server = await tokenServer();
    const challenge = bearer(`http://${server.host}/token`);
    const registry = await start({ login: { challenge, accepts: (value) => value === "Bearer token-1" } });
    writeFileSync(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [registry.host]: { identitytoken: SECRET } } }),
    );
    vi.stubEnv("DOCKER_CONFIG", folder);
    expect((await push(registry)).code).toBe(0);
    const [{ method, body }] = server.requests as [Arrived];
    expect(method).toBe("POST");
    expect(Object.fromEntries(new URLSearchParams(body.toString()))).toMatchObject({
      grant_type: "refresh_token",
      refresh_token: SECRET,
      service: "reg, istry",
      scope: "repository:acme/f:pull,push",
    });
  });

  test("of the registry itself is sent as it is", async () => {
    const challenge = bearer("http://localhost:9/token");
    const registry = await start({ login: { challenge, accepts: (value) => value === `Bearer ${SECRET}` } });
    writeFileSync(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [registry.host]: { registrytoken: SECRET } } }),
    );
    vi.stubEnv("DOCKER_CONFIG", folder);
    expect((await push(registry)).code).toBe(0);
  });

  test.each([
    [
      "another host without https",
      "http://auth.example/token",
      /auth\.example, which gets no credentials: it does not use https/,
    ],
    [
      "another host, named without https",
      "https://auth.example/token",
      /the registry that names it does not use https itself/,
    ],
    ["what is no URL", "token", /names the token server "token"; a URL was expected/],
    ["another scheme", "file:///etc/passwd", /names the token server "file:\/\/\/etc\/passwd"; a URL was expected/],
  ])("is not asked for at %s", async (_what, realm, message) => {
    const registry = await start({ login: { challenge: bearer(realm), accepts: () => false } });
    login(registry.host);
    const { code, stderr } = await push(registry);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
    expect(authorizations(registry)).toEqual([]);
  });

  test("is asked for on this machine by registries on this machine only", async () => {
    const server = await tokenServer();
    const port = server.host.split(":")[1];
    for (const host of ["localhost", "localhost.", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
      const challenge = bearer(`http://${host}:${port}/token`);
      const registry = await start({ login: { challenge, accepts: () => false } });
      vi.stubEnv("http_proxy", `http://${registry.host}`);
      const { stderr } = await command(["push", "registry.example:80/acme/f:1", "--image", image, "--plain-http"]);
      expect(stderr).toMatch(/its address is one of a private network, the registry's is not/);
    }
    expect(server.requests).toEqual([]);
  });

  test("is asked for with a password on this machine by registries on this machine only", async () => {
    const server = await tokenServer();
    const wanted = { challenge: bearer(`http://${server.host}/token`), accepts: () => false };
    // Proxies stand for a registry on the private network, without and with TLS.
    vi.stubEnv("http_proxy", `http://${(await start({ login: wanted })).host}`);
    vi.stubEnv("https_proxy", (await tunnelTo(await start({ tls, login: wanted }))).url);
    login("10.0.0.5:80", "10.0.0.5:443");
    for (const args of [
      ["10.0.0.5:80/acme/f:1", "--plain-http"],
      ["10.0.0.5:443/acme/f:1", "--insecure"],
    ]) {
      const { code, stderr } = await command(["push", ...args, "--image", image]);
      expect(stderr).toMatch(/localhost:\d+, which gets no credentials: it does not use https/);
      expect(code).toBe(1);
    }
    expect(server.requests).toEqual([]);
  });

  test("that a login was given for does not go over plain HTTP elsewhere; one for anybody does", async () => {
    const server = await tokenServer(undefined, true);
    const challenge = bearer("https://registry.example/token");
    const wanted = { challenge, accepts: (value: string) => value === "Bearer token-1" };
    // Proxies stand for the registry, without and with TLS.
    const registry = await start({ login: wanted });
    vi.stubEnv("http_proxy", `http://${registry.host}`);
    vi.stubEnv("https_proxy", (await tunnelTo(server)).url);
    const args = ["push", "registry.example:80/acme/f:1", "--image", image, "--plain-http", "--insecure"];
    login("registry.example:80");
    const { code, stderr } = await command(args);
    expect(stderr).toMatch(
      /^error: registry\.example wants a token over plain HTTP, where others could read and use it/,
    );
    expect(code).toBe(1);
    expect(server.requests).toEqual([]);
    expect(authorizations(registry)).toEqual([]);
    vi.stubEnv("DOCKER_CONFIG", join(folder, "nowhere"));
    await command(args);
    expect(authorizations(registry)).toContain("Bearer token-1");
  });

  test("that is none, or a page, or behind a redirect, is an error without the secret", async () => {
    const answers: [(response: ServerResponse) => void, RegExp][] = [
      [(response) => response.end("{}"), /gave no token; a member "token" or "access_token" was expected/],
      [(response) => response.end(JSON.stringify({ token: "a\nb" })), /gave no token/],
      [(response) => response.end("<html>"), /the token of localhost:\d+ should be a JSON object; it is HTML/],
      [
        (response) => response.writeHead(302, { location: "http://localhost:9/" }).end(),
        /redirects, and credentials do not go along/,
      ],
      [(response) => response.end("x".repeat(2 << 20)), /sends more than the 1048576 bytes that were expected/],
      [(response) => refuse(response, 403, `DENIED ${SECRET}`), /answered 403 to GET .*: DENIED \*\*\*/],
    ];
    for (const [answer, message] of answers) {
      const server = await tokenServer((_request, response) => (answer(response), true));
      const challenge = bearer(`http://${server.host}/token`);
      const registry = await start({ login: { challenge, accepts: () => false } });
      login(registry.host);
      const { code, stderr } = await push(registry);
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain(SECRET);
      expect(code).toBe(1);
    }
  });
});

describe("TLS", () => {
  test("is wanted unless the registry is on this machine, and checked unless told otherwise", async () => {
    const registry = await start({ tls });
    expect((await push(registry, "--no-plain-http")).stderr).toMatch(
      /^error: the certificate of localhost:\d+ is not trusted \(.*\): name its authority's file in NODE_EXTRA_CA_CERTS, or give --insecure\n$/,
    );
    expect(registry.requests).toEqual([]);
    expect((await push(registry, "--no-plain-http", "--insecure")).code).toBe(0);
    const plain = await start();
    expect((await push(plain, "--no-plain-http")).stderr).toMatch(
      /does not speak TLS .*--plain-http talks to it without/,
    );
  });

  test("lets credentials go to another host's token server", async () => {
    const server = await tokenServer(undefined, true);
    const challenge = `Bearer realm="https://${server.host}/token"`;
    const registry = await start({ tls, login: { challenge, accepts: (value) => value === "Bearer token-1" } });
    login(registry.host);
    expect((await push(registry, "--no-plain-http", "--insecure")).code).toBe(0);
    expect(authorizations(server)).toEqual([BASIC]);
  });

  test("is not left along a redirect or for an upload", async () => {
    const plain = await start();
    const registry = await start({
      tls,
      instead: ({ method }, response) =>
        method === "POST" ? (response.writeHead(202, { location: `http://${plain.host}/u` }).end(), true) : undefined,
    });
    expect((await push(registry, "--no-plain-http", "--insecure")).stderr).toMatch(
      /leads from https:\/\/ to http:\/\/localhost:\d+, where others could read or change what is sent/,
    );
    expect(plain.requests).toEqual([]);
  });
});

describe("proxies", () => {
  test("of the environment are used, but not for this machine", async () => {
    const registry = await start({ tls });
    const proxy = await tunnelTo(registry);
    vi.stubEnv("HTTPS_PROXY", proxy.url);
    const { code } = await command(["push", "registry.example/acme/f:1", "--image", image, "--insecure"]);
    expect(code).toBe(0);
    expect(proxy.tunnels[0]).toBe("registry.example:443");
    expect(registry.tags).toContain("1");
    const count = proxy.tunnels.length;
    expect((await push(registry, "--no-plain-http", "--insecure")).code).toBe(0);
    expect(proxy.tunnels).toHaveLength(count);
  });

  test("get nothing that is meant for this machine, by whatever name", async () => {
    const registry = await start({ login: { challenge: 'Basic realm="x"', accepts: (value) => value === BASIC } });
    const proxy = await start();
    const port = registry.host.split(":")[1];
    vi.stubEnv("HTTP_PROXY", `http://${proxy.host}`);
    for (const host of ["127.0.0.2", "[::ffff:127.0.0.1]", "f.localhost"]) {
      login(`${host}:${port}`);
      // Whether somebody answers there differs from machine to machine.
      await command(["push", `${host}:${port}/acme/f:1`, "--image", image, "--plain-http", "--timeout", "2"]);
    }
    expect(proxy.requests).toEqual([]);
  });

  test.each([
    ["*", false],
    ["other.example, *", false],
    ["example", false],
    [".registry.example:80", false],
    ["registry.example:81", true],
    ["try.example", true],
    ["", true],
  ])(
    "are left out as NO_PROXY=%s says",
    async (list, isProxied) => {
      const proxy = await start();
      vi.stubEnv("HTTP_PROXY", `http://${proxy.host}`);
      vi.stubEnv("NO_PROXY", list);
      const { stderr } = await command(["push", "registry.example:80/acme/f:1", "--image", image, "--plain-http"]);
      expect(proxy.requests.length > 0).toBe(isProxied);
      if (!isProxied) expect(stderr).toMatch(/there is no host registry\.example|the connection to registry\.example/);
    },
    20_000,
  );

  test.each([
    "http://bob:p#w0rd@proxy:3128",
    "http://bob:1#w0rd@proxy:3128",
    "http://bob:1/w0rd@proxy:3128",
    "http://bob:w0rd@",
    "http://bob:w0rd%zz@proxy:3128",
    "socks5://bob:w0rd@proxy:3128",
    "bob:w0rd@proxy:3128",
  ])("are refused when their URL is none, without what is in it: %s", async (url) => {
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY"]) {
      vi.stubEnv(name, url);
      const { code, stderr } = await command(["push", "registry.example/acme/f:1", "--image", image]);
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`^error: ${name} is no URL such as http://proxy.example:3128; [^\n]+\n$`));
      expect(stderr).not.toMatch(/w0rd|bob/);
      vi.stubEnv(name, undefined);
    }
  });

  test("are named when it is they who do not answer", async () => {
    const gone = await start();
    await gone.stop();
    running = [];
    vi.stubEnv("HTTP_PROXY", `http://me:${SECRET}@${gone.host}`);
    const pushed = (): Promise<{ stderr: string }> =>
      command(["push", "registry.example:80/acme/f:1", "--image", image, "--plain-http", "--timeout", "0.5"]);
    expect((await pushed()).stderr).toBe(`error: nothing listens on the proxy ${gone.host}\n`);
    vi.stubEnv("HTTP_PROXY", `http://${(await start({ instead: () => true })).host}`);
    expect((await pushed()).stderr).toMatch(/^error: the proxy localhost:\d+ took longer than 0\.5 s to answer/);
    const closed = (_request: Arrived, response: ServerResponse): true => (response.writeHead(407).end(), true);
    vi.stubEnv("HTTP_PROXY", `http://${(await start({ instead: closed })).host}`);
    expect((await pushed()).stderr).toMatch(
      /^error: the proxy localhost:\d+ answered 407 in place of registry\.example: it wants another login than its URL has\n$/,
    );
    const refusing = createServer().on("connect", (_request, socket) => socket.end("HTTP/1.1 502 Bad\r\n\r\n"));
    await new Promise<void>((done) => refusing.listen(0, "127.0.0.1", done));
    onTestFinished(() => void refusing.close());
    vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`);
    expect((await command(["push", "registry.example/acme/f:1", "--image", image])).stderr).toMatch(
      /^error: the proxy 127\.0\.0\.1:\d+ answered 502 in place of registry\.example: NO_PROXY names/,
    );
  });
});

describe("a hostile registry", () => {
  /** A registry with the image, and one deviation that begins then. */
  async function withImage(instead: NonNullable<Deviations["instead"]>): Promise<FakeRegistry> {
    let ready = false;
    const registry = await start({ instead: (...args) => (ready ? instead(...args) : undefined) });
    await push(registry, "--no-statements");
    ready = true;
    registry.requests.length = 0;
    return registry;
  }
  const pull = (registry: FakeRegistry, ...args: string[]) =>
    command(["pull", `${registry.host}/acme/f:1`, "--output", join(folder, "pulled.wasm"), "--force", ...args]);
  const isBlob = (path: string): boolean => path.includes("/blobs/");

  test("cannot pass off other bytes for a blob or a manifest", async () => {
    const registry = await withImage(({ method, path }, response, { blobs }) => {
      if (method !== "GET" || !isBlob(path)) return undefined;
      const bytes = Buffer.from(blobs.get(path.split("/").at(-1)!)!);
      bytes[20]! ^= 1;
      response.end(bytes);
      return true;
    });
    const { code, stderr } = await pull(registry);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not get layer content: localhost:\d+: what should be sha256:\w+ has the digest sha256:\w+/,
    );
    const other = await withImage(({ path }, response) =>
      path.includes("/manifests/sha256:") ? (response.end('{"layers":[]}'), true) : undefined,
    );
    const digest = digestOf(other.manifests.get("1")!.bytes);
    const pinned = await command(["verify", `${other.host}/acme/f@${digest}`]);
    expect(pinned.stderr).toMatch(/what should be the manifest sha256:\w+ has the digest sha256:\w+/);
  });

  test("cannot say that it stored something else", async () => {
    const registry = await start({
      instead: ({ method }, response) =>
        method === "PUT"
          ? (response.writeHead(201, { "docker-content-digest": `sha256:${"0".repeat(64)}` }).end(), true)
          : undefined,
    });
    expect((await push(registry)).stderr).toMatch(/stored sha256:\w+ as "sha256:0+": it is not what was sent/);
  });

  test("cannot send without end", async () => {
    const endless = (response: ServerResponse, status = 200): true => {
      response.writeHead(status, { "content-type": "application/json" });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16, " ")));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
      return true;
    };
    const manifests = await withImage(({ path }, response) =>
      path.includes("/manifests/") ? endless(response) : undefined,
    );
    expect((await pull(manifests)).stderr).toMatch(/sends more than the 4194304 bytes that were expected/);
    const blobs = await withImage(({ path }, response) => (isBlob(path) ? endless(response) : undefined));
    expect((await pull(blobs)).stderr).toMatch(/sends more than the \d+ bytes that were expected/);
    const errors = await withImage(({ path }, response) => {
      return path.includes("/manifests/") ? endless(response, 400) : undefined;
    });
    expect((await pull(errors)).stderr).toMatch(/answered 400 to GET/);
  });

  test("cannot take for ever", async () => {
    const silent = await withImage(() => true);
    expect((await pull(silent, "--timeout", "0.3")).stderr).toMatch(
      /took longer than \d+\.\d s to answer; --timeout gives it more/,
    );
    const slow = await start({
      instead: (_request, response) => {
        response.writeHead(401, { "content-type": "text/plain" }).write("never");
        return true;
      },
    });
    expect((await pull(slow, "--timeout", "0.3")).stderr).toMatch(/took longer than 0\.3 s to answer/);
  }, 15_000);

  test("gets no Authorization along a redirect, though the blob is read", async () => {
    const storage = await start();
    const registry = await start({
      login: { challenge: 'Basic realm="x"', accepts: (value) => value === BASIC },
      instead: ({ method, path, authorization }, response) =>
        method === "GET" && isBlob(path) && authorization
          ? (response.writeHead(307, { location: `http://${storage.host}${path}?signature=1` }).end(), true)
          : undefined,
    });
    login(registry.host, storage.host);
    expect((await push(registry, "--no-statements")).code).toBe(0);
    for (const [digest, bytes] of registry.blobs) storage.blobs.set(digest, bytes);
    expect((await pull(registry)).code).toBe(0);
    expect(storage.requests.length).toBeGreaterThan(0);
    expect(authorizations(storage)).toEqual([]);
  });

  test("gets no Authorization for an upload elsewhere", async () => {
    const storage = await start({ instead: (_request, response) => (response.writeHead(201).end(), true) });
    const registry = await start({
      login: { challenge: 'Basic realm="x"', accepts: (value) => value === BASIC },
      instead: ({ method, authorization }, response) =>
        method === "POST" && authorization
          ? (response.writeHead(202, { location: `http://${storage.host}/upload` }).end(), true)
          : undefined,
    });
    login(registry.host);
    await push(registry, "--no-statements");
    expect(storage.requests.length).toBeGreaterThan(0);
    expect(authorizations(storage)).toEqual([]);
  });

  test("is told from whoever it leads to", async () => {
    const storage = await start({
      instead: ({ method, path }, response) => (method === "GET" ? (response.end(path), true) : undefined),
    });
    const leading = await withImage(({ method, path }, response) =>
      method === "GET" && isBlob(path)
        ? (response.writeHead(307, { location: `http://${storage.host}${path}` }).end(), true)
        : undefined,
    );
    expect((await pull(leading)).stderr).toContain(`could not get layer content: ${storage.host}: sha256:`);
    const closed = await start({ instead: (_request, response) => (response.writeHead(401).end(), true) });
    const elsewhere = await withImage((_request, response) => {
      return (response.writeHead(302, { location: `http://${closed.host}/x` }), response.end(), true);
    });
    expect((await pull(elsewhere)).stderr).toBe(`error: ${closed.host} answered 401 to GET http://${closed.host}/x\n`);
  });

  test("cannot lead to an address with a login in it, which is not shown", async () => {
    const location = `http://me:${SECRET}@localhost:9/`;
    const reading = await withImage((_request, response) => (response.writeHead(302, { location }).end(), true));
    const uploading = await start({
      instead: ({ method }, response) =>
        method === "POST" ? (response.writeHead(202, { location }).end(), true) : undefined,
    });
    for (const [{ code, stderr }, registry] of [
      [await pull(reading), reading],
      [await push(uploading), uploading],
    ] as const) {
      expect(stderr).toBe(
        `error: ${registry.host} leads to localhost:9 with a login in the address, which is not followed\n`,
      );
      expect(code).toBe(1);
    }
  });

  test("cannot redirect in circles, or into a private network", async () => {
    const circles = await withImage(({ path }, response) => (response.writeHead(302, { location: path }).end(), true));
    expect((await pull(circles)).stderr).toMatch(/redirects more than 5 times/);
    const inside = await withImage((_request, response) => {
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end();
      return true;
    });
    vi.stubEnv("http_proxy", `http://${inside.host}`);
    const { stderr } = await command([
      "pull",
      "registry.example:80/acme/f:1",
      "--plain-http",
      "-o",
      join(folder, "x.wasm"),
    ]);
    expect(stderr).toMatch(/registry\.example leads to 169\.254\.169\.254, an address of a private network/);
  });

  test.each([
    ["HTML", "<!doctype html><title>Hello</title>", /the manifest 1 should be a JSON object; it is HTML/],
    ["nothing", "", /the manifest 1 should be a JSON object; it is none/],
    ["a list", "[]", /the manifest 1 should be a JSON object; it is none/],
  ])("that answers with %s is named", async (_what, body, message) => {
    const registry = await withImage((_request, response) => (response.end(body), true));
    expect((await pull(registry)).stderr).toMatch(message);
  });

  test("cannot write to the terminal what it likes", async () => {
    const registry = await withImage((_request, response) => {
      const errors = [{ code: "DENIED", message: `\u001b[2J\u202e${"x".repeat(1000)}\nerror: all is well` }];
      response.writeHead(403).end(JSON.stringify({ errors }));
      return true;
    });
    const { stderr } = await pull(registry);
    expect(stderr).toMatch(/answered 403 to GET .*: DENIED: \[2J ?x+…\n$/);
    expect(stderr.length).toBeLessThan(400);
  });

  test("cannot do so in a manifest or a header either", async () => {
    const controls = /[\0-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;
    const hostile = "a/b\u001b[2J\u009b2J\u202e\rx\nHigress        loads it\nerror: all is well";
    const layer = { mediaType: hostile, digest: `sha256:${"0".repeat(64)}`, size: 1 };
    const named = await withImage((_request, response) => {
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: "x", config: layer, layers: [layer, layer] }));
      return true;
    });
    const verify = await command(["verify", `${named.host}/acme/f:1`]);
    expect(verify.stdout).toContain("a/b\\u{1b}[2J\\u{9b}2J\\u{202e} x Higress loads it error: all is well");
    expect(verify.stdout).not.toMatch(controls);
    const json = await command(["verify", `${named.host}/acme/f:1`, "--json"]);
    expect(json.stdout).not.toMatch(controls);
    expect(JSON.parse(json.stdout).verdicts[0].error).toContain("\u009b2J");
    const pulled = await pull(named);
    expect(pulled.stderr).toContain("a/b\\u{1b}[2J");
    expect(pulled.stderr).not.toMatch(controls);
    expect(pulled.stderr).not.toMatch(/^error: all/m);

    const index = { schemaVersion: 2, manifests: [{ mediaType: "x", digest: hostile, size: 1 }] };
    const pointing = await withImage((_request, response) => {
      response.setHeader("content-type", "application/vnd.oci.image.index.v1+json");
      response.end(JSON.stringify(index));
      return true;
    });
    const headers = await start({
      instead: ({ method }, response) =>
        method === "POST" ? (response.writeHead(202, { location: "http://[\u009b2J" }).end(), true) : undefined,
    });
    for (const { code, stderr } of [await pull(pointing), await push(headers)]) {
      expect(code).toBe(1);
      expect(stderr).toContain("\\u{9b}2J");
      expect(stderr).not.toMatch(controls);
      expect(stderr).not.toMatch(/^error: all/m);
    }
  });

  test("cannot name blobs or manifests outside of its own", async () => {
    const registry = await withImage(({ path }, response) => {
      if (!path.includes("/manifests/")) return undefined;
      const blob = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: "sha256:../../../x", size: 1 };
      response.end(JSON.stringify({ schemaVersion: 2, config: blob, layers: [blob] }));
      return true;
    });
    expect((await pull(registry)).stderr).toMatch(/has the digest "sha256:\.\.\/\.\.\/\.\.\/x"; sha256 was expected/);
    expect(registry.requests).toHaveLength(1);
  });

  test("that asks for a login is one that Istio refuses, which verify says", async () => {
    const registry = await start({ login: { challenge: 'Basic realm="x"', accepts: (value) => value === BASIC } });
    login(registry.host);
    await push(registry);
    const { code, stdout, stderr } = await command(["verify", `${registry.host}/acme/f:1`]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `Istio          refuses it: could not fetch Wasm OCI image: could not fetch manifest: Get "https://${registry.host}/v2/": http: server gave HTTP response to HTTPS client; Get "http://${registry.host}/v2/": rejected unsafe bearer realm: realm scheme "" not allowed\n`,
    );
    expect(stdout).toMatch(/Envoy Gateway {2}loads it\nHigress {8}loads it\n/);
    expect(stderr).toMatch(/would not load in Istio; it answers a registry that asks for no login/);
    expect((await command(["verify", `${registry.host}/acme/f:1`, "--for", "envoy-gateway"])).code).toBe(0);
  });
});

test("--quiet leaves out what goes well, and no answer that is asked for", async () => {
  let failures = 1;
  const registry = await start({
    instead: (_request, response) =>
      failures-- > 0 ? (refuse(response, 503, "UNAVAILABLE", { "retry-after": "0" }), true) : undefined,
  });
  const pushed = await push(registry, "--quiet");
  const pinned = `oci://${registry.host}/acme/f@${digestOf(registry.manifests.get("1")!.bytes)}`;
  expect(pushed).toEqual({ code: 0, stdout: `${pinned}\n`, stderr: "" });
  const reference = `${registry.host}/acme/f:1`;
  const silent = { code: 0, stdout: "", stderr: "" };
  const output = join(folder, "quiet.wasm");
  expect(await command(["pull", reference, "--output", output, "--quiet"])).toEqual(silent);
  expect(await command(["verify", reference, "--quiet"])).toEqual(silent);
  expect(await command(["package", output, "--out", join(folder, "quiet"), "-q"])).toEqual(silent);
  expect((await command(["verify", reference, "-q", "--sha256", "0".repeat(64)])).stdout).toMatch(
    /^Istio +refuses it/m,
  );
  expect(
    JSON.parse((await command(["pull", reference, "-o", output, "--force", "-q", "--json"])).stdout),
  ).toMatchObject({
    output,
  });
});

test("what was pulled is what was packaged", async () => {
  const registry = await start();
  await push(registry);
  const output = join(folder, "same.wasm");
  expect((await command(["pull", `${registry.host}/acme/f:1`, "--output", output])).code).toBe(0);
  expect(Buffer.compare(readFileSync(output), smallModule)).toBe(0);
  expect(execFileSync("sha256sum", [output], { encoding: "utf8" }).slice(0, 64)).toBe(digestOf(smallModule).slice(7));
});
