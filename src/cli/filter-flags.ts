// The flags that say which filters there are and how they are configured, alike for every command that runs filters.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { type Command, InvalidArgumentError, Option } from "commander";

import type { FailurePolicy } from "../profiles/profile.ts";
import { CommandError, UsageError } from "./errors.ts";
import { type LogLevelName, logLevels } from "./log-levels.ts";
import { whyUnreadable } from "./reasons.ts";

/** What these flags give. */
export interface FilterFlags {
  readonly upstream?: URL;
  readonly port: number;
  readonly host: string;
  readonly config: readonly string[];
  readonly rootId: readonly string[];
  readonly cluster: ReadonlyMap<string, URL>;
  readonly failurePolicy: FailurePolicy;
  readonly logLevel: LogLevelName;
}

/** One filter of a chain. */
export interface FilterSpec {
  /** The path of the module. */
  readonly module: string;
  /** Its name in log and traces, with a number when another has it already. */
  readonly name: string;
  /** The text of the configuration, or `@` and the file that holds it. */
  readonly config: string;
  readonly rootId: string;
}

/** Adds the argument and the flags. */
export function addFilterFlags(command: Command): Command {
  return command
    .argument("[modules...]", "the compiled filters, in the order of the request; build/release.wasm by default")
    .addOption(
      new Option("-u, --upstream <url>", 'where requests go; says "Hello, world!" itself without').argParser(
        parseUpstream,
      ),
    )
    .addOption(
      new Option("-p, --port <number>", "port to listen on, 0 for any that is free").default(8080).argParser(parsePort),
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .addOption(
      new Option("-c, --config <text>", "the configuration, or @ and a file that holds it; once for each module")
        .argParser(collect)
        .default([], "none"),
    )
    .addOption(
      new Option("--root-id <id>", "which root context of the module to use; once for each module")
        .argParser(collect)
        .default([], "the one without a name"),
    )
    .addOption(
      new Option("--cluster <name=url>", "a server that filters call, by HTTP or gRPC; once for each")
        .argParser(collectCluster)
        .default(new Map(), "none"),
    )
    .addOption(
      new Option("--failure-policy <policy>", "what happens to requests when a filter has failed")
        .choices(["closed", "open", "reload"])
        .default("closed"),
    )
    .addOption(
      new Option("--log-level <level>", "lines of the filters below this level are dropped")
        .choices(Object.keys(logLevels))
        .default("info"),
    );
}

/** The filters that a command line means. */
export function filterSpecs(modules: readonly string[], { config, rootId }: FilterFlags): FilterSpec[] {
  const files = modules.length ? modules : ["build/release.wasm"];
  for (const [flag, values] of [
    ["--config", config],
    ["--root-id", rootId],
  ] as const) {
    if (values.length <= files.length) continue;
    const count = files.length === 1 ? "is one module" : `are ${files.length} modules`;
    throw new UsageError(
      `${flag} is given ${values.length} times, and there ${count}: each belongs to the module in its place`,
    );
  }
  const names = files.map(nameOf);
  return files.map((module, i) => {
    const before = names.slice(0, i).filter((name) => name === names[i]).length;
    const name = before ? `${names[i]}-${before + 1}` : names[i]!;
    return { module, name, config: config[i] ?? "", rootId: rootId[i] ?? "" };
  });
}

/** What a module is called: its file, unless that has the name that every project's has. */
function nameOf(module: string): string {
  const parts = resolve(module).split(/[/\\]/);
  const file = parts.pop()!.replace(/\.wasm$/, "");
  if (!/^(release|debug|plugin|filter|main)$/.test(file)) return file;
  return parts.findLast((folder) => folder && !/^(build|dist|out)$/.test(folder)) ?? file;
}

/** The file of a configuration that is given as `@file`, or undefined. */
export function configFile({ config }: FilterSpec): string | undefined {
  return config.startsWith("@") ? config.slice(1) : undefined;
}

/** The bytes of a filter's configuration. */
export async function readConfig(spec: FilterSpec): Promise<string | Uint8Array> {
  const file = configFile(spec);
  if (file === undefined) return spec.config;
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandError(`cannot read the configuration file ${file}: ${whyUnreadable(error)}`);
  }
}

/** A port from the command line. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError("A number from 0 to 65535 is expected.");
}

function parseUpstream(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^(https?|h2c):$/.test(url.protocol) && url.host) return url;
  throw new InvalidArgumentError(
    "An http, https or h2c (HTTP/2 without TLS) URL is expected, such as http://localhost:3000.",
  );
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function collectCluster(text: string, before: ReadonlyMap<string, URL>): ReadonlyMap<string, URL> {
  const [, name = "", target = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (!name || !url?.host || !/^(https?|h2c):$/.test(url.protocol)) {
    throw new InvalidArgumentError(
      "A name and an http, https or h2c (HTTP/2 without TLS) URL are expected, such as auth=http://localhost:4000.",
    );
  }
  if (before.has(name)) throw new InvalidArgumentError(`The cluster ${name} is given twice.`);
  return new Map([...before, [name, url]]);
}
