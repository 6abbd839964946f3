// The command line as a function: arguments in, exit code out.

import { Command, CommanderError } from "commander";

import { LoadError } from "../error.ts";
import { ManifestError } from "../manifest/error.ts";
import { ImageError } from "../oci/error.ts";
import { commands } from "./commands.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readPackageJson } from "./package-root.ts";
import { printableLines } from "./printable.ts";
import type { Streams } from "./streams.ts";

const exitCodes = `
Exit codes: 0 done; 1 it failed, or a proxy would refuse the module; 2 the command was used wrongly;
130 Ctrl-C, 143 SIGTERM came before it was done.`;

/** Runs a command line; `args` are the words behind the program's name. Gives 0, 1 (failed) or 2 (used wrongly). */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const program = new Command("proxy-wasm")
    .description("Write proxy-wasm filters in AssemblyScript, test them, serve them, ship them.")
    .usage("<command> [options]")
    .version(readPackageJson().version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this, or the help of a command")
    .helpCommand("help [command]", "the same")
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText("after", exitCodes);
  const named = args.find((word) => commands.some(({ name }) => name === word));
  for (const { name, summary, load } of commands) {
    program.addCommand(name === named ? (await load())(streams).summary(summary) : new Command(name).summary(summary));
  }
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showHelpAfterError("(--help shows what there is)")
      .configureOutput({
        writeOut: (text) => streams.stdout.write(text),
        writeErr: (text) => streams.stderr.write(text),
        // Help texts are golden files: as wide everywhere.
        getOutHelpWidth: () => 100,
        getErrHelpWidth: () => 100,
      });
  }
  if (!args.length) {
    program.outputHelp();
    return 2;
  }
  // Of what there is no help for, commander says nothing.
  const isUnknown = args[0] === "help" && args.length > 1 && named === undefined && !args[1]!.startsWith("-");
  try {
    await program.parseAsync(isUnknown ? args.slice(1) : args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if ([LoadError, ImageError, ManifestError, CommandError, UsageError].some((type) => error instanceof type)) {
      // It may quote a registry, a module or a file.
      streams.stderr.write(`error: ${printableLines((error as Error).message)}\n`);
      return error instanceof UsageError ? 2 : 1;
    }
    throw error;
  }
}
