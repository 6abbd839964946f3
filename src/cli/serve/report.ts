// What `serve` tells: on stdout a line for each exchange, on stderr what the filters say and what goes wrong.

import { LogLevel, Status } from "../../../assembly/abi.ts";
import type { Exchange } from "../../serve/observer.ts";
import { failureOf } from "../../serve/upstreams.ts";
import { type Colors, makeColors } from "../colors.ts";
import { logLevels } from "../log-levels.ts";
import { printable, printableLines } from "../printable.ts";
import type { ServeFlags } from "./flags.ts";
import type { Streams } from "../streams.ts";
import { exchangeLine } from "./exchange-line.ts";

/** Milliseconds in which the same complaint about a server is not repeated. */
const REPEAT_MS = 10_000;

/** Writes it. */
export class Report {
  readonly #streams: Streams;
  readonly #flags: ServeFlags;
  /** Those of stderr. */
  readonly #colors: Colors;
  /** Those of the story, and of exchanges. */
  readonly #storyColors: Colors;
  readonly #isJson: boolean;
  readonly #told = new Set<string>();
  readonly #complaints = new Map<string, number>();

  constructor(streams: Streams, flags: ServeFlags) {
    this.#streams = streams;
    this.#flags = flags;
    this.#isJson = flags.json === true || (flags.trace === true && !streams.isTerminal);
    this.#colors = makeColors(streams.color?.stderr);
    this.#storyColors = makeColors(this.#isJson ? streams.color?.stderr : streams.color?.stdout);
  }

  /** Where it listens, how to try it and how to stop it. */
  serving(url: string, modules: readonly string[], { upstream, host }: ServeFlags): void {
    if (this.#flags.quiet) return;
    const where = upstream ? `to ${upstream.href}` : 'answered with "Hello, world!"';
    this.#story(
      `Serving ${modules.join(", then ")} on ${this.#storyColors.bold(url)}; what it lets through is ${upstream ? "sent " : ""}${where}.\n` +
        `Try it:  curl -i ${url}/\n` +
        "Stop it: Ctrl-C\n",
    );
    if (!/^(127\.|::1$|localhost$)/.test(host)) {
      this.warn(`whoever reaches ${host} can send requests; without --host only this machine can`);
    }
  }

  /** Where the inspector is. */
  inspector(url: string, metricsUrl: string): void {
    this.#story(`Look at exchanges on ${this.#storyColors.bold(url)}\nand at metrics on ${metricsUrl}\n`);
  }

  /** An exchange is over. */
  exchange(exchange: Exchange): void {
    if (this.#flags.quiet || this.#flags.trace || this.#isJson) return;
    const line = printable(exchangeLine(exchange));
    this.#streams.stdout.write(`${exchange.status >= 500 || !exchange.status ? this.#storyColors.red(line) : line}\n`);
  }

  /** A line of a filter's log. */
  log(level: LogLevel, message: string, filter: string | undefined): void {
    const text = `${prefix(filter)}[${LogLevel[level]!.toLowerCase()}] ${message}`;
    const c = this.#colors;
    this.#err(text, level >= LogLevel.Error ? c.red : level === LogLevel.Warn ? c.yellow : String);
  }

  /** A host call that was refused. */
  refusal(call: string, status: Status, reason: string, filter: string | undefined): void {
    // A missing header is news only to whoever is looking for a mistake.
    if (status === Status.NotFound && logLevels[this.#flags.logLevel] > LogLevel.Debug) return;
    this.#err(`${prefix(filter)}[host] ${call} → ${Status[status]}: ${reason}`, this.#colors.yellow);
  }

  /** Filters that have stopped, each failure once, and what becomes of requests from now on. */
  traps(traps: readonly string[]): void {
    for (const trap of traps) {
      if (this.#told.has(trap)) continue;
      this.#told.add(trap);
      this.#err(trap, this.#colors.red);
      this.#err(this.#afterFailure());
    }
  }

  /** A server that should answer does not. */
  failed(what: string, url: URL, error: NodeJS.ErrnoException): void {
    const failed = failureOf(error) === "remote connection failure" ? "cannot be reached" : "has failed";
    const text = `the ${what} at ${url.href} ${failed}: ${whyFailed(error, url)}`;
    const last = this.#complaints.get(text);
    const now = Date.now();
    if (last !== undefined && now - last < REPEAT_MS) return;
    this.#complaints.set(text, now);
    this.warn(text);
  }

  /** Something went wrong in an exchange. */
  error(error: Error): void {
    this.#err(error.message, this.#colors.red);
  }

  /** Something that should be known. */
  warn(text: string): void {
    this.#err(`[serve] ${text}`, this.#colors.yellow);
  }

  /** Something that has happened. */
  note(text: string): void {
    if (!this.#flags.quiet) this.#story(`${printable(text)}\n`);
  }

  /** It ends when what is under way has. */
  waiting(open: number, milliseconds: number): void {
    if (this.#flags.quiet) return;
    this.#err(`[serve] waiting up to ${milliseconds / 1000} s for ${count(open)} under way`);
  }

  /** It ends although something is under way. */
  breaking(open: number): void {
    if (open) this.#err(`[serve] broke off ${count(open)}`);
  }

  #afterFailure(): string {
    switch (this.#flags.failurePolicy) {
      case "open":
        return "[serve] requests to come pass without this filter until it is loaded again (--failure-policy open)";
      case "reload":
        return "[serve] it is loaded again for one of the next requests (--failure-policy reload)";
      default:
        return (
          "[serve] as in Envoy, every request is answered with 503 from now on, until the filter is loaded again: " +
          "save its source, or see --failure-policy reload and open"
        );
    }
  }

  /** The story goes to stdout, unless that is for programs. */
  #story(text: string): void {
    (this.#isJson ? this.#streams.stderr : this.#streams.stdout).write(text);
  }

  /** What others have written is in it: filters, servers, files. */
  #err(text: string, paint: (text: string) => string = String): void {
    this.#streams.stderr.write(`${paint(printableLines(text))}\n`);
  }
}

function prefix(filter: string | undefined): string {
  return filter === undefined ? "" : `${filter} `;
}

function count(open: number): string {
  return open === 1 ? "1 exchange" : `${open} exchanges`;
}

function whyFailed(error: NodeJS.ErrnoException, url: URL): string {
  if (error.code === "ECONNREFUSED") return "nothing listens there";
  if (error.code === "ECONNRESET") return "it broke the connection";
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") return `the host ${url.hostname} is not known here`;
  if (error.code?.startsWith("HPE_")) return `it does not speak HTTP/1.1 (${error.message})`;
  return error.message || (error.code ?? "no reason is known");
}
