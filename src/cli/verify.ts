// `proxy-wasm verify`: whether proxies would load an image, and why not.

import { Command, InvalidArgumentError, Option } from "commander";

import { type Consumer, consumers, examine, type Examination, type Verdict } from "../oci/acceptance.ts";
import { digestOf, hexOf } from "../oci/descriptor.ts";
import { CommandError } from "./errors.ts";
import { judgeModule, type ModuleVerdict } from "./judge-image.ts";
import { printableJson, printableLines } from "./printable.ts";
import { type AccessFlags, addAccessOptions, openSource } from "./registry-access.ts";
import type { Streams } from "./streams.ts";

interface VerifyFlags extends AccessFlags {
  readonly for?: keyof typeof consumers;
  readonly sha256?: string;
  readonly json?: boolean;
}

/** The command. */
export function verifyCommand(streams: Streams): Command {
  const command = new Command("verify")
    .description("Say whether Istio, Envoy Gateway and Higress would load an image, whoever made it.")
    .argument("[image]", "a reference, or a layout's folder or tar file", "build/image")
    .addOption(new Option("--for <consumer>", "look at one of them only").choices(Object.keys(consumers)))
    .addOption(new Option("--sha256 <digits>", "what a manifest pins in sha256").argParser(parseSha256))
    .option("-q, --quiet", "print nothing but refusals")
    .option("--json", "print the verdicts as JSON");
  return addAccessOptions(command)
    .addHelpText("after", examples)
    .action((image: string, flags: VerifyFlags) => run(image, flags, streams));
}

const examples = `
Examples:
  proxy-wasm verify
  proxy-wasm verify ghcr.io/acme/my-filter:1.0.0 --for istio
  proxy-wasm verify build/image.tar --json`;

function parseSha256(text: string): string {
  const digits = text.replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/.test(digits)) return digits;
  throw new InvalidArgumentError("64 digits of 0-9a-f are expected.");
}

async function run(image: string, flags: VerifyFlags, streams: Streams): Promise<void> {
  const { source, reference, repository } = await openSource(image, flags, streams);
  const found = await examine(source, {
    pin: flags.sha256 ?? (reference?.digest && hexOf(reference.digest)),
    registryProblem: () => repository?.istioProblem,
  });
  const wanted: Consumer | undefined = flags.for && consumers[flags.for];
  const module = found.module && { bytes: found.module, sha256: hexOf(digestOf(found.module)) };
  const judged = module ? await judgeModule(module.bytes, `the module of ${source.name}`) : [];
  const verdicts = found.verdicts
    .filter(({ consumer }) => wanted === undefined || consumer === wanted)
    .map(({ consumer, error }) => ({ consumer, error, module: judged.find((one) => one.consumer === consumer) }));
  const report = {
    image: source.name,
    ...(found.digest !== undefined && { manifestDigest: found.digest }),
    ...(found.indexDigest !== undefined && { indexDigest: found.indexDigest }),
    ...(module && { moduleSha256: module.sha256, moduleBytes: module.bytes.length }),
    verdicts: verdicts.map((verdict) => ({
      consumer: verdict.consumer,
      loads: loads(verdict),
      error: verdict.error,
      moduleError: verdict.module?.error,
    })),
  };
  const refusing = verdicts.filter((verdict) => !loads(verdict));
  for (const { error, module } of verdicts) {
    if (error === undefined && module?.warning !== undefined) streams.stderr.write(`warning: ${module.warning}\n`);
  }
  if (flags.json) streams.stdout.write(`${printableJson(report)}\n`);
  else if (!flags.quiet || refusing.length) streams.stdout.write(reportText(found, verdicts, module?.sha256));
  if (!refusing.length) return;
  const names = refusing.map(({ consumer }) => consumer).join(", ");
  const remedies = refusing.some(({ error }) => error !== undefined)
    ? remedy(found, flags, module?.sha256)
    : "; the image is as it should be, the module in it is not: proxy-wasm pull gets it out, proxy-wasm check says more";
  throw new CommandError(`${source.name} would not load in ${names}${remedies}`);
}

/** What a consumer makes of the image, and its Envoy of the module in it. */
interface FullVerdict extends Verdict {
  readonly module: ModuleVerdict | undefined;
}

function loads({ error, module }: FullVerdict): boolean {
  return error === undefined && module?.error === undefined;
}

function reportText(
  { digest, indexDigest, module }: Examination,
  verdicts: readonly FullVerdict[],
  moduleSha256: string | undefined,
): string {
  const lines = [
    ...(digest === undefined ? [] : [`manifest       ${digest}`]),
    ...(indexDigest === undefined ? [] : [`index          ${indexDigest}, which cannot be pinned`]),
    ...(module ? [`module         ${moduleSha256}, ${module.length} bytes`] : []),
    ...verdicts.map((verdict) => `${verdict.consumer.padEnd(13)}  ${says(verdict)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function says({ error, module }: FullVerdict): string {
  if (error === undefined && module?.error === undefined) return "loads it";
  const why = printableLines((error ?? module!.error!).trimEnd()).replaceAll("\n", "\n    ");
  return error === undefined ? `fetches it, Envoy refuses it: ${why}` : `refuses it: ${why}`;
}

/** What to do about it. */
function remedy(found: Examination, { sha256 }: VerifyFlags, moduleSha256: string | undefined): string {
  if (sha256 !== undefined && sha256 === moduleSha256) {
    return `; ${sha256} is the module's own digest: with oci:// sha256 is the manifest's, ${found.digest}`;
  }
  if (!found.module) return "; an image that proxy-wasm package makes would";
  if (found.verdicts.some(({ error }) => error?.includes("unsafe bearer realm"))) {
    return "; it answers a registry that asks for no login, or for a token of a public https address";
  }
  return `; pin ${found.digest}`;
}
