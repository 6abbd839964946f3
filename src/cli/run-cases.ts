// `proxy-wasm run-cases`: exchanges described in YAML, run on the host.

import { Command } from "commander";

import type { RunCasesFlags } from "./cases/flags.ts";
import type { Streams } from "./streams.ts";

/** The command. */
export function runCasesCommand(streams: Streams): Command {
  return new Command("run-cases")
    .description("Put a filter through exchanges that a YAML file describes.")
    .argument("[files...]", "the files with the cases")
    .option("-m, --module <file>", "the compiled filter; what the file says, or build/release.wasm, by default")
    .option("-c, --config <text>", "the configuration, or @ and a file that holds it; what the file says by default")
    .option("--only <text>", "run the cases whose name contains this text")
    .option("--json", "write a line of JSON for each case")
    .option("-q, --quiet", "write only what fails")
    .option("--schema", "write the JSON Schema of the files, for editors")
    .addHelpText("after", examples)
    .action(async (files: string[], flags: RunCasesFlags) => {
      const { run } = await import("./cases/run.ts");
      await run(files, flags, streams);
    });
}

const examples = `
Exit codes: 0 every case passes; 1 one does not, or cannot be run; 2 the command was used wrongly.

Examples:
  proxy-wasm run-cases cases.yaml
  proxy-wasm run-cases cases/*.yaml --module build/debug.wasm --only login
  proxy-wasm run-cases --schema > cases.schema.json`;
