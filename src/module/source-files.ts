// Where the sources of a module are, which asc names by their path from the folder it ran in, or from `node_modules`.

import { nodeFs, nodeUrl } from "../node-modules.ts";

/** The address of a module by its path. Needs Node. */
export function addressOf(module: string | URL): URL {
  return typeof module === "string" ? nodeUrl()!.pathToFileURL(module) : module;
}

/** The file that a source map names, looked for from the module's folder upwards; undefined when there is none. */
export function sourceFile(source: string, module: URL): URL | undefined {
  const path = source.replace(/^~lib\//, "node_modules/");
  for (let folder = new URL(".", module); ; folder = new URL("..", folder)) {
    const file = new URL(path, folder);
    if (nodeFs()!.existsSync(file)) return file;
    if (folder.pathname === "/") return undefined;
  }
}

/** The path of a file by its address. Needs Node. */
export function pathOf(file: URL): string {
  return nodeUrl()!.fileURLToPath(file);
}
