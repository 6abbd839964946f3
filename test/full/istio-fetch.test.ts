// Istio's own fetcher on what `push` pushes, which it takes, and on images of every form: `verify` says of each what
// Istio says, word for word.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { describe as describeBytes, digestOf, encodeJson, mediaTypes } from "../../src/oci/descriptor.ts";
import { Repository } from "../../src/oci/registry.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { command } from "../support/command.ts";
import {
  account,
  dockerRegistry,
  explainMissingRegistry,
  type RunningRegistry,
  startDockerRegistry,
} from "../support/docker-registry.ts";
import { anyImages, assembleAny, smallModule } from "../support/images.ts";
import { buildIstio, explainMissingGo, istioFetch, missingGo } from "../support/istio.ts";

if (!dockerRegistry) explainMissingRegistry();
if (missingGo !== undefined) explainMissingGo();

const BUILD_MS = 900_000;
const MODULE = digestOf(smallModule).slice("sha256:".length);

describe.skipIf(!dockerRegistry || missingGo !== undefined)("Istio's agent", () => {
  const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-istio-"));
  let program: string;
  let registry: RunningRegistry;

  beforeAll(async () => {
    program = await buildIstio("fetch");
    registry = await startDockerRegistry();
  }, BUILD_MS);
  afterAll(async () => {
    await registry?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function repository(name: string): Repository {
    return new Repository(parseReference(`${registry.host}/any/${name}`), {
      http: { fetch, timeoutMs: 10_000, signal: new AbortController().signal, secrets: new Set(), onRetry: () => {} },
      plainHttp: true,
      actions: "pull,push",
      findCredential: async () => undefined,
    });
  }

  /** Istio's verdict of `verify`: undefined when it would load the image. */
  async function verdict(reference: string, ...args: string[]): Promise<string | undefined> {
    const { stdout } = await command(["verify", reference, "--json", ...args]);
    return JSON.parse(stdout).verdicts[0].error;
  }

  test.each(["compat", "artifact"])("fetches what package makes and push pushes, in the layout %s", async (layout) => {
    const module = join(folder, "release.wasm");
    const image = join(folder, layout);
    writeFileSync(module, smallModule);
    await command(["package", module, "--out", image, "--layout", layout]);
    const name = `${registry.host}/acme/${layout}`;
    const { stdout } = await command(["push", `${name}:1.0.0`, "--image", image, "--json"]);
    const { manifestDigest } = JSON.parse(stdout) as { manifestDigest: string };
    const references = [
      `oci://${name}:1.0.0`,
      `oci://${name}@${manifestDigest}`,
      `oci://${name}:1.0.0@${manifestDigest}`,
    ];
    expect(await istioFetch(program, ...references)).toEqual(
      references.map((reference) => ({ reference, sha256: MODULE })),
    );
    const digits = manifestDigest.slice("sha256:".length);
    expect(await istioFetch(program, "-sha256", digits, references[0]!)).toMatchObject([{ sha256: MODULE }]);
    const [wrong] = await istioFetch(program, "-sha256", MODULE, references[0]!);
    expect(wrong!.error).toBe(await verdict(references[0]!, "--sha256", MODULE));
  });

  test("says of images of every form what verify says", async () => {
    const references: string[] = [];
    for (const [name, image] of Object.entries(anyImages)) {
      const { manifest, blobs } = assembleAny(image);
      for (const blob of blobs) await repository(name).putBlob(blob);
      await repository(name).putManifest(manifest, image.mediaType ?? mediaTypes.manifest, "1");
      references.push(`oci://${registry.host}/any/${name}:1`);
    }
    const theirs = await istioFetch(program, ...references);
    for (const { reference, error } of theirs)
      expect([reference, await verdict(reference)]).toEqual([reference, error]);
    expect(theirs.filter(({ error }) => error === undefined).length).toBeGreaterThan(8);
    expect(theirs.filter(({ error }) => error !== undefined).length).toBeGreaterThan(18);
  });

  test("says of indexes and their pins what verify says", async () => {
    const { manifest, blobs } = assembleAny(anyImages["oci"]!);
    const child = describeBytes(mediaTypes.manifest, manifest);
    const platforms = {
      amd64: { architecture: "amd64", os: "linux" },
      arm64: { architecture: "arm64", os: "linux" },
      none: undefined,
    };
    for (const [name, platform] of Object.entries(platforms)) {
      const target = repository(`index-${name}`);
      for (const blob of blobs) await target.putBlob(blob);
      await target.putManifest(manifest, mediaTypes.manifest);
      const manifests = [{ ...child, platform }];
      const index = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
      await target.putManifest(index, mediaTypes.index, "1");
      const reference = `oci://${registry.host}/any/index-${name}`;
      for (const suffix of [":1", `@${digestOf(index)}`, `@${child.digest}`]) {
        const [fetched] = await istioFetch(program, reference + suffix);
        expect([suffix, await verdict(reference + suffix)]).toEqual([suffix, fetched!.error]);
      }
    }
  });

  test("refuses a registry that wants a password, as verify says", async () => {
    const closed = await startDockerRegistry("basic");
    const auth = Buffer.from(`${account.username}:${account.password}`).toString("base64");
    writeFileSync(join(folder, "config.json"), JSON.stringify({ auths: { [closed.host]: { auth } } }));
    vi.stubEnv("DOCKER_CONFIG", folder);
    try {
      const reference = `oci://${closed.host}/acme/my-filter:1`;
      expect(await command(["push", reference, "--image", join(folder, "compat")])).toMatchObject({ code: 0 });
      const [fetched] = await istioFetch(program, reference);
      expect(fetched!.error).toContain('rejected unsafe bearer realm: realm scheme "" not allowed');
      expect(await verdict(reference)).toBe(fetched!.error);
    } finally {
      vi.unstubAllEnvs();
      await closed.stop();
    }
  });

  test("parses references as we do", async () => {
    const names = ["a/b:1", "ab/cd:", "aB/cd:1", "a:1", "ab/c d:1", `ab/cd@sha256:${"0".repeat(63)}`, "ab/cd:1+2"];
    for (const name of names) {
      const reference = `oci://${registry.host}/${name}`;
      const [fetched] = await istioFetch(program, reference);
      const parses = !/could not parse|fail to parse/.test(fetched!.error!);
      const { code } = await command(["verify", reference, "--timeout", "5"]);
      expect([name, code === 2]).toEqual([name, !parses]);
    }
    const [bare] = await istioFetch(program, "oci://my-filter:1.0.0");
    expect(bare!.error).toContain("fail to parse Wasm module fetch url");
    expect((await command(["verify", "my-filter:1.0.0"])).code).toBe(2);
  });
});
