// The command line as a function: arguments in, exit code out.

import { Command, CommanderError } from "commander";

import { LoadError } from "../error.ts";
import { CommandError, UsageError } from "./errors.ts";
import { serveCommand } from "./serve.ts";
import type { Streams } from "./streams.ts";

/** Runs a command line; `args` are the words behind the program's name. Gives 0, 1 (failed) or 2 (used wrongly). */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const program = new Command("proxy-wasm")
    .description("write proxy-wasm filters in AssemblyScript, test them, serve them, ship them")
    .showHelpAfterError("(--help shows what there is)")
    .addCommand(serveCommand(streams));
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      // Help texts are golden files: as wide everywhere.
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof LoadError || error instanceof CommandError || error instanceof UsageError) {
      streams.stderr.write(`error: ${error.message}\n`);
      return error instanceof UsageError ? 2 : 1;
    }
    throw error;
  }
}
