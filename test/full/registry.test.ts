// Pushing to a real registry and getting back what was pushed: without a login, with a password, with tokens.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { command } from "../support/command.ts";
import {
  account,
  dockerRegistry,
  explainMissingRegistry,
  type RunningRegistry,
  startDockerRegistry,
  TokenServer,
} from "../support/docker-registry.ts";
import { smallModule } from "../support/images.ts";

if (!dockerRegistry) explainMissingRegistry();

const logins = [
  ["no login", undefined],
  ["a password", "basic"],
  ["tokens", "token"],
] as const;

describe.skipIf(!dockerRegistry).each(logins)("docker-registry with %s", (_name, login) => {
  const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-registry-test-"));
  const image = join(folder, "image");
  let registry: RunningRegistry;
  let tokens: TokenServer | undefined;

  beforeAll(async () => {
    if (login === "token") tokens = await new TokenServer().start();
    registry = await startDockerRegistry(tokens ?? (login as "basic" | undefined));
    writeFileSync(join(folder, "release.wasm"), smallModule);
    await command(["package", join(folder, "release.wasm"), "--out", image]);
    const auth = Buffer.from(`${account.username}:${account.password}`).toString("base64");
    writeFileSync(join(folder, "config.json"), JSON.stringify({ auths: login ? { [registry.host]: { auth } } : {} }));
    vi.stubEnv("DOCKER_CONFIG", folder);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await registry?.stop();
    await tokens?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("takes an image, with what is said of it, and gives it back", async () => {
    const reference = `${registry.host}/acme/my-filter`;
    const pushed = await command(["push", `${reference}:1.0.0`, "--tag", "latest", "--image", image, "--json"]);
    expect(pushed).toMatchObject({ code: 0 });
    expect(pushed.stderr).toMatch(
      /sbom .* listed under the tag sha256-\w{64}\nprovenance .*\ntag +1\.0\.0\ntag +latest\n$/,
    );
    const { manifestDigest } = JSON.parse(pushed.stdout);
    for (const name of [`${reference}:1.0.0`, `${reference}:latest`, `${reference}@${manifestDigest}`]) {
      const output = join(folder, "pulled.wasm");
      expect(await command(["pull", name, "--output", output, "--force"])).toMatchObject({ code: 0, stderr: "" });
      expect(Buffer.compare(readFileSync(output), smallModule)).toBe(0);
    }
    const again = await command(["push", `${reference}:1.0.0`, "--image", `${image}.tar`]);
    expect(again.stderr).toMatch(/config .* was there\nlayer .* was there\n/);
    if (tokens)
      expect(new Set(tokens.scopes)).toEqual(
        new Set(["repository:acme/my-filter:pull,push", "repository:acme/my-filter:pull"]),
      );
  });

  test("takes the layout with two layers", async () => {
    const artifact = join(folder, "artifact");
    await command(["package", join(folder, "release.wasm"), "--out", artifact, "--layout", "artifact"]);
    const reference = `${registry.host}/acme/artifact:1`;
    expect(await command(["push", reference, "--image", artifact])).toMatchObject({ code: 0 });
    const { stdout } = await command(["verify", reference, "--for", "envoy-gateway"]);
    expect(stdout).toMatch(/Envoy Gateway {2}loads it/);
  });

  test("says that it has no such image", async () => {
    const { code, stderr } = await command(["pull", `${registry.host}/acme/my-filter:2`]);
    expect(code).toBe(1);
    expect(stderr).toBe(`error: ${registry.host} has no acme/my-filter with the name 2\n`);
  });

  test.skipIf(!login)("takes no wrong password, and no one without one", async () => {
    const reference = `${registry.host}/acme/my-filter:1.0.0`;
    const auth = Buffer.from(`${account.username}:wrong password`).toString("base64");
    const wrong = join(folder, "wrong.json");
    writeFileSync(wrong, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    vi.stubEnv("REGISTRY_AUTH_FILE", wrong);
    const refused = await command(["push", reference, "--image", image]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/ 401 /) });
    expect(refused.stderr).not.toContain("wrong password");
    vi.stubEnv("REGISTRY_AUTH_FILE", undefined);
    vi.stubEnv("DOCKER_CONFIG", join(folder, "nowhere"));
    vi.stubEnv("HOME", folder);
    expect((await command(["push", reference, "--image", image])).stderr).toMatch(
      /wants a login, and there is none for it/,
    );
    vi.stubEnv("DOCKER_CONFIG", folder);
  });
});
