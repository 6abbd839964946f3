// `proxy-wasm push`: a packaged filter to a registry.

import { Command, InvalidArgumentError, Option } from "commander";

import { oneLine } from "../oci/acceptance.ts";
import { MAX_MODULE_BYTES } from "../oci/descriptor.ts";
import { readLimited } from "../oci/files.ts";
import { openPackaged } from "../oci/packaged.ts";
import { readStatements } from "../oci/packaging.ts";
import { push } from "../oci/push.ts";
import { notePushed } from "../oci/pushed.ts";
import { CommandError, UsageError } from "./errors.ts";
import { judgeModule } from "./judge-image.ts";
import { type AccessFlags, addAccessOptions, openRepository, readReference } from "./registry-access.ts";
import type { Streams } from "./streams.ts";

interface PushFlags extends AccessFlags {
  readonly image: string;
  readonly tag?: readonly string[];
  readonly statements: boolean;
  readonly json?: boolean;
}

const IMAGE = "build/image";
const MODULE = "build/release.wasm";

/** The command. */
export function pushCommand(streams: Streams): Command {
  const command = new Command("push")
    .description("Push a packaged filter to a registry.")
    .argument("<reference>", "where to, such as ghcr.io/acme/my-filter:1.0.0")
    .addOption(new Option("-t, --tag <tag>", "one more tag; can be given again").argParser(collect))
    .option("-i, --image <path>", "the image: a layout's folder or tar file", IMAGE)
    .option("--no-statements", "leave out the SBOM and the provenance")
    .option("-q, --quiet", "print nothing but the reference to pin and what is wrong")
    .option("--json", "print the references as JSON");
  return addAccessOptions(command)
    .addHelpText("after", examples)
    .action((reference: string, flags: PushFlags) => run(reference, flags, streams));
}

const examples = `
Logins are those of docker and podman: docker's config.json with its credential helpers, podman's auth.json.
Proxies are those of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

Examples:
  proxy-wasm push ghcr.io/acme/my-filter:1.0.0 --tag 1 --tag latest
  proxy-wasm push localhost:5000/acme/my-filter:dev
  printenv TOKEN | proxy-wasm push ghcr.io/acme/my-filter:1.0.0 --username acme --password-stdin`;

function collect(tag: string, tags: readonly string[] = []): string[] {
  if (/^\w[\w.-]{0,127}$/.test(tag)) return [...tags, tag];
  throw new InvalidArgumentError("A tag has up to 128 letters, digits, '_', '.' and '-', and no '.' or '-' first.");
}

async function run(text: string, flags: PushFlags, streams: Streams): Promise<void> {
  const { stdout, stderr } = streams;
  const reference = readReference(text);
  if (reference.digest !== undefined) throw new UsageError(`push gives a tag, and ${text} has a digest; leave it out`);
  const tags = [...new Set([...(reference.tag === undefined ? [] : [reference.tag]), ...(flags.tag ?? [])])];
  if (!tags.length) throw new UsageError(`${text} has no tag; one such as :1.0.0 was expected behind it, or --tag`);
  const packaged = await openPackaged(flags.image);
  const refusal = packaged.verdicts.find(({ error }) => error !== undefined);
  if (refusal) {
    throw new CommandError(
      `${flags.image} is not pushed: ${refusal.consumer} would refuse it: ${oneLine(refusal.error!)}; proxy-wasm package makes an image that loads`,
    );
  }
  const statements = flags.statements ? await readStatements(flags.image, packaged.image.digest, packaged.module) : [];
  const judged = await judgeModule(packaged.module, `the module of ${flags.image}`);
  const [first] = judged;
  if (first && judged.every(({ error }) => error !== undefined)) {
    throw new CommandError(
      `${flags.image} is not pushed: ${first.consumer} would fetch it, and Envoy would refuse it: ${first.error}`,
    );
  }
  for (const { consumer, error, warning } of judged) {
    const text = warning ?? (error && `${consumer} would fetch ${flags.image}, and Envoy would refuse it: ${error}`);
    if (text !== undefined) stderr.write(`warning: ${text}\n`);
  }
  await warnOfAnother(packaged.module, flags.image, streams);
  const repository = await openRepository(reference, "pull,push", flags, streams);
  await push(repository, {
    ...packaged,
    statements,
    tags,
    onProgress: (line) => flags.quiet || stderr.write(`${line}\n`),
  });
  const name = `${reference.registry}/${reference.repository}`;
  await notePushed(
    flags.image,
    packaged.image.digest,
    tags.map((tag) => `${name}:${tag}`),
  ).catch((error: Error) => {
    stderr.write(`warning: cannot note beside ${flags.image} that it was pushed: ${error.message}\n`);
  });
  const report = {
    references: tags.map((tag) => `oci://${name}:${tag}`),
    pinned: `oci://${name}@${packaged.image.digest}`,
    manifestDigest: packaged.image.digest,
  };
  stdout.write(flags.json ? `${JSON.stringify(report, undefined, 2)}\n` : `${report.pinned}\n`);
}

/** A module that was compiled again and not packaged is easily forgotten. */
async function warnOfAnother(module: Uint8Array, image: string, { stderr }: Streams): Promise<void> {
  if (image !== IMAGE) return;
  const compiled = await readLimited(MODULE, MAX_MODULE_BYTES).catch(() => undefined);
  if (!compiled || Buffer.compare(compiled, module) === 0) return;
  stderr.write(`warning: ${IMAGE} holds another module than ${MODULE}; proxy-wasm package takes the newer one\n`);
}
