// Writes the documentation of both sides of the package to build/docs. Fails when a public name has no comment, when a
// comment links to nothing, or when a type that a user meets is not exported.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { Application } from "typedoc";

import { root, sides } from "./entry-points.mjs";
import { load as showIntegers } from "./integers.mjs";

process.chdir(root);
const out = join(root, "build/docs");
await mkdir(out, { recursive: true });
const shared = {
  name: "proxy-wasm",
  sort: ["source-order"],
  excludeInternal: true,
  excludePrivate: true,
  // Links to the sources would lead to wherever this clone came from.
  disableSources: true,
  logLevel: "Warn",
};

/** Ends the run when typedoc has complained. */
function check(app) {
  if (!app.logger.hasErrors() && !app.logger.hasWarnings()) return;
  console.error("The documentation is not complete; what is wrong stands above.");
  process.exit(1);
}

/** Reads one side, and gives the file with what was found. */
async function read({ name, tsconfig, folder, entryPoints }) {
  const app = await Application.bootstrap({
    ...shared,
    name,
    tsconfig,
    entryPoints: entryPoints.map((entry) => `${folder}/${entry}.ts`),
    readme: "none",
    validation: { notDocumented: true, notExported: true, invalidLink: true },
  });
  if (folder === "assembly") showIntegers(app);
  const project = await app.convert();
  check(app);
  app.validate(project);
  check(app);
  const file = join(out, `${folder}.json`);
  await app.generateJson(project, file);
  return file;
}

const files = [];
for (const side of sides) files.push(await read(side));
const app = await Application.bootstrap({
  ...shared,
  entryPoints: files,
  entryPointStrategy: "merge",
  projectDocuments: ["docs/*.md"],
  validation: { invalidPath: false },
});
const project = await app.convert();
check(app);
await app.generateDocs(project, out);
check(app);
console.log("build/docs/index.html");
