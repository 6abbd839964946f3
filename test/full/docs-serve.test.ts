// Every command of docs/serve.md, and every example of the commands' own help, does what it is there for.

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { envoyCommand } from "../../src/cli/envoy.ts";
import { runCasesCommand } from "../../src/cli/run-cases.ts";
import { serveCommand } from "../../src/cli/serve.ts";
import { codeBlocks } from "../support/blocks.ts";
import { program, startCommand } from "../support/running-command.ts";
import { findEnvoy } from "../support/envoy.ts";
import { headerFilter, makeProject, removeProject } from "../support/project.ts";

const envoy = findEnvoy();
let folder: string;
beforeAll(async () => {
  const [cases] = await codeBlocks("docs/serve.md", "yaml");
  const filter = headerFilter("x-service-name").replace("this.root.value)", '"my-custom-service")');
  folder = await makeProject({
    "assembly/index.ts": filter,
    "config.json": "{}",
    "auth.json": "{}",
    "cases.yaml": cases!,
  });
  const asc = join(folder, "node_modules/assemblyscript/bin/asc.js");
  for (const target of ["release", "debug"]) execFileSync(process.execPath, [asc, "--target", target], { cwd: folder });
  for (const name of ["auth", "tag"]) execFileSync("cp", ["build/release.wasm", `build/${name}.wasm`], { cwd: folder });
}, 120_000);
afterAll(() => removeProject(folder));

const streams = { stdout: { write: () => {} }, stderr: { write: () => {} }, signal: AbortSignal.abort() };

async function commands(): Promise<string[]> {
  const text = await readFile(resolve(import.meta.dirname, "../../docs/serve.md"), "utf8");
  const documented = text.split("\n").filter((line) => /^\s*npx proxy-wasm /.test(line));
  let helps = "";
  for (const make of [serveCommand, envoyCommand, runCasesCommand]) {
    make(streams)
      .configureOutput({ writeOut: (text) => void (helps += text) })
      .outputHelp();
  }
  const examples = helps.split("\n").filter((line) => /^ {2}proxy-wasm /.test(line));
  const lines = [...documented, ...examples].map((line) =>
    line
      .trim()
      .replace(/^npx /, "")
      .replace(/ (>|&&) .*$/, ""),
  );
  return [...new Set(lines.map((line) => line.replace("cases/*.yaml", "cases.yaml").replace("login", "header")))];
}

/** The words of a command line as a shell would give them. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!).slice(1);
}

test("each does", async () => {
  const lines = await commands();
  expect(lines.length).toBeGreaterThan(20);
  for (const line of lines) {
    const args = words(line);
    if (args[0] === "run-cases" || args.includes("--print")) {
      const output = execFileSync(process.execPath, [program, ...args], { cwd: folder, encoding: "utf8" });
      expect([line, output.length > 10]).toEqual([line, true]);
      continue;
    }
    if (args[0] === "envoy" && !envoy) continue;
    // No fixed ports here.
    const anywhere = args.map((word, i) => (args[i - 1] === "--inspect" && /^\d+$/.test(word) ? "0" : word));
    const running = startCommand([...anywhere, "--port", "0"], {
      cwd: folder,
      env: envoy ? { ENVOY_PATH: envoy } : {},
    });
    try {
      if (args.includes("--quiet")) await running.says(/metrics on/, 60);
      else {
        const [, url] = await running.says(/curl -i (\S+)/, 60);
        const { status } = await fetch(url!);
        expect([line, status]).toEqual([line, args.includes("--upstream") ? 503 : 200]);
      }
    } finally {
      expect([line, await running.stop()]).toEqual([line, 0]);
    }
  }
});
