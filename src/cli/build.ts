// `proxy-wasm build`: a project's filter, compiled and checked; with --watch again whenever a file of it changes.

import { join, relative } from "node:path";

import { Command, Option } from "commander";

import { abiOf, readFacts } from "../check/facts.ts";
import { remarks } from "../check/judge.ts";
import type { Target } from "../check/targets.ts";
import { type Compilation, compile, CONFIG } from "../compile.ts";
import { readBytes } from "../module/read-file.ts";
import { asconfigs, DEFAULT_TARGET } from "./asconfig.ts";
import { knowing } from "./completion/words.ts";
import { CommandError } from "./errors.ts";
import { printable, printableJson, printableLines } from "./printable.ts";
import type { Streams } from "./streams.ts";
import { chooseTargets, judgeAll, refusalText, targetNames } from "./verdicts.ts";

interface BuildFlags {
  readonly target: readonly string[];
  readonly small?: boolean;
  readonly watch?: boolean;
  readonly for?: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The command. */
export function buildCommand(streams: Streams): Command {
  return new Command("build")
    .description("Compile a project's filter with its asconfig.json, and check which proxies would take it.")
    .argument("[folder]", "the project", ".")
    .argument("[asc-options...]", "behind --, further options for asc")
    .option("-t, --target <names...>", "targets of asconfig.json", [DEFAULT_TARGET])
    .option("--small", "optimize for size until nothing gets smaller; takes longer")
    .option("-w, --watch", "compile again whenever a file of the filter changes, until Ctrl-C")
    .addOption(
      knowing(
        new Option("--for <proxies...>", "proxies that have to take the module; proxy-wasm check --help lists them"),
        targetNames(),
      ),
    )
    .option("--json", "print a line of JSON for each module")
    .option("-q, --quiet", "print nothing but what is wrong")
    .addHelpText("after", examples)
    .action((folder: string, words: string[], flags: BuildFlags) =>
      // `build -- --noAssert` is about the project here.
      folder.startsWith("-") ? run(".", [folder, ...words], flags, streams) : run(folder, words, flags, streams),
    );
}

const examples = `
Exit codes: 0 compiled, and taken by the proxies of --for; 1 it does not compile, or is refused; 2 used wrongly.

Examples:
  proxy-wasm build
  proxy-wasm build --target debug release --for istio
  proxy-wasm build --watch
  proxy-wasm build -- --noAssert`;

/** What --small adds. */
const smaller = ["--optimizeLevel", "3", "--shrinkLevel", "2", "--converge"];

async function run(folder: string, words: readonly string[], flags: BuildFlags, streams: Streams): Promise<void> {
  await checkTargets(folder, flags.target);
  const proxies = chooseTargets(flags.for);
  const asc = [...(flags.small ? smaller : []), ...words];
  const build = (): Promise<Compilation[]> => buildAll(folder, asc, flags, proxies, streams);
  if (!flags.watch) return void (await build());
  const { watchSources } = await import("./watch.ts");
  const attempt = async (): Promise<readonly string[]> => {
    try {
      return (await build()).flatMap(({ sources }) => sources);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      streams.stderr.write(`error: ${printableLines(error.message)}\n`);
      return error.sources;
    }
  };
  const builtAt = Date.now();
  const sources = await attempt();
  const onReady = (): void => {
    if (!flags.quiet && !flags.json) streams.stdout.write("Watching the filter's files. Stop it: Ctrl-C\n");
  };
  await watchSources({ folder, sources, builtAt, onReady, onChange: attempt }, streams.signal);
}

/** The filter does not compile, or is refused: what it was made of is watched on. */
class BuildError extends CommandError {
  readonly sources: readonly string[];

  constructor(message: string, sources: readonly string[]) {
    super(message);
    this.sources = sources;
  }
}

/** Refuses targets that no configuration has: asc would compile them as if they had no options of their own. */
async function checkTargets(folder: string, names: readonly string[]): Promise<void> {
  const known = new Set<string>();
  let hasOutFile = false;
  const isMissing = (name: string): boolean => !known.has(name) && !(name === DEFAULT_TARGET && hasOutFile);
  for await (const { targets, options } of asconfigs(folder)) {
    for (const name of Object.keys(targets)) known.add(name);
    hasOutFile ||= options.outFile !== undefined;
    if (!names.some(isMissing)) return;
  }
  const has = [...known].join(", ") || "none";
  throw new CommandError(`${join(folder, CONFIG)} has no target "${names.find(isMissing)}"; it has: ${has}`);
}

async function buildAll(
  folder: string,
  flags: readonly string[],
  { target: names, for: chosen, json, quiet }: BuildFlags,
  proxies: readonly Target[],
  streams: Streams,
): Promise<Compilation[]> {
  const compilations: Compilation[] = [];
  for (const target of names) {
    if (streams.isTerminal && !json && !quiet) streams.stdout.write(`Compiling the target ${target} …\n`);
    const start = performance.now();
    const compilation = await compile({ folder, target, flags });
    const { module, error, messages, sources } = compilation;
    streams.stderr.write(printableLines(messages));
    const project = relative("", folder) || "the filter";
    if (module === undefined) throw new BuildError(`${project} does not compile: ${error}`, sources);
    const milliseconds = Math.round(performance.now() - start);
    const name = relative("", module);
    const { facts } = await readFacts(await readBytes(module), name);
    const { verdicts, refusing, isRefused } = judgeAll(facts, proxies);
    const { bytes } = facts;
    const abi = abiOf(facts) ?? null;
    if (json) {
      const line = { module: name, target, bytes, abi, milliseconds, remarks: remarks(facts), verdicts };
      streams.stdout.write(`${printableJson(line, 0)}\n`);
    } else if (!quiet) {
      const time = `${(milliseconds / 1000).toFixed(1)} s`;
      streams.stdout.write(`${name}: ${bytes.toLocaleString("en-US")} bytes, ABI ${abi ?? "none"}, in ${time}\n`);
    }
    for (const { message } of remarks(facts)) streams.stderr.write(`warning: ${printable(message)}\n`);
    if (isRefused || (chosen && refusing.length)) throw new BuildError(refusalText(name, refusing), sources);
    compilations.push(compilation);
  }
  return compilations;
}
