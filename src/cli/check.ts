// `proxy-wasm check`: which proxies would take a module, and what stands in the way.

import { Command, Option } from "commander";

import { abiOf, readFacts } from "../check/facts.ts";
import { type ModuleFacts, remarks, type Verdict } from "../check/judge.ts";
import { familyOf, targets, targetsOf } from "../check/targets.ts";
import { readBytes } from "../module/read-file.ts";
import { knowing } from "./completion/words.ts";
import { CommandError } from "./errors.ts";
import { printable, printableJson } from "./printable.ts";
import type { Streams } from "./streams.ts";
import { chooseTargets, judgeAll, refusalText, targetNames, titles } from "./verdicts.ts";

interface CheckFlags {
  readonly for?: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The command. */
export function checkCommand(streams: Streams): Command {
  return new Command("check")
    .description(
      "Say which proxies would take a module, of whatever language, and what stands in the way.\n\n" +
        "loads    it is taken\n" +
        "limited  it is taken, and part of what it uses does nothing there\n" +
        "refused  the proxy would not start with it",
    )
    .argument("[module]", "the compiled filter", "build/release.wasm")
    .addOption(
      knowing(
        new Option("--for <proxies...>", "only these proxies: a name, or all of a family (envoy, istio)"),
        targetNames(),
      ),
    )
    .option("--json", "print the verdicts as JSON")
    .option("-q, --quiet", "print nothing but refusals")
    .addHelpText("after", `\nProxies, by family:\n${familyLines()}\n${examples}`)
    .action((module: string, flags: CheckFlags) => run(module, flags, streams));
}

const examples = `
Exit codes: 0 taken by the proxies of --for, or by some proxy without it; 1 refused, or no module; 2 used wrongly.

Examples:
  proxy-wasm check
  proxy-wasm check build/release.wasm --for istio kong-3.9
  proxy-wasm check filter.wasm --json`;

async function run(module: string, flags: CheckFlags, streams: Streams): Promise<void> {
  const chosen = chooseTargets(flags.for);
  const { facts } = await readFacts(await readBytes(module), module);
  const { verdicts, refusing, isRefused } = judgeAll(facts, chosen);
  if (flags.json) streams.stdout.write(`${printableJson(toJson(module, facts, verdicts))}\n`);
  else if (!flags.quiet) streams.stdout.write(report(module, facts, verdicts, flags.for !== undefined));
  if (isRefused || (flags.for && refusing.length)) throw new CommandError(refusalText(module, refusing));
}

/** A line for each family of proxies. */
function familyLines(): string {
  const families = new Map<string, string[]>();
  for (const { id } of targets) families.set(familyOf(id), [...(families.get(familyOf(id)) ?? []), id]);
  return [...families.values()].map((ids) => `  ${ids.join("  ")}`).join("\n");
}

function toJson(module: string, facts: ModuleFacts, verdicts: readonly Verdict[]): object {
  const { bytes, memories } = facts;
  return { module, bytes, abi: abiOf(facts) ?? null, memories, remarks: remarks(facts), verdicts };
}

function report(module: string, facts: ModuleFacts, verdicts: readonly Verdict[], withNotes: boolean): string {
  const abi = abiOf(facts);
  const pages = facts.memories.map(({ initial }) => `memory from ${initial} page${initial === 1 ? "" : "s"}`);
  const head = [`${facts.bytes.toLocaleString("en-US")} bytes`, abi ? `ABI ${abi}` : "no ABI marker", ...pages];
  const rows = titles(verdicts);
  const width = Math.max(...rows.map(({ title }) => title.length));
  const lines: string[] = [];
  for (const { title, verdict } of rows) {
    lines.push(`  ${title.padEnd(width)}  ${verdict.verdict}`);
    for (const { message } of [...verdict.problems, ...verdict.limits]) lines.push(`      ${printable(message)}`);
    if (withNotes) for (const note of targetsOf(verdict.target)[0]!.notes) lines.push(`      (${note})`);
  }
  const odd = remarks(facts).map(({ message }) => `  ${printable(message)}`);
  return `${module}: ${head.join(", ")}\n\n${lines.join("\n")}\n${odd.length ? `\nNote\n${odd.join("\n")}\n` : ""}`;
}
