// What a project says of itself, in package.json and git, as the annotations that the OCI has for it.
// Source: OCI image specification 1.1, annotations.md; npm's package.json; reproducible-builds.org on SOURCE_DATE_EPOCH.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { parseJson } from "../encoding/parse-json.ts";
import type { Environment } from "./credentials.ts";
import { ImageError } from "./error.ts";

/** What is known of a project; what is not there is undefined. */
export interface Project {
  /** The folder of package.json, or the one that was looked up. */
  readonly folder: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  /** The packages that a filter may be compiled with, with the versions that are asked for. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The address of the repository, without a login in it. */
  readonly source: string | undefined;
  /** The commit, with `-dirty` behind it when files differ from it. */
  readonly revision: string | undefined;
  /** SOURCE_DATE_EPOCH, or the time of the commit, as RFC 3339. */
  readonly created: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

interface PackageJson {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly homepage?: string;
  readonly author?: string | { readonly name?: string; readonly email?: string };
  readonly repository?: string | { readonly url?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Reads the project that a folder belongs to. */
export async function readProject(start: string, environment: Environment): Promise<Project> {
  const { folder, json } = await findPackage(resolve(start));
  const [head, changes, remote] = await Promise.all([
    git(folder, "log", "-1", "--format=%H %ct"),
    git(folder, "status", "--porcelain", "--untracked-files=no"),
    git(folder, "config", "--get", "remote.origin.url"),
  ]);
  const [commit, time] = head?.split(" ") ?? [];
  const revision = commit && (changes ? `${commit}-dirty` : commit);
  const created = timeOf(environment["SOURCE_DATE_EPOCH"] ?? time);
  const { repository, author } = json;
  const address = typeof repository === "string" ? repository : repository?.url;
  const source = sourceUrl(longhand(address) ?? remote);
  const said = {
    title: json.name,
    version: json.version,
    description: json.description,
    licenses: json.license,
    url: json.homepage,
    authors: typeof author === "string" ? author : authorLine(author),
    source,
    revision,
  };
  const annotations = Object.entries(said).flatMap(([key, value]) => {
    return typeof value === "string" && value ? [[`org.opencontainers.image.${key}`, value] as const] : [];
  });
  return {
    folder,
    name: json.name,
    version: json.version,
    dependencies: json.dependencies ?? {},
    source,
    revision,
    created,
    annotations: Object.fromEntries(annotations),
  };
}

/** The nearest package.json above a folder. */
async function findPackage(start: string): Promise<{ folder: string; json: PackageJson }> {
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text !== undefined) return { folder, json: packageJson(text, file) };
    if (folder === dirname(folder)) return { folder: start, json: {} };
  }
}

function packageJson(text: string, file: string): PackageJson {
  const json = parseJson(text, file, ImageError);
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json;
  throw new ImageError(`${file} should be a JSON object`);
}

/** What git says; undefined without git, or outside of a repository. */
async function git(folder: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("git", args, { cwd: folder, timeout: 10_000 });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

function timeOf(seconds: string | undefined): string | undefined {
  if (seconds === undefined || seconds === "") return undefined;
  const time = new Date(Number(seconds) * 1000);
  if (!/^\d+$/.test(seconds) || Number.isNaN(time.getTime())) {
    throw new ImageError(`SOURCE_DATE_EPOCH is ${JSON.stringify(seconds)}; seconds since 1970 were expected`);
  }
  return time.toISOString().replace(".000Z", "Z");
}

/** What npm takes for an address in package.json, such as `github:acme/my-filter`, written out. */
function longhand(repository: unknown): unknown {
  const hosts: Readonly<Record<string, string>> = {
    github: "github.com",
    gitlab: "gitlab.com",
    bitbucket: "bitbucket.org",
  };
  const short = /^(?:(github|gitlab|bitbucket):)?([\w-][\w.-]*\/(?!\.{1,2}$)[\w.-]+)$/.exec(String(repository));
  return short ? `https://${hosts[short[1] ?? "github"]}/${short[2]}` : repository;
}

/** A repository's address in the form of a web page: no login, no `.git`; undefined when it is none, such as a folder. */
function sourceUrl(repository: unknown): string | undefined {
  if (typeof repository !== "string" || !repository) return undefined;
  const scp = /^(?:[\w.-]+@)([\w.-]+):(?!\/\/)(.+)$/.exec(repository);
  const text = scp
    ? `https://${scp[1]}/${scp[2]}`
    : // The port of SSH or git is not that of the page.
      repository.replace(/^git\+/, "").replace(/^(?:git|ssh):\/\/([^/]*?)(?::\d+)?(?=\/)/, "https://$1");
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) return undefined;
  return `${url.origin}${url.pathname.replace(/\.git\/?$/, "")}`;
}

function authorLine(author: { readonly name?: string; readonly email?: string } | undefined): string | undefined {
  if (!author?.name) return undefined;
  return author.email ? `${author.name} <${author.email}>` : author.name;
}
