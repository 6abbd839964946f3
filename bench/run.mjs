// Measures and writes results.md.
// Usage: node bench/run.mjs            the filters side by side, the host, the command line, images
//        node bench/run.mjs --envoy    CPU per request in a real Envoy
//        node bench/run.mjs --soak     memory and pauses over ten million streams
//        node bench/run.mjs --only "Serving"    one of the sections that a script beside this one prints

import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { writeSection } from "./results.mjs";

const scripts = {
  "The host": ["host.mjs", "--expose-gc"],
  Serving: ["serve.mjs"],
  "The command line": ["cli.mjs"],
  "Packaging and pushing": ["oci.mjs"],
};

const [flag, only] = process.argv.slice(2);
const command = `npm run bench${flag ? ` -- ${flag}` : ""}${only ? ` "${only}"` : ""}`;

if (flag === "--envoy") await (await import("./envoy.mjs")).envoyCost(command);
else if (flag === "--soak") await (await import("./soak.mjs")).soak(command);
else {
  if (flag === "--only" && !Object.hasOwn(scripts, only)) {
    throw new Error(`--only takes one of: ${Object.keys(scripts).join(", ")}`);
  }
  if (flag !== "--only") await (await import("./side-by-side.mjs")).sideBySide(command);
  for (const [title, script] of Object.entries(scripts)) {
    if (flag !== "--only" || title === only) await writeSection(title, command, linesOf(...script));
  }
}

/** What a script beside this one prints. */
function linesOf(script, ...flags) {
  const lines = execFileSync(process.execPath, [...flags, join(import.meta.dirname, script)], { encoding: "utf8" });
  return `\`\`\`text\n${lines.trim()}\n\`\`\``;
}
