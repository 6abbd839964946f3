// `proxy-wasm envoy`: the same filters in a real Envoy.

import { Command } from "commander";

import { addFilterFlags } from "./filter-flags.ts";
import type { EnvoyFlags } from "./envoy/flags.ts";
import type { Streams } from "./streams.ts";

/** The command. */
export function envoyCommand(streams: Streams): Command {
  return addFilterFlags(new Command("envoy").description("Run compiled filters in a real Envoy."))
    .option("--print", "write Envoy's configuration to stdout and start nothing")
    .option("-q, --quiet", "write nothing but what the filters log and what goes wrong")
    .option("--no-watch", "do not compile the filters and start Envoy again when a file changes")
    .addHelpText("after", examples)
    .action(async (modules: string[], flags: EnvoyFlags) => {
      const { run } = await import("./envoy/run.ts");
      await run(modules, flags, streams);
    });
}

const examples = `
Envoy is looked for in ENVOY_PATH, PATH, .venv/bin and the folder of func-e.

Exit codes: 0 ended by Ctrl-C; 1 there is no Envoy, or it does not start, or ends; 2 used wrongly.

Examples:
  proxy-wasm envoy
  proxy-wasm envoy build/debug.wasm --upstream http://localhost:3000 --log-level debug
  proxy-wasm envoy --config @config.json --cluster auth=http://localhost:4000
  proxy-wasm envoy --print > envoy.yaml && envoy --mode validate -c envoy.yaml`;
