// `proxy-wasm manifest`: what a proxy or a control plane reads to run the filter.

import { Argument, Command } from "commander";

import { readFacts } from "../check/facts.ts";
import { loadFilter } from "../manifest/load.ts";
import { targets } from "../manifest/targets.ts";
import { MAX_MODULE_BYTES } from "../oci/descriptor.ts";
import { readLimited } from "../oci/files.ts";
import { knowing } from "./completion/words.ts";
import { CommandError, UsageError } from "./errors.ts";
import { printable } from "./printable.ts";
import type { Streams } from "./streams.ts";
import { chooseTargets, judgeAll, refusalText } from "./verdicts.ts";
import { writeWhole } from "./write-whole.ts";

interface ManifestFlags {
  readonly file: string;
  readonly image?: string;
  readonly reference?: string;
  readonly pin: boolean;
  readonly out?: string;
  readonly force?: boolean;
}

const width = Math.max(...targets.map(({ name }) => name.length));

const help = `
Targets:
${targets.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n")}

Images are pinned by their digest: the one in the reference, or that of build/image, which push pushed.

Examples:
  proxy-wasm manifest istio | kubectl apply -f -
  proxy-wasm manifest istio --reference "$(proxy-wasm push ghcr.io/acme/my-filter:1.0.0)"
  proxy-wasm manifest envoy --out deploy/envoy.yaml`;

/** The command. */
export function manifestCommand(streams: Streams): Command {
  return new Command("manifest")
    .description("Write from proxy-wasm.json what a proxy reads to run the filter.")
    .addArgument(
      knowing(
        new Argument("<target>", "for what"),
        targets.map(({ name }) => name),
      ),
    )
    .option("-f, --file <file>", "what is known of the filter", "proxy-wasm.json")
    .option("-r, --reference <image>", "the image, in place of the one in proxy-wasm.json")
    .option("-i, --image <path>", "the pushed image on disk, whose digest is pinned: build/image without")
    .option("--no-pin", "leave the image's digest out")
    .option("-o, --out <file>", "write to a file, not to stdout")
    .option("--force", "replace the file that is there")
    .addHelpText("after", help)
    .action((target: string, flags: ManifestFlags) => run(target, flags, streams));
}

async function run(name: string, flags: ManifestFlags, { stdout, stderr }: Streams): Promise<void> {
  const { file, image: layout, reference, pin, out, force = false } = flags;
  const target = targets.find((target) => target.name === name);
  if (!target) {
    throw new UsageError(`there is no target "${name}"; there are ${targets.map((target) => target.name).join(", ")}`);
  }
  if (!pin && layout !== undefined) throw new UsageError("--image is there to pin its digest, and --no-pin pins none");
  const warn = (text: string): void => void stderr.write(`warning: ${printable(text)}\n`);
  const { filter, places } = await loadFilter(target, { file, layout, reference, pin }, warn);
  for (const warning of await judgeModule(filter.module, target.place)) warn(warning);
  const text = target.write(filter, places);
  if (out === undefined) stdout.write(text);
  else await writeWhole(out, text, { force, flag: "--out" });
}

/** Refuses a module that no version of a proxy would take, when there is one; gives what to know of it otherwise. */
async function judgeModule(module: string, proxy: string): Promise<string[]> {
  const bytes = await readLimited(module, MAX_MODULE_BYTES);
  if (!bytes) return [];
  const { facts } = await readFacts(bytes, module);
  const { verdicts, refusing, isRefused } = judgeAll(facts, chooseTargets([proxy]));
  if (isRefused) throw new CommandError(refusalText(module, refusing));
  const limits = verdicts[0]!.limits.map(({ message }) => `${verdicts[0]!.target}: ${printable(message)}`);
  return [...(refusing.length ? [refusalText(module, refusing)] : []), ...limits];
}
