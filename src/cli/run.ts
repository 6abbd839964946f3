// The command line as a function: arguments in, exit code out.

import { createRequire } from "node:module";

import { Command, CommanderError } from "commander";

import { LoadError } from "../error.ts";
import { ManifestError } from "../manifest/error.ts";
import { ImageError } from "../oci/error.ts";
import { CommandError, UsageError } from "./errors.ts";
import { printableLines } from "./printable.ts";
import type { Streams } from "./streams.ts";

/** Makes a command. */
type CommandFactory = (streams: Streams) => Command;

/** The commands: what each is for, and where it is, since a command line needs one of them. */
const commands: readonly { name: string; summary: string; load(): Promise<CommandFactory> }[] = [
  { name: "init", summary: "make a new project", load: async () => (await import("./init.ts")).initCommand },
  { name: "build", summary: "compile a project's filter", load: async () => (await import("./build.ts")).buildCommand },
  { name: "check", summary: "say where a module loads", load: async () => (await import("./check.ts")).checkCommand },
  { name: "serve", summary: "serve HTTP with a filter", load: async () => (await import("./serve.ts")).serveCommand },
  { name: "envoy", summary: "serve it with a real Envoy", load: async () => (await import("./envoy.ts")).envoyCommand },
  {
    name: "run-cases",
    summary: "run exchanges that a file describes",
    load: async () => (await import("./run-cases.ts")).runCasesCommand,
  },
  {
    name: "inspect",
    summary: "say what is in a module",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
  {
    name: "package",
    summary: "make an image of a filter",
    load: async () => (await import("./package.ts")).packageCommand,
  },
  { name: "push", summary: "push an image to a registry", load: async () => (await import("./push.ts")).pushCommand },
  {
    name: "verify",
    summary: "say whether proxies load an image",
    load: async () => (await import("./verify.ts")).verifyCommand,
  },
  {
    name: "manifest",
    summary: "write what a proxy reads to run a filter",
    load: async () => (await import("./manifest.ts")).manifestCommand,
  },
  { name: "pull", summary: "get a filter out of an image", load: async () => (await import("./pull.ts")).pullCommand },
];

const exitCodes = `
Exit codes: 0 done; 1 it failed, or a proxy would refuse the module; 2 the command was used wrongly.`;

/** Runs a command line; `args` are the words behind the program's name. Gives 0, 1 (failed) or 2 (used wrongly). */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const program = new Command("proxy-wasm")
    .description("Write proxy-wasm filters in AssemblyScript, test them, serve them, ship them.")
    .usage("<command> [options]")
    .version(version(), "-V, --version", "print the version")
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
  try {
    await program.parseAsync(args, { from: "user" });
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

function version(): string {
  return (createRequire(import.meta.url)("proxy-wasm/package.json") as { version: string }).version;
}
