// An Envoy that runs: started with a configuration, its log read line by line, ended by a signal.

import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Milliseconds that Envoy has to end before it is killed. */
const PATIENCE_MS = 5000;

/** A line of Envoy's log. */
export interface LogLine {
  readonly level: string;
  /** The part of Envoy that it comes from; `wasm` for what filters log. */
  readonly component: string;
  readonly text: string;
}

/** Envoy under way. */
export interface EnvoyProcess {
  /** Resolves when it serves, with undefined; or when it has ended before, with the last words of its log. */
  readonly started: Promise<string | undefined>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts Envoy; `hear` gets what it logs. */
export async function startEnvoy(
  program: string,
  config: object,
  { logLevel, hear }: { logLevel: string; hear(line: LogLine): void },
): Promise<EnvoyProcess> {
  const folder = await mkdtemp(join(tmpdir(), "proxy-wasm-envoy-"));
  const file = join(folder, "envoy.json");
  await writeFile(file, JSON.stringify(config));
  const levels = `wasm:${logLevel === "warn" ? "warning" : logLevel},main:info`;
  const args = ["--config-path", file, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"];
  args.push("--component-log-level", levels, "--log-format", "%l\t%n\t%v");
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const complaints: string[] = [];
  let lastWords = "it ended without a word";
  child.on("error", ({ message }) => (lastWords = message));
  let serves = (): void => {};
  const serving = new Promise<undefined>((resolve) => (serves = () => resolve(undefined)));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (text) => {
      const line = parseLine(text);
      lastWords = line.text;
      if (line.component === "main" && line.text.includes("starting main dispatch loop")) serves();
      if (/^(error|critical)$/.test(line.level)) complaints.push(line.text);
      // What it tells of its own start is of no use to whoever tries a filter.
      if (line.component !== "main" || /^(error|critical)$/.test(line.level)) hear(line);
    });
  }
  // Whatever ends this process ends Envoy.
  const leave = (): void => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", leave);
  const ended = endOf(child).then(() => {
    process.off("exit", leave);
    return rm(folder, { recursive: true, force: true });
  });
  const started = Promise.race([serving, ended.then(() => complaints.join("\n") || lastWords)]);
  return { started, ended, stop: () => stop(child, ended) };
}

function parseLine(text: string): LogLine {
  const [level = "", component = "", ...rest] = text.split("\t");
  if (!rest.length) return { level: "info", component: "", text };
  // What it could not start with is quoted there, followed by its whole configuration.
  const said = rest.join("\t").replace(/^error `(.*)` initializing config .*$/, "$1");
  return { level, component, text: said };
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  const force = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(force);
}
