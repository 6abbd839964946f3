// Measures and writes results.md.
// Usage: node bench/run.mjs            the filters side by side, the host, the command line, images
//        node bench/run.mjs --envoy    CPU per request in a real Envoy
//        node bench/run.mjs --soak     memory and pauses over ten million streams

import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { writeSection } from "./results.mjs";

const [flag] = process.argv.slice(2);
const command = `npm run bench${flag ? ` -- ${flag}` : ""}`;

if (flag === "--envoy") await (await import("./envoy.mjs")).envoyCost(command);
else if (flag === "--soak") await (await import("./soak.mjs")).soak(command);
else {
  await (await import("./side-by-side.mjs")).sideBySide(command);
  await writeSection("The host", command, linesOf("host.mjs", "--expose-gc"));
  await writeSection("Serving", command, linesOf("serve.mjs"));
  await writeSection("The command line", command, linesOf("cli.mjs"));
  await writeSection("Packaging and pushing", command, linesOf("oci.mjs"));
}

/** What a script beside this one prints. */
function linesOf(script, ...flags) {
  const lines = execFileSync(process.execPath, [...flags, join(import.meta.dirname, script)], { encoding: "utf8" });
  return `\`\`\`text\n${lines.trim()}\n\`\`\``;
}
