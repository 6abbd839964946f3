// Modules by other compilers and SDKs do the same on our host and in a real Envoy. Each filter of test/languages/ logs
// the path, adds `x-language` to the response, and fails when the path is /trap; those in Go and Rust tell more.

import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { LogLevel } from "../../assembly/abi.ts";
import { type Filter, loadFilter, type VirtualClock } from "../../src/index.ts";
import { explainMissingEnvoy, findEnvoy, type RunningEnvoy, startEnvoy } from "../support/envoy.ts";
import { answering, freePorts, httpListener, pluginConfig, wasmFilter } from "../support/envoy-config.ts";
import { buildFolder, explainMissing, languages } from "../support/languages.ts";

const BUILD_MS = 600_000;
const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();
explainMissing(languages);

/** Paths that are asked for one after the other, of a filter of its own each. */
const conversations = [
  ["/hello?who=me", "/again"],
  ["/trap", "/hello"],
  ["/exit", "/hello"],
];

/** What can be compared of an exchange. */
interface Outcome {
  status: number;
  headers: Record<string, string>;
  logs: string[];
}

describe.each(languages)("the filter in $name", ({ name, missing, build }) => {
  const folder = buildFolder();
  let file = "";
  let running: RunningEnvoy | undefined;
  let ports: number[] = [];

  beforeAll(async () => {
    if (missing) return;
    file = await build(folder.path);
    if (!envoy) return;
    ports = await freePorts(conversations.length);
    const listeners = ports.map((port, i) => {
      const filter = wasmFilter(pluginConfig(`c${i}`, "a configuration", file));
      return httpListener(`c${i}`, port, [filter], [answering("Hello, world!")]);
    });
    running = await startEnvoy(envoy, JSON.stringify({ static_resources: { listeners } }), dirname(file));
  }, BUILD_MS);

  afterAll(async () => {
    await running?.stop();
    folder.remove();
  });

  test.skipIf(missing)("adds a header and logs the path", async () => {
    const filter = await loadFilter(file, { config: "a configuration", logLevel: LogLevel.Info });
    const { status, headers, logs } = await simulate(filter, "/hello?who=me");
    expect(status).toBe(200);
    expect(headers["x-language"]).toBe(name);
    expect(logs).toContainEqual(expect.stringMatching(/^info: .*path \/hello\?who=me$/));
  });

  for (const [i, paths] of conversations.entries()) {
    test.skipIf(missing || !envoy)(`does with ${paths.join(", then ")} what it does in Envoy`, async () => {
      const filter = await loadFilter(file, { name: `c${i}`, config: "a configuration", logLevel: LogLevel.Info });
      const ours: Outcome[] = [];
      const theirs: Outcome[] = [];
      for (const path of paths) {
        ours.push(await simulate(filter, path));
        const before = theirs.flatMap(({ logs }) => logs).length;
        const response = await fetch(`http://127.0.0.1:${ports[i]}${path}`);
        await response.text();
        const logs = (): string[] => streamLogs(running!.log(), `c${i}`).slice(before);
        await expect.poll(logs).toEqual(ours.at(-1)!.logs);
        theirs.push({ status: response.status, headers: own(response.headers), logs: logs() });
      }
      expect(ours).toEqual(theirs);
    });
  }

  test.skipIf(missing || !["go", "rust"].includes(name))("ticks", async () => {
    const logs: string[] = [];
    const filter = await loadFilter(file, { onLog: ({ message }) => logs.push(message) });
    (filter.clock as VirtualClock).advance(49);
    expect(logs).toEqual([]);
    (filter.clock as VirtualClock).advance(1);
    expect(logs).toEqual(["tick"]);
    await running?.logged("wasm log vm-c0: tick");
  });
});

async function simulate(filter: Filter, path: string): Promise<Outcome> {
  const response = await filter.request(path, { upstream: () => ({ body: "Hello, world!" }) });
  const logs = response.logs.map(({ level, message }) => `${LogLevel[level]!.toLowerCase()}: ${message}`);
  return { status: response.status, headers: own(response.headers), logs: comparable(logs) };
}

/** The headers that the filters add. */
function own(headers: { get(name: string): string | null }): Record<string, string> {
  const names = ["x-language", "x-config", "x-property", "x-shared"];
  return Object.fromEntries(names.flatMap((name) => (headers.get(name) === null ? [] : [[name, headers.get(name)!]])));
}

function streamLogs(log: string, name: string): string[] {
  const lines = [...log.matchAll(/^\[[^\]]*\]\[\d+\]\[(\w+)\]\[wasm\].*? wasm log (\S+) (\S+?): (.*)$/gm)];
  const own = lines.filter((line) => line[2] === name);
  return comparable(own.map((line) => `${line[1]!.replace("warning", "warn")}: ${line[4]!}`));
}

/** Without further lines, which have no prefix in Envoy's log, and without what a program says of its own addresses. */
function comparable(messages: readonly string[]): string[] {
  return messages.map((message) => message.replace(/\n.*/s, "").replace(/0x[0-9a-f]+/g, "0x…"));
}
