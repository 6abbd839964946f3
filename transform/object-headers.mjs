// Finds the libraries that read what asc's own runtimes write before each object: the runtime of the SDK writes something
// else there, and nothing would say so.

import { NodeKind } from "assemblyscript";
import { libraryFiles } from "assemblyscript/asc";

import { SDK } from "./contexts.mjs";

/** What describes that header. */
const HEADER = "~lib/rt/common";

/** The names of the sources that import it, other than asc's own and the SDK's. */
export function headerReaders(sources) {
  return sources
    .filter(({ internalPath }) => !internalPath.startsWith(SDK) && !isOfCompiler(internalPath))
    .filter(({ statements }) =>
      statements.some(({ kind, internalPath }) => kind === NodeKind.Import && internalPath === HEADER),
    )
    .map(({ normalizedPath }) => normalizedPath);
}

function isOfCompiler(internalPath) {
  return Object.hasOwn(libraryFiles, internalPath.replace(/^~lib\//, ""));
}
