// What is said of an image beside it: what it is made of (SBOM), and where it comes from (provenance). Unsigned: they
// are what a signing tool signs.
// Source: CycloneDX 1.6; in-toto Statement 1; SLSA 1.1, provenance.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Producer } from "../module/module-parts.ts";
import type { Environment } from "./credentials.ts";
import { type Digest, digestOf, hexOf } from "./descriptor.ts";
import type { Layout } from "./image.ts";
import type { Project } from "./project.ts";

/** The media types of both. */
export const statementTypes = {
  sbom: "application/vnd.cyclonedx+json",
  provenance: "application/vnd.in-toto+json",
} as const;

/** What statements are about. */
export interface Subject {
  readonly project: Project;
  readonly module: Uint8Array;
  /** The manifest's. */
  readonly digest: Digest;
  readonly producers: readonly Producer[];
  readonly layout: Layout;
  /** The version of this package. */
  readonly packager: string;
}

/** npm packages by the names that the `producers` section has for them. */
const npmNames: Readonly<Record<string, string>> = { asc: "assemblyscript", "proxy-wasm": "proxy-wasm" };

/** A CycloneDX document: the module, the SDK and compiler in it, and the packages that the project depends on. */
export async function sbom({ project, module, producers, packager }: Subject): Promise<object> {
  const name = project.name ?? "plugin.wasm";
  const tools = producers.filter(({ field }) => field !== "language");
  const made = tools.map(({ name: tool, version }) => component("framework", npmNames[tool] ?? tool, version));
  const depended = Object.keys(project.dependencies).filter((item) => !made.some((other) => other.name === item));
  const components = [
    ...made,
    ...(await Promise.all(
      depended.map(async (item) => component("library", item, await installedVersion(project.folder, item))),
    )),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const root = {
    ...component("application", name, project.version),
    hashes: [{ alg: "SHA-256", content: hexOf(digestOf(module)) }],
  };
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      ...(project.created !== undefined && { timestamp: project.created }),
      tools: { components: [component("application", "proxy-wasm", packager)] },
      component: root,
    },
    components,
    dependencies: [{ ref: root["bom-ref"], dependsOn: components.map((item) => item["bom-ref"]) }],
  };
}

interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl: string;
}

function component(type: string, name: string, version: string | undefined): Component {
  const purl = packageUrl(name, version);
  return { "bom-ref": purl, type, name, ...(version !== undefined && { version }), purl };
}

function packageUrl(name: string, version: string | undefined): string {
  const path = name.replace(/^@/, "%40");
  return `pkg:npm/${path}${version === undefined ? "" : `@${encodeURIComponent(version)}`}`;
}

/** The version that a project finds, as Node looks for packages: in its folder, and in those above. */
async function installedVersion(folder: string, name: string): Promise<string | undefined> {
  for (let place = folder; ; place = dirname(place)) {
    const text = await readFile(join(place, "node_modules", name, "package.json"), "utf8").catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version?: string }).version;
    if (place === dirname(place)) return undefined;
  }
}

/** An in-toto statement with SLSA's provenance. On GitHub Actions it names the workflow and the run. */
export function provenance(subject: Subject, environment: Environment): object {
  const { project, module, digest, producers, layout, packager } = subject;
  const tool = packageUrl("proxy-wasm", packager);
  const run = workflowRun(environment);
  const commit = /^[0-9a-f]+$/.exec(project.revision ?? "")?.[0];
  const source = project.source !== undefined && {
    uri: `git+${project.source}`,
    ...(commit !== undefined && { digest: { gitCommit: commit } }),
  };
  const materials = producers
    .filter(({ field }) => field !== "language")
    .map(({ name, version }) => ({ uri: packageUrl(npmNames[name] ?? name, version) }));
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: project.name ?? "plugin.wasm", digest: { sha256: hexOf(digest) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: tool,
        externalParameters: { layout, ...(project.revision !== undefined && { revision: project.revision }) },
        resolvedDependencies: [
          ...(source ? [source] : []),
          { name: "plugin.wasm", digest: { sha256: hexOf(digestOf(module)) } },
          ...materials,
        ],
      },
      runDetails: {
        builder: { id: run?.workflow ?? tool },
        ...(run && { metadata: { invocationId: run.url } }),
      },
    },
  };
}

function workflowRun(environment: Environment): { workflow: string; url: string } | undefined {
  const { GITHUB_ACTIONS, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_WORKFLOW_REF } = environment;
  if (GITHUB_ACTIONS !== "true" || !GITHUB_SERVER_URL || !GITHUB_REPOSITORY || !GITHUB_RUN_ID) return undefined;
  const attempt = environment["GITHUB_RUN_ATTEMPT"] ?? "1";
  return {
    workflow: `${GITHUB_SERVER_URL}/${GITHUB_WORKFLOW_REF ?? GITHUB_REPOSITORY}`,
    url: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}/attempts/${attempt}`,
  };
}
