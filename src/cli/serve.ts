// `proxy-wasm serve`: a filter in front of real HTTP.

import { readFile } from "node:fs/promises";

import { Command, InvalidArgumentError, Option } from "commander";

import { LogLevel, Status } from "../../assembly/abi.ts";
import { SystemClock } from "../clock.ts";
import { type Filter, loadFilter } from "../filter.ts";
import type { FailurePolicy } from "../profiles/profile.ts";
import { type Exchange, type RunningServer, serve } from "../server.ts";
import { connectTo, hello } from "../upstreams.ts";
import { CommandError } from "./errors.ts";
import type { Streams } from "./streams.ts";

interface ServeFlags {
  readonly upstream?: URL;
  readonly port: number;
  readonly host: string;
  readonly config?: string;
  readonly configFile?: string;
  readonly rootId: string;
  readonly failurePolicy: FailurePolicy;
  readonly logLevel: keyof typeof levels;
}

const levels = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warn,
  error: LogLevel.Error,
  critical: LogLevel.Critical,
};

/** The command. */
export function serveCommand(streams: Streams): Command {
  return new Command("serve")
    .description("put a compiled filter in front of an HTTP server on this machine")
    .argument("[module]", "the compiled filter", "build/release.wasm")
    .addOption(
      new Option("-u, --upstream <url>", 'where requests go; says "Hello, world!" itself without').argParser(parseUrl),
    )
    .addOption(
      new Option("-p, --port <number>", "port to listen on, 0 for any that is free").default(8080).argParser(parsePort),
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("-c, --config <text>", "the plugin's configuration")
    .addOption(new Option("--config-file <file>", "a file with the plugin's configuration").conflicts("config"))
    .option("--root-id <id>", "which of the module's root contexts to use", "")
    .addOption(
      new Option("--failure-policy <policy>", "what happens to requests when the filter has failed")
        .choices(["closed", "open", "reload"])
        .default("closed"),
    )
    .addOption(
      new Option("--log-level <level>", "lines of the filter below this level are dropped")
        .choices(Object.keys(levels))
        .default("info"),
    )
    .addHelpText("after", examples)
    .action((module: string, flags: ServeFlags) => run(module, flags, streams));
}

const examples = `
Examples:
  proxy-wasm serve
  proxy-wasm serve build/debug.wasm --upstream http://localhost:3000 --log-level debug
  proxy-wasm serve --port 0 --config '{"value":"blue"}'`;

async function run(module: string, flags: ServeFlags, streams: Streams): Promise<void> {
  const filter = await load(module, flags, streams);
  let server: RunningServer;
  try {
    server = await serve(filter, {
      port: flags.port,
      host: flags.host,
      upstream: flags.upstream ? connectTo(flags.upstream) : hello,
      onExchange: (exchange) => {
        streams.stdout.write(`${exchangeLine(exchange)}\n`);
        reportTrap(filter, streams);
      },
      onError: (error) => streams.stderr.write(`${error.message}\n`),
    });
  } catch (error) {
    throw new CommandError(listenText(error as NodeJS.ErrnoException, flags));
  }
  const where = flags.upstream ? `to ${flags.upstream.href}` : 'answered with "Hello, world!"';
  streams.stdout.write(
    `Serving ${module} on ${server.url}; what it lets through is ${flags.upstream ? "sent " : ""}${where}.\n` +
      `Try it:  curl -i ${server.url}/\n` +
      "Stop it: Ctrl-C\n",
  );
  await aborted(streams.signal);
  await server.close();
  filter.close();
}

async function load(module: string, flags: ServeFlags, streams: Streams): Promise<Filter> {
  return loadFilter(module, {
    clock: new SystemClock(),
    config: flags.configFile === undefined ? flags.config : await readConfig(flags.configFile),
    rootId: flags.rootId,
    seed: Date.now(),
    failurePolicy: flags.failurePolicy,
    logLevel: levels[flags.logLevel],
    onLog: ({ level, message }) => streams.stderr.write(`[${LogLevel[level]!.toLowerCase()}] ${message}\n`),
    onRefusal: (call, { status, reason }) => {
      // A missing header is news only to whoever is looking for a mistake.
      if (status === Status.NotFound && levels[flags.logLevel] > LogLevel.Debug) return;
      streams.stderr.write(`[host] ${call} → ${Status[status]}: ${reason}\n`);
    },
  });
}

async function readConfig(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandError(`cannot read the configuration file ${file}: ${(error as Error).message}`);
  }
}

const reported = new WeakSet<Filter>();

function reportTrap(filter: Filter, streams: Streams): void {
  if (!filter.trap || reported.has(filter)) return;
  reported.add(filter);
  streams.stderr.write(`${filter.trap}\n`);
}

function exchangeLine({ method, path, status, bytes, milliseconds, details }: Exchange): string {
  const why = details === "via_upstream" || !details ? "" : ` (${details})`;
  return `${method} ${path} → ${status || "closed"}, ${bytes} bytes, ${milliseconds.toFixed(1)} ms${why}`;
}

function listenText(error: NodeJS.ErrnoException, { port, host }: ServeFlags): string {
  if (error.code === "EADDRINUSE")
    return `port ${port} on ${host} is in use; choose another with --port, or --port 0 for any`;
  if (error.code === "EACCES") return `port ${port} needs more rights; choose one above 1023 with --port`;
  return `cannot listen on ${host}:${port}: ${error.message}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw new InvalidArgumentError("An http or https URL is expected, such as http://localhost:3000.");
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError("A number from 0 to 65535 is expected.");
}
