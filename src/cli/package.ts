// `proxy-wasm package`: a compiled filter as an image that proxies load.

import { Command, Option } from "commander";

import { abiOf, readFacts } from "../check/facts.ts";
import type { Producer } from "../module/module-parts.ts";
import { consumers } from "../oci/acceptance.ts";
import { digestOf, hexOf } from "../oci/descriptor.ts";
import type { Layout } from "../oci/image.ts";
import { packageModule, pathsOf, writePackage } from "../oci/packaging.ts";
import { readBytes } from "../module/read-file.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readPackageJson } from "./package-root.ts";
import type { Streams } from "./streams.ts";
import { chooseTargets, judgeAll, refusalText } from "./verdicts.ts";

interface PackageFlags {
  readonly layout: Layout;
  readonly out: string;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** The command. */
export function packageCommand(streams: Streams): Command {
  return new Command("package")
    .description("Make an image of a compiled filter, which Istio, Envoy Gateway and Higress load.")
    .argument("[module]", "the compiled filter", "build/release.wasm")
    .addOption(
      new Option("-l, --layout <layout>", "one layer with plugin.wasm, or two layers with the bare module")
        .choices(["compat", "artifact"])
        .default("compat"),
    )
    .option("-o, --out <folder>", "where the image goes; <folder>.tar is the same in one file", "build/image")
    .option("--force", "replace files that package did not write")
    .option("-q, --quiet", "print nothing but what is wrong")
    .option("--json", "print the digests as JSON")
    .addHelpText("after", examples)
    .action((module: string, flags: PackageFlags) => run(module, flags, streams));
}

const examples = `
The same module, package.json and commit give the same image on every machine. Its time is SOURCE_DATE_EPOCH, or that of
the commit.

Examples:
  proxy-wasm package
  proxy-wasm package build/other.wasm --out build/other-image
  proxy-wasm package --layout artifact --json`;

async function run(file: string, flags: PackageFlags, streams: Streams): Promise<void> {
  const folder = flags.out.replace(/(?<=[^/\\])[/\\]+$/, "");
  if (!/[^/\\]/.test(folder)) throw new UsageError(`--out names no folder to make: ${JSON.stringify(flags.out)}`);
  const module = await readBytes(file);
  const { abi, producers } = await check(module, file, streams);
  const made = await packageModule({
    module,
    file,
    abi,
    producers,
    layout: flags.layout,
    environment: process.env,
    packager: readPackageJson().version,
  });
  const paths = pathsOf(folder);
  await writePackage(paths, made, flags.force ?? false);
  const report = {
    ...paths,
    manifestDigest: made.image.descriptor.digest,
    moduleSha256: hexOf(digestOf(module)),
    moduleBytes: module.length,
  };
  if (flags.json) streams.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else if (!flags.quiet) streams.stdout.write(reportText(report));
}

/** Refuses a module that nobody who loads images would take; warns when some would not. */
async function check(
  module: Uint8Array<ArrayBuffer>,
  file: string,
  { stderr }: Streams,
): Promise<{ abi: string; producers: readonly Producer[] }> {
  const { facts, parts } = await readFacts(module, file);
  const { refusing, isRefused } = judgeAll(facts, chooseTargets(Object.keys(consumers)));
  if (isRefused) throw new CommandError(refusalText(file, refusing));
  if (refusing.length) stderr.write(`warning: ${refusalText(file, refusing)}\n`);
  return { abi: abiOf(facts) ?? "0.2.1", producers: parts.producers };
}

function reportText(report: {
  layout: string;
  manifestDigest: string;
  moduleSha256: string;
  moduleBytes: number;
}): string {
  const { layout, manifestDigest, moduleSha256, moduleBytes } = report;
  return (
    `${layout} and ${layout}.tar hold the image; its SBOM and provenance are beside it.\n` +
    `manifest  ${manifestDigest}\n` +
    "          for oci://: behind @ in the reference, and in sha256 of a WasmPlugin or an EnvoyExtensionPolicy\n" +
    `module    ${moduleSha256}, ${moduleBytes} bytes\n` +
    "          for http:// and https://: in sha256 of a WasmPlugin, and in Envoy's remote.sha256\n"
  );
}
