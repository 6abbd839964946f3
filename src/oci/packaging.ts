// What `package` makes of a module and its project, and where it lies on disk.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { Producer } from "../module-parts.ts";
import type { Environment } from "./credentials.ts";
import { type Digest, digestOf, encodeJson, hexOf } from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { buildImage, type Image, type Layout } from "./image.ts";
import { layoutNames, layoutTar, writeLayout } from "./layout.ts";
import { readProject } from "./project.ts";
import { parseObject } from "./source.ts";
import { provenance, sbom } from "./statements.ts";

/** The files of a packaged module: the layout as a folder and as a tar file, and what is said of it. */
export interface PackagePaths {
  readonly layout: string;
  readonly tar: string;
  readonly sbom: string;
  readonly provenance: string;
}

/** The files beside a layout's folder. */
export function pathsOf(layout: string): PackagePaths {
  return {
    layout,
    tar: `${layout}.tar`,
    sbom: `${layout}.sbom.json`,
    provenance: `${layout}.provenance.json`,
  };
}

/** A module to package. */
export interface PackageRequest {
  readonly module: Uint8Array;
  /** Where the module lies: the project is the one around it. */
  readonly file: string;
  readonly abi: string;
  /** What its `producers` section names. */
  readonly producers: readonly Producer[];
  readonly layout: Layout;
  readonly environment: Environment;
  /** The version of this package. */
  readonly packager: string;
}

/** A packaged module. */
export interface Package {
  readonly image: Image;
  readonly sbom: object;
  readonly provenance: object;
}

/** Makes the image of a module and what is said of it. */
export async function packageModule(request: PackageRequest): Promise<Package> {
  const { module, abi, producers, layout, environment, packager } = request;
  const project = await readProject(dirname(request.file), environment);
  const { created, annotations } = project;
  const image = buildImage({ module, abi, layout, created, annotations });
  const subject = { project, module, digest: image.descriptor.digest, producers, layout, packager };
  return { image, sbom: await sbom(subject), provenance: provenance(subject, environment) };
}

/**
 * Writes a package, whole or not at all. An earlier package is replaced; other files with `force` only, and folders with
 * other things in them never.
 */
export async function writePackage(paths: PackagePaths, made: Package, force: boolean): Promise<void> {
  await checkFree(paths, force);
  const suffix = `.${randomBytes(6).toString("hex")}.tmp`;
  const files: readonly [string, (path: string) => Promise<unknown>][] = [
    [paths.layout, (path) => writeLayout(path, made.image)],
    [paths.tar, (path) => writeFile(path, layoutTar(made.image))],
    [paths.sbom, (path) => writeFile(path, pretty(made.sbom))],
    [paths.provenance, (path) => writeFile(path, pretty(made.provenance))],
  ];
  try {
    await mkdir(dirname(paths.layout), { recursive: true });
    for (const [path, write] of files) await write(path + suffix);
    // A folder is not replaced by a rename.
    await rm(paths.layout, { recursive: true, force: true });
    for (const [path] of files) await rename(path + suffix, path);
  } catch (error) {
    for (const [path] of files) await rm(path + suffix, { recursive: true, force: true }).catch(() => {});
    throw new ImageError(`cannot write ${paths.layout}: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws when something else is where a package goes. A layout marks the files beside it as an earlier package's. */
async function checkFree({ layout, ...beside }: PackagePaths, force: boolean): Promise<void> {
  const inside: string[] = await readdir(layout).catch(() => []);
  if (inside.some((name) => !layoutNames.includes(name))) {
    throw new ImageError(`${layout} is a folder with other things in it; choose another with --out`);
  }
  const isOurs = inside.includes("oci-layout");
  for (const path of [...(inside.length ? [] : [layout]), ...Object.values(beside as Record<string, string>)]) {
    const found = await stat(path).catch(() => undefined);
    if (!found || (path === layout && found.isDirectory())) continue;
    if (found.isDirectory()) throw new ImageError(`${path} is a folder; choose another place with --out`);
    if (!isOurs && !force) {
      throw new ImageError(`${path} exists and is not of an earlier package; --force replaces it`);
    }
  }
}

function pretty(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** Something said of an image, as it is stored. */
export interface Statement {
  readonly kind: "sbom" | "provenance";
  readonly bytes: Uint8Array;
}

/** Reads what was written beside a layout; throws when it is about another image. */
export async function readStatements(layout: string, digest: Digest, module: Uint8Array): Promise<Statement[]> {
  const statements: Statement[] = [];
  for (const kind of ["sbom", "provenance"] as const) {
    const path = pathsOf(layout)[kind];
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw new ImageError(`cannot read ${path}: ${error.message}`, { cause: error });
    });
    if (!bytes) continue;
    const about = kind === "sbom" ? hexOf(digestOf(module)) : hexOf(digest);
    if (!new TextDecoder().decode(encodeJson(parseObject(bytes, path))).includes(about)) {
      throw new ImageError(`${path} is not about ${layout}: it does not name ${about}; package again, or remove it`);
    }
    statements.push({ kind, bytes });
  }
  return statements;
}
