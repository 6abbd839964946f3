// docs/istio.md from its first command to its last, with a registry of this machine for ghcr.io and, for kubectl and the
// cluster, Istio's discovery server, its agent and Envoy. docs/manifests.md: its commands, and its errors.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { codeBlocks } from "../support/blocks.ts";
import {
  dockerRegistry,
  explainMissingRegistry,
  type RunningRegistry,
  startDockerRegistry,
} from "../support/docker-registry.ts";
import { explainMissingEnvoy, findEnvoy } from "../support/envoy.ts";
import { explainMissingGo, missingGo } from "../support/istio.ts";
import { buildMesh, type Mesh, startMesh } from "../support/istio-mesh.ts";
import { filterModule } from "../support/manifests.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();
if (!dockerRegistry) explainMissingRegistry();
if (missingGo !== undefined) explainMissingGo();

const root = resolve(import.meta.dirname, "../..");
const BUILD_MS = 1_800_000;
const STORY_MS = 180_000;

/** An empty folder inside of the repository, whose packages are then the project's, and the programs of a shell there. */
function workshop(): string {
  mkdirSync(join(root, "test/build"), { recursive: true });
  const folder = mkdtempSync(join(root, "test/build/docs-"));
  mkdirSync(join(folder, "bin"));
  const program = (name: string, script: string): void =>
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  program("npx", `shift\nexec node ${join(root, "dist/src/cli/main.js")} "$@"`);
  program("npm", `[ "$1" = install ] || exec node ${join(root, "node_modules/vitest/vitest.mjs")} run`);
  program("kubectl", `[ "$1 $2" = "apply -f" ] && cp "$3" ${join(folder, "applied.yaml")}`);
  return folder;
}

async function shell(script: string, home: string, cwd: string): Promise<string> {
  const env = { ...process.env, PATH: `${join(home, "bin")}:${process.env["PATH"]}`, HOME: home };
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], { cwd, env });
  return stripVTControlCharacters(stdout);
}

describe.skipIf(!envoy || !dockerRegistry || missingGo !== undefined)("docs/istio.md", () => {
  const folder = workshop();
  const project = join(folder, "my-filter");
  let registry: RunningRegistry;
  let mesh: Mesh;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    mesh = await startMesh(await buildMesh(envoy!));
  }, BUILD_MS);
  afterAll(async () => {
    await mesh?.stop();
    await registry?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const here = (text: string): string =>
    text.replaceAll("ghcr.io/", `${registry.host}/`).replaceAll("localhost:8080", mesh.address);

  async function applied(): Promise<void> {
    await mesh.apply(readFileSync(join(folder, "applied.yaml"), "utf8"));
    await mesh.answer(({ headers }) => headers.has("x-service-name"));
  }

  test(
    "leads to a header on a response",
    async () => {
      const blocks = await codeBlocks("docs/istio.md", "sh");
      const [init, tests, image, manifest, request, again, ...none] = blocks.map(here);
      expect(none).toEqual([]);
      await shell(init!, folder, folder);
      const [filter, filterTest] = await codeBlocks("docs/istio.md", "ts");
      const [json] = await codeBlocks("docs/istio.md", "json");
      writeFileSync(join(project, "assembly/index.ts"), filter!);
      writeFileSync(join(project, "test/add-header.test.ts"), filterTest!);
      writeFileSync(join(project, "proxy-wasm.json"), here(json!));
      expect(await shell(tests!, folder, project)).toMatch(/Tests {2}1 passed[^]*build\/release\.wasm: /);
      expect(await shell(image!, folder, project)).toMatch(/@sha256:\w{64}\n[^]*Istio {10}loads it/);
      await shell(manifest!, folder, project);
      await applied();
      expect(await shell(request!, folder, project)).toMatch(/\r\nx-service-name: my-custom-service\r\n/);
      await shell(again!, folder, project);
      expect(readFileSync(join(folder, "applied.yaml"), "utf8")).toContain(
        `${registry.host}/acme/my-filter:1.1.0@sha256:`,
      );
      await applied();
    },
    STORY_MS,
  );
});

describe("docs/manifests.md", () => {
  const folder = workshop();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("has commands that write what they should", async () => {
    const [json] = await codeBlocks("docs/manifests.md", "json");
    const [commands] = await codeBlocks("docs/manifests.md", "sh");
    mkdirSync(join(folder, "build"));
    writeFileSync(join(folder, "build/release.wasm"), filterModule);
    writeFileSync(join(folder, "config.schema.json"), "{}");
    writeFileSync(join(folder, "proxy-wasm.json"), json!);
    expect(await shell(commands!, folder, folder)).toMatch(/kind: WasmPlugin[^]*filter_chains:/);
    expect(existsSync(join(folder, "deploy/envoy.yaml"))).toBe(true);
  });
});
