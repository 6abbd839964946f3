// `proxy-wasm serve`: filters in front of real HTTP.

import { Command, Option } from "commander";

import { addFilterFlags, parsePort } from "./filter-flags.ts";
import type { ServeFlags } from "./serve/flags.ts";
import type { Streams } from "./streams.ts";

/** The command. */
export function serveCommand(streams: Streams): Command {
  return addFilterFlags(new Command("serve").description("Put compiled filters in front of an HTTP server."))
    .option("-t, --trace", "write every callback and host call, as JSON Lines when stdout is no terminal")
    .option("--json", "write the trace as JSON Lines to a terminal too")
    .option("-q, --quiet", "write nothing of exchanges that go well")
    .addOption(
      new Option("-i, --inspect [port]", "show exchanges in a browser, and metrics, on a port of their own").argParser(
        parsePort,
      ),
    )
    .option("--no-watch", "do not compile and load the filters again when a file changes")
    .addHelpText("after", examples)
    .action(async (modules: string[], flags: ServeFlags) => {
      const { run } = await import("./serve/run.ts");
      await run(modules, flags, streams);
    });
}

const examples = `
Exit codes: 0 ended by Ctrl-C; 1 a filter cannot be loaded, or the port is in use; 2 used wrongly.

Examples:
  proxy-wasm serve
  proxy-wasm serve build/debug.wasm --upstream http://localhost:3000 --trace
  proxy-wasm serve --config '{"value":"blue"}' --port 0
  proxy-wasm serve --config @config.json --cluster auth=http://localhost:4000 --inspect
  proxy-wasm serve build/auth.wasm build/tag.wasm --config @auth.json --config blue`;
