// The projects that `init` makes: which there are, and the files of each.

import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";

import { packageRoot, readPackageJson } from "../package-root.ts";

/** A kind of filter to begin with. */
export interface Template {
  readonly name: string;
  /** What the filter does, in a few words. */
  readonly summary: string;
  /** What `npm start` does behind the build. */
  readonly start: string;
  /** Scripts besides `build`, `start` and `test`. */
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Those that there are, the usual first. */
export const templates: readonly Template[] = [
  { name: "add-header", summary: "add a header to every response", start: "proxy-wasm serve" },
  { name: "rewrite-body", summary: "change the bodies of responses", start: "proxy-wasm serve" },
  {
    name: "auth-callout",
    summary: "ask a server whether a request may pass",
    start: "proxy-wasm serve --cluster auth=http://localhost:4000",
    scripts: { auth: "node auth-server.js" },
  },
  { name: "local-reply", summary: "answer requests without the upstream", start: "proxy-wasm serve" },
  {
    name: "tcp",
    summary: "watch the bytes of TCP connections",
    // Quoted for folders with blanks.
    start: '"${ENVOY_PATH:-envoy}" -c envoy.yaml',
  },
  { name: "access-log", summary: "log a line for each exchange", start: "proxy-wasm serve" },
];

/** What a project is to be. */
export interface ProjectOptions {
  readonly template: Template;
  /** The name in its package.json. */
  readonly name: string;
  /** The program that its README names: `npm`, `pnpm`, …. */
  readonly packageManager: string;
}

/** The files of a project: their paths in it, with `/`, and what is in them. */
export async function projectFiles({ template, name, packageManager }: ProjectOptions): Promise<Map<string, string>> {
  const root = join(packageRoot(), "templates");
  const { "about.md": about, ...files } = {
    ...(await filesIn(join(root, "common"))),
    ...(await filesIn(join(root, template.name))),
  };
  const readme = files["README.md"]!.replace("{{name}}", () => name).replace("{{about}}", () => about!.trim());
  const commands = (text: string): string => text.replaceAll(/\bnpm (?=test|start|run)/g, `${packageManager} `);
  return new Map([
    ["package.json", packageJson(template, name)],
    ["README.md", commands(readme)],
    ...Object.entries(files).flatMap(([path, text]): [string, string][] =>
      // npm leaves .gitignore out of packages.
      path === "README.md" ? [] : [[path === "_gitignore" ? ".gitignore" : path, text]],
    ),
  ]);
}

async function filesIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return Object.fromEntries(files.map((file, i) => [relative(folder, file).split(sep).join("/"), texts[i]!]));
}

function packageJson({ start, scripts }: Template, name: string): string {
  const { version, peerDependencies } = readPackageJson();
  const { assemblyscript, vitest } = peerDependencies;
  const project = {
    name,
    version: "0.0.0",
    private: true,
    type: "module",
    scripts: { build: "proxy-wasm build", start: `proxy-wasm build && ${start}`, ...scripts, test: "vitest run" },
    devDependencies: { assemblyscript, "proxy-wasm": `^${version}`, vitest },
  };
  return `${JSON.stringify(project, null, 2)}\n`;
}
