// What `run-cases` does: runs the cases of files, and tells what is not as expected, and where that stands.

import { dirname, resolve } from "node:path";

import { EnvoyFault, LoadError, StreamError } from "../../error.ts";
import { makeColors } from "../colors.ts";
import { CommandError, UsageError } from "../errors.ts";
import { readConfig } from "../filter-flags.ts";
import { printable, printableJson, printableLines } from "../printable.ts";
import type { RunCasesFlags } from "./flags.ts";
import type { Streams } from "../streams.ts";
import type { Case } from "./cases.ts";
import { type CasesFile, readCases, readSchema } from "./document.ts";
import { Inputs } from "./inputs.ts";
import { runCase } from "./run-case.ts";

/** Runs the command; a `CommandError` when a case fails. */
export async function run(files: readonly string[], flags: RunCasesFlags, streams: Streams): Promise<void> {
  if (flags.schema) return void streams.stdout.write(await readSchema());
  if (!files.length) throw new UsageError("a file with cases is missing, such as cases.yaml");
  // All files are read before anything is run: what is wrong in one is told at once.
  const read = await Promise.all(files.map(readCases));
  let [passed, failed] = [0, 0];
  for (const file of read) {
    for (const [i, test] of file.cases.test.entries()) {
      if (flags.only !== undefined && !test.name.includes(flags.only)) continue;
      const failures = await failuresOf(file, test, i, flags);
      if (failures.length) failed++;
      else passed++;
      tell(file, test, failures, flags, streams);
    }
  }
  if (!passed && !failed) {
    throw new CommandError(
      flags.only === undefined ? "there are no cases" : `no case has ${JSON.stringify(flags.only)} in its name`,
    );
  }
  if (failed) throw new CommandError(`${failed} of ${passed + failed} cases failed`);
  if (!flags.quiet && !flags.json) streams.stdout.write(`${passed} ${passed === 1 ? "case passes" : "cases pass"}\n`);
}

/** What is not as expected in a case: lines with the place in the file. */
async function failuresOf(file: CasesFile, test: Case, index: number, flags: RunCasesFlags): Promise<string[]> {
  const path = ["test", index];
  const { env = {} } = file.cases;
  const folder = dirname(file.file);
  const module = flags.module ?? (env.wasm_path === undefined ? "build/release.wasm" : resolve(folder, env.wasm_path));
  try {
    const config =
      flags.config ?? (env.config_path === undefined ? (env.config ?? "") : `@${resolve(folder, env.config_path)}`);
    const options = {
      module,
      env,
      inputs: new Inputs(folder),
      config: await readConfig({ module, name: "", rootId: "", config }),
    };
    const mismatches = await runCase(test, path, options);
    return mismatches.map((one) => `${file.where(one.path)}: ${one.text}`);
  } catch (error) {
    const isTold = [LoadError, CommandError, StreamError, EnvoyFault].some((kind) => error instanceof kind);
    if (!isTold) throw error;
    return [`${file.where(path)}: ${(error as Error).message}`];
  }
}

function tell(
  { file }: CasesFile,
  test: Case,
  failures: readonly string[],
  { json, quiet }: RunCasesFlags,
  { stdout, color }: Streams,
): void {
  if (quiet && !failures.length) return;
  if (json) {
    stdout.write(`${printableJson({ file, name: test.name, passed: !failures.length, failures }, 0)}\n`);
    return;
  }
  const c = makeColors(color?.stdout);
  const name = printable(test.name);
  const lines = failures.map((failure) => `    ${printableLines(failure).replaceAll("\n", "\n    ")}\n`);
  if (failures.length) stdout.write(`${c.red("✗")} ${name}\n${lines.join("")}`);
  else stdout.write(`${c.green("✓")} ${name}\n`);
}
