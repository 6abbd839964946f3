// What `package` makes of a module and its project, and where it lies on disk.

import { randomBytes } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { readdir, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { Producer } from "../module/module-parts.ts";
import type { Environment } from "./credentials.ts";
import { type Digest, digestOf, encodeJson, hexOf, type Manifest } from "./descriptor.ts";
import { ImageError } from "./error.ts";
import { makeFolders, orUndo, readLimited, remove } from "./files.ts";
import { buildImage, type Image, type Layout, moduleAnnotations } from "./image.ts";
import { layoutFolder, layoutNames, layoutTar, openLayout, writeLayout } from "./layout.ts";
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
 * Writes a package, whole or not at all. An earlier package is replaced; other files and layouts with `force` only, and
 * folders with other things in them never.
 */
export async function writePackage(paths: PackagePaths, made: Package, force: boolean): Promise<void> {
  await checkFree(paths, force);
  const id = randomBytes(6).toString("hex");
  const fresh = (path: string): string => `${path}.${id}.tmp`;
  const old = (path: string): string => `${path}.${id}.old`;
  const files: readonly [string, (path: string) => Promise<unknown>][] = [
    [paths.layout, (path) => writeLayout(path, made.image)],
    [paths.tar, (path) => writeFile(path, layoutTar(made.image))],
    [paths.sbom, (path) => writeFile(path, pretty(made.sbom))],
    [paths.provenance, (path) => writeFile(path, pretty(made.provenance))],
  ];
  const replaced: string[] = [];
  const write = async (): Promise<void> => {
    await makeFolders(dirname(paths.layout));
    for (const [path, writeTo] of files) await writeTo(fresh(path));
    for (const [path] of files) {
      replaced.push(path);
      // A folder is not replaced by a rename, and what was there must be able to come back.
      await rename(path, old(path)).catch(unlessMissing);
      await rename(fresh(path), path);
    }
  };
  const undo = (): void => {
    for (const path of replaced) {
      if (!existsSync(old(path)) && existsSync(fresh(path))) continue;
      remove(path);
      if (existsSync(old(path))) renameSync(old(path), path);
    }
    for (const [path] of files) remove(fresh(path));
  };
  await orUndo(write, undo).catch((error: Error) => {
    throw new ImageError(`cannot write ${paths.layout}: ${error.message}`, { cause: error });
  });
  for (const path of replaced) remove(old(path));
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** Throws when something else is where a package goes. The layout of a package marks the files beside it as its own. */
async function checkFree({ layout, ...beside }: PackagePaths, force: boolean): Promise<void> {
  const inside: string[] = await readdir(layout).catch(() => []);
  if (inside.some((name) => !layoutNames.includes(name))) {
    throw new ImageError(`${layout} is a folder with other things in it; choose another with --out`);
  }
  const isFree = force || (inside.length > 0 && (await isPackage(layout)));
  for (const path of [layout, ...Object.values(beside as Record<string, string>)]) {
    const found = await stat(path).catch(() => undefined);
    const isFolder = found?.isDirectory() ?? false;
    if (!found || (path === layout && isFolder && !inside.length)) continue;
    if (path !== layout && isFolder) throw new ImageError(`${path} is a folder; choose another place with --out`);
    if (!isFree) throw new ImageError(`${path} exists and is not of an earlier package; --force replaces it`);
  }
}

/** Whether a folder is a layout as `package` makes it: one image, which says what its module is. */
async function isPackage(layout: string): Promise<boolean> {
  try {
    const { bytes } = await (await openLayout(layout)).manifest();
    const { annotations = {} } = parseObject(bytes, layout) as Partial<Manifest>;
    return moduleAnnotations.digest in annotations;
  } catch {
    return false;
  }
}

function pretty(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

const MAX_STATEMENT_BYTES = 64 << 20;

/** Something said of an image, as it is stored. */
export interface Statement {
  readonly kind: "sbom" | "provenance";
  readonly bytes: Uint8Array;
}

/** Reads what was written beside a layout, a folder or a tar file; throws when it is about another image. */
export async function readStatements(path: string, digest: Digest, module: Uint8Array): Promise<Statement[]> {
  const layout = layoutFolder(path);
  const statements: Statement[] = [];
  for (const kind of ["sbom", "provenance"] as const) {
    const path = pathsOf(layout)[kind];
    const bytes = await readLimited(path, MAX_STATEMENT_BYTES);
    if (!bytes) continue;
    const about = kind === "sbom" ? hexOf(digestOf(module)) : hexOf(digest);
    if (!new TextDecoder().decode(encodeJson(parseObject(bytes, path))).includes(about)) {
      throw new ImageError(`${path} is not about ${layout}: it does not name ${about}; package again, or remove it`);
    }
    statements.push({ kind, bytes });
  }
  return statements;
}
