// From a filter's source to a header on a response, through Istio: packaged and pushed by us, the manifest written by us,
// taken by istiod's discovery server, the image fetched by Istio's agent, run in Envoy.

import { copyFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { command } from "../support/command.ts";
import { compileSource } from "../support/compile.ts";
import {
  dockerRegistry,
  explainMissingRegistry,
  type RunningRegistry,
  startDockerRegistry,
} from "../support/docker-registry.ts";
import { explainMissingEnvoy, findEnvoy } from "../support/envoy.ts";
import { explainMissingGo, missingGo } from "../support/istio.ts";
import { buildMesh, type Mesh, type MeshAnswer, startMesh } from "../support/istio-mesh.ts";
import { DIGEST, ManifestProject } from "../support/manifests.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();
if (!dockerRegistry) explainMissingRegistry();
if (missingGo !== undefined) explainMissingGo();

const BUILD_MS = 1_800_000;
const TEST_MS = 60_000;

const source = `
import { Action, HttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";

class Root extends RootContext {
  value: string = "";

  override onConfigure(_size: u32): bool {
    this.value = this.configuration!;
    return true;
  }

  override createHttpContext(): HttpContext {
    return new AddHeaders(this);
  }
}

class AddHeaders extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-configuration", this.root.value);
    this.responseHeaders.set("x-mode", process.env.has("MODE") ? process.env.get("MODE") : "none");
    return Action.Continue;
  }
}

registerRootContext("mine", () => new Root());
`;

describe.skipIf(!envoy || !dockerRegistry || missingGo !== undefined)("Istio", () => {
  const project = new ManifestProject();
  let registry: RunningRegistry;
  let mesh: Mesh;
  let reference: string;

  beforeAll(async () => {
    const programs = await buildMesh(envoy!);
    registry = await startDockerRegistry();
    const { file } = await compileSource(source);
    const module = project.path("build/release.wasm");
    copyFileSync(file, module);
    const image = join(project.folder, "build/image");
    await command(["package", module, "--out", image]);
    const pushed = await command(["push", `${registry.host}/acme/my-filter:1.0.0`, "--image", image]);
    if (pushed.code !== 0) throw new Error(pushed.stderr);
    reference = pushed.stdout.trim();
    mesh = await startMesh(programs);
  }, BUILD_MS);
  afterAll(async () => {
    await mesh?.stop();
    await registry?.stop();
    project.remove();
  });

  const configuration = { a: 'it\'s "b"' };
  const content = {
    name: "my-filter",
    rootId: "mine",
    configuration,
    environment: { values: { MODE: "strict" } },
    targets: { istio: { namespace: "istio-ingress", selector: { istio: "ingressgateway" } } },
  };
  const untouched = ({ status, headers }: MeshAnswer): boolean => status === 200 && !headers.has("x-configuration");
  const filtered = ({ status, headers }: MeshAnswer): boolean => status === 200 && headers.has("x-configuration");

  async function write(target: string, more: object = {}, ...args: string[]): Promise<string> {
    return project.manifest({ ...content, ...more }, target, "--reference", reference, ...args);
  }

  test.each([
    ["istio", {}],
    ["istio", { phase: "authn", priority: 10, failurePolicy: "reload" }],
    ["istio-traffic-extension", {}],
    ["istio-envoy-filter", {}],
    ["istio-envoy-filter", { phase: "authn", allowOnHeadersStopIteration: true, vmId: "mine" }],
  ])(
    "runs the filter with the manifest of %s, %o",
    async (target, more) => {
      await mesh.apply();
      await mesh.answer(untouched);
      await mesh.apply(await write(target, more));
      const { headers, body } = await mesh.answer(filtered);
      expect([JSON.parse(headers.get("x-configuration")!), headers.get("x-mode"), body]).toEqual([
        configuration,
        "strict",
        "hello from upstream",
      ]);
    },
    TEST_MS,
  );

  test(
    "takes a text for a configuration with an EnvoyFilter",
    async () => {
      await mesh.apply(await write("istio-envoy-filter", { configuration: "text" }));
      const { headers } = await mesh.answer(({ headers }) => headers.get("x-configuration") === "text");
      expect(headers.get("x-mode")).toBe("strict");
    },
    TEST_MS,
  );

  test(
    "refuses requests when the image is another than the one that is pinned, unless told to let them pass",
    async () => {
      reference = `${reference.split("@")[0]!}@${DIGEST}`;
      for (const target of ["istio", "istio-traffic-extension"]) {
        await mesh.apply();
        await mesh.answer(untouched);
        await mesh.apply(await write(target));
        expect((await mesh.answer(({ status }) => status !== 200)).status).toBe(403);
        await mesh.apply(await write(target, { failurePolicy: "open" }));
        expect((await mesh.answer(untouched)).body).toBe("hello from upstream");
      }
    },
    TEST_MS,
  );
});
