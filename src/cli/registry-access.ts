// What the commands that talk to registries have in common: their options, logins and places to read images from.

import { stat } from "node:fs/promises";

import { type Command, InvalidArgumentError, Option } from "commander";

import type { Credential } from "../oci/authentication.ts";
import { findCredential } from "../oci/credentials.ts";
import { isLoopback } from "../oci/hosts.ts";
import { openLayout } from "../oci/layout.ts";
import { openNetwork } from "../oci/network.ts";
import { hasLogin, parseReference, type Reference } from "../oci/reference.ts";
import { Repository } from "../oci/registry.ts";
import type { ImageSource } from "../oci/source.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Streams } from "./streams.ts";

/** How to reach a registry. */
export interface AccessFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  /** Undefined: without TLS on this machine only. */
  readonly plainHttp?: boolean;
  readonly insecure?: boolean;
  readonly timeout: number;
  /** Says nothing of what goes on. */
  readonly quiet?: boolean;
}

/** Adds the options to a command. */
export function addAccessOptions(command: Command): Command {
  return command
    .option("--username <name>", "who to log in as; without it, as docker or podman would")
    .option("--password-stdin", "read the password, or a token in its place, from stdin")
    .option("--plain-http", "talk to the registry without TLS; so by default on this machine")
    .option("--no-plain-http", "talk to a registry on this machine with TLS")
    .option("--insecure", "take any certificate of the registry")
    .addOption(
      new Option("--timeout <seconds>", "how long a registry may take for an answer")
        .default(30)
        .argParser(parseSeconds),
    );
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds > 0 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError("A number of seconds from 0.1 to 3600 is expected.");
}

/** Reads the name of an image; exit code 2 when it is none. */
export function readReference(text: string): Reference {
  try {
    return parseReference(text);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** The repository that a reference names. */
export async function openRepository(
  reference: Reference,
  actions: "pull" | "pull,push",
  flags: AccessFlags,
  streams: Streams,
): Promise<Repository> {
  const given = await givenCredential(flags);
  const { registry, repository } = reference;
  const plainHttp = flags.plainHttp ?? isLoopback(registry.replace(/:\d+$/, ""));
  return new Repository(reference, {
    http: {
      ...(await openNetwork(process.env, { insecure: flags.insecure ?? false })),
      timeoutMs: flags.timeout * 1000,
      signal: streams.signal,
      secrets: new Set(),
      onRetry: (why) => flags.quiet || streams.stderr.write(`${why}\n`),
    },
    plainHttp,
    actions,
    findCredential: async () => given ?? findCredential(`${registry}/${repository}`, process.env),
  });
}

async function givenCredential({ username, passwordStdin }: AccessFlags): Promise<Credential | undefined> {
  if (username === undefined && !passwordStdin) return undefined;
  if (username === undefined || !passwordStdin) {
    throw new UsageError("--username and --password-stdin go together: a password in the arguments could be seen");
  }
  if (process.stdin.isTTY) throw new UsageError("--password-stdin reads a pipe: printenv TOKEN | proxy-wasm …");
  let password = "";
  for await (const chunk of process.stdin) password += String(chunk);
  password = password.replace(/\r?\n$/, "");
  if (!password) throw new UsageError("stdin holds no password");
  return { kind: "password", username, password };
}

/** Where an image is read from: a folder or a file when there is one of that name, otherwise a registry. */
export async function openSource(
  text: string,
  flags: AccessFlags,
  streams: Streams,
): Promise<{ readonly source: ImageSource; readonly reference?: Reference; readonly repository?: Repository }> {
  if (await isFile(text)) return { source: await openLayout(text) };
  if (/^\.{0,2}[/\\]|\.(tar|wasm)$/.test(text) && !hasLogin(text))
    throw new CommandError(`there is no file or folder ${text}`);
  const reference = readReference(text);
  const repository = await openRepository(reference, "pull", flags, streams);
  return { source: repository.source, reference, repository };
}

/** Whether there is a file or folder of that name. */
async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
