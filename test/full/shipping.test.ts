// docs/shipping.md: its commands, run as they stand there, but for the registry, which is one of this machine.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { parse } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { codeBlocks } from "../support/blocks.ts";
import {
  dockerRegistry,
  explainMissingRegistry,
  type RunningRegistry,
  startDockerRegistry,
} from "../support/docker-registry.ts";
import { smallModule } from "../support/images.ts";
import { findProgram } from "../support/programs.ts";

if (!dockerRegistry) explainMissingRegistry();

/** Takes many minutes to build, and is in few distributions: tried where there is one. */
const cosign = findProgram("cosign") !== undefined;
if (!cosign) console.warn("No cosign was found, so the recipe with it in docs/shipping.md is not tried.");

const root = resolve(import.meta.dirname, "../..");

describe.skipIf(!dockerRegistry)("docs/shipping.md", () => {
  const folder = mkdtempSync(join(tmpdir(), "proxy-wasm-shipping-"));
  let registry: RunningRegistry;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    mkdirSync(join(folder, "build"));
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "build/release.wasm"), smallModule);
    writeFileSync(join(folder, "package.json"), '{"name":"my-filter","version":"1.0.0"}');
    // What npx finds in a project where the package is installed.
    const main = join(root, "dist/src/cli/main.js");
    writeFileSync(join(folder, "bin/npx"), `#!/bin/sh\nshift\nexec node ${main} "$@"\n`, { mode: 0o755 });
  });
  afterAll(async () => {
    await registry?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function shell(script: string): Promise<string> {
    const text = script.replaceAll("ghcr.io/", `${registry.host}/`);
    const env = {
      ...process.env,
      PATH: `${join(folder, "bin")}:${process.env["PATH"]}`,
      TOKEN: "anything",
      HOME: folder,
    };
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", text], { cwd: folder, env });
    return stdout;
  }

  test("packages, pushes, verifies and pulls", async () => {
    const blocks = await codeBlocks("docs/shipping.md", "sh");
    expect(blocks).toHaveLength(3);
    const [shipped, , verified] = [await shell(blocks[0]!), await shell(blocks[1]!), await shell(blocks[2]!)];
    expect(shipped).toMatch(/manifest {2}sha256:\w{64}\n[^]*oci:\/\/localhost:\d+\/acme\/my-filter@sha256:\w{64}\n$/);
    expect(verified.match(/Istio {10}loads it/g)).toHaveLength(2);
    expect(Buffer.compare(readFileSync(join(folder, "build/pulled.wasm")), smallModule)).toBe(0);
    for (const name of ["image.tar", "image.sbom.json", "image.provenance.json"])
      expect(existsSync(join(folder, "build", name))).toBe(true);
  });

  test.skipIf(!cosign)("signs with cosign, which finds what push has attached", async () => {
    await shell("npx proxy-wasm package --force");
    const pushed = await shell("npx proxy-wasm push ghcr.io/acme/signed:1");
    const text = await readFile(join(root, "docs/shipping.md"), "utf8");
    const recipe = /^```sh cosign\n(.*?)^```$/ms.exec(text)![1]!;
    const [digest] = /sha256:\w+/.exec(pushed)!;
    const output = await shell(
      `export COSIGN_PASSWORD=\n${recipe.replaceAll("my-filter@sha256:…", `signed@${digest}`)}`,
    );
    expect(output).toContain(`"docker-manifest-digest":"${digest}"`);
    for (const kind of ["sigstore.dev/cosign/sign", "slsa.dev/provenance", "application/vnd.cyclonedx"])
      expect(output).toContain(kind);
  });

  test("has a workflow whose commands ship", async () => {
    const [text] = await codeBlocks("docs/shipping.md", "yaml");
    const workflow = parse(text!) as { permissions: object; jobs: { ship: { steps: { run?: string }[] } } };
    expect(workflow.permissions).toMatchObject({ "id-token": "write", packages: "write" });
    const commands = workflow.jobs.ship.steps.flatMap(({ run }) => (/proxy-wasm p/.test(run ?? "") ? [run!] : []));
    expect(commands).toHaveLength(2);
    const values: Record<string, string> = {
      "github.repository": "acme/my-filter",
      "github.ref_name": "v1",
      "github.actor": "acme",
    };
    await shell(commands.join("\n").replace(/\$\{\{ ([\w.]+) \}\}/g, (_all, name: string) => values[name]!));
    const signed = workflow.jobs.ship.steps
      .map(({ run }) => /cosign sign --yes "(.*)"/.exec(run ?? "")?.[1])
      .find(Boolean);
    expect(await shell(`echo "${signed}"`)).toMatch(/^localhost:\d+\/acme\/my-filter@sha256:\w{64}\n$/);
  });
});

test("the package is published with a provenance", () => {
  const workflow = parse(readFileSync(join(root, ".github/workflows/publish.yml"), "utf8"));
  expect(workflow.permissions).toEqual({ contents: "read", "id-token": "write" });
  const commands = workflow.jobs.publish.steps.map(({ run }: { run?: string }) => run);
  expect(commands.at(-1)).toBe("npm publish --provenance --access public");
});
