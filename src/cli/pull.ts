// `proxy-wasm pull`: the module out of an image.

import { Command } from "commander";

import { examine, oneLine } from "../oci/acceptance.ts";
import { digestOf, hexOf } from "../oci/descriptor.ts";
import { CommandError } from "./errors.ts";
import { type AccessFlags, addAccessOptions, openSource } from "./registry-access.ts";
import type { Streams } from "./streams.ts";
import { checkFree, writeWhole } from "./write-whole.ts";

interface PullFlags extends AccessFlags {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** The command. */
export function pullCommand(streams: Streams): Command {
  const command = new Command("pull")
    .description("Get the filter out of an image.")
    .argument("<image>", "a reference, or a layout's folder or tar file")
    .option("-o, --output <file>", "where the module goes", "plugin.wasm")
    .option("--force", "replace the file that is there")
    .option("-q, --quiet", "print nothing but what is wrong")
    .option("--json", "print the digests as JSON");
  return addAccessOptions(command)
    .addHelpText("after", examples)
    .action((image: string, flags: PullFlags) => run(image, flags, streams));
}

const examples = `
Examples:
  proxy-wasm pull ghcr.io/acme/my-filter:1.0.0
  proxy-wasm pull build/image.tar --output build/packaged.wasm`;

async function run(image: string, flags: PullFlags, streams: Streams): Promise<void> {
  const { output } = flags;
  const place = { force: flags.force ?? false, flag: "--output" };
  await checkFree(output, place);
  const { source } = await openSource(image, flags, streams);
  const { digest, module, verdicts } = await examine(source);
  if (!module) {
    throw new CommandError(
      `${source.name} holds no filter that a proxy would find: ${oneLine(verdicts[0]!.error!)}; an image that proxy-wasm package makes of the module does`,
    );
  }
  await writeWhole(output, module, place);
  const report = { output, manifestDigest: digest, moduleSha256: hexOf(digestOf(module)), moduleBytes: module.length };
  const text = `${output}  ${report.moduleSha256}, ${module.length} bytes, from ${digest}\n`;
  if (flags.json) streams.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else if (!flags.quiet) streams.stdout.write(text);
}
