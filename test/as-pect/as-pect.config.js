// Paths are relative to this folder: npm runs the script here.

import { readdirSync } from "node:fs";

const specs = "../../assembly/__tests__";

// as-pect is content with no tests at all; an empty run would look like a pass.
if (!readdirSync(specs).some((name) => name.endsWith(".spec.ts"))) throw new Error(`no *.spec.ts in ${specs}`);

export default {
  entries: [`${specs}/*.spec.ts`],
  include: [],
  disclude: [],
  instantiate: (memory, createImports, instantiate, binary) =>
    instantiate(binary, createImports({ env: { memory, proxy_log: () => 0 } })),
  outputBinary: false,
};
