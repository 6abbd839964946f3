// `proxy-wasm gaps`: what the host of the tests and of `serve` does not do as a real one, and why.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { Command } from "commander";

import { packageRoot } from "./package-root.ts";
import type { Streams } from "./streams.ts";

/** The command. */
export function gapsCommand(streams: Streams): Command {
  return new Command("gaps")
    .description(
      "List what the host that tests and serve run filters on does not do as a real proxy does, and why.\n\n" +
        "What is missing answers Unimplemented (12). An entry that begins with conformance: is a recorded exchange in " +
        "which this host and Envoy differ.",
    )
    .option("--json", "print it as a JSON object: what is missing, and why")
    .addHelpText("after", examples)
    .action(async (flags: { json?: boolean }) => {
      const gaps = await knownGaps();
      streams.stdout.write(flags.json ? `${JSON.stringify(gaps, null, 2)}\n` : report(gaps));
    });
}

const examples = `
Examples:
  proxy-wasm gaps
  proxy-wasm gaps --json`;

/** What is missing, and why. */
async function knownGaps(): Promise<Record<string, string>> {
  const text = await readFile(join(packageRoot(), "test/known-gaps.json"), "utf8");
  return JSON.parse(text) as Record<string, string>;
}

function report(gaps: Readonly<Record<string, string>>): string {
  return Object.entries(gaps)
    .map(([what, why]) => `${what}\n${wrapped(why)}\n`)
    .join("\n");
}

/** The columns that a line has. */
const WIDTH = 100;

/** A text in indented lines. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && `  ${lines.at(-1)} ${word}`.length > WIDTH) lines.push("");
    lines.push(`${lines.pop()!} ${word}`.trimStart());
  }
  return lines.map((line) => `  ${line}`).join("\n");
}
