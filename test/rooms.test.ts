// Who may import whom, as .oxlintrc.json says: every border is crossed once. oxlint takes patterns that it cannot follow,
// such as regular expressions that look ahead, and finds nothing by them then.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { parseConfigFileTextToJson } from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** Files, and what each may not import. */
const forbidden: Readonly<Record<string, readonly string[]>> = {
  "assembly/abi.ts": ["./env"],
  "assembly/memory.ts": ["./metrics"],
  "assembly/metrics.ts": ["../src/error.ts", "./registry"],
  "assembly/context.ts": ["../src/error.ts", "./memory"],
  "assembly/registry.ts": ["../src/error.ts", "./callbacks"],
  "assembly/entry.ts": ["./callbacks"],
  "src/services/metrics.ts": ["../../assembly/memory.ts", "node:fs", "../module/vm.ts"],
  "src/filter.ts": ["../assembly/memory.ts", "node:fs", "./serve/server.ts"],
  "src/imports/metrics.ts": ["../../assembly/memory.ts", "node:fs", "../filter.ts"],
  "src/serve/server.ts": ["../../assembly/memory.ts", "commander", "../module/vm.ts"],
  "src/cel.ts": ["./filter.ts", "node:fs", "commander"],
  "src/compile.ts": ["./filter.ts"],
  "src/vitest.ts": ["../assembly/memory.ts", "node:fs", "./module/vm.ts"],
  "src/cli/serve/run.ts": ["../../../assembly/memory.ts", "../../module/vm.ts"],
  "src/oci/push.ts": ["../module/vm.ts", "../serve/server.ts", "commander"],
  "src/manifest/istio.ts": ["../module/vm.ts", "../serve/server.ts", "commander"],
  "examples/hello/assembly/index.ts": ["../../../assembly/index", "proxy-wasm/assembly/abi"],
  "templates/hello/test/hello.test.ts": ["../../../src/index.ts", "proxy-wasm/vitest/client"],
};

/** What oxlint has against an import. */
interface Finding {
  readonly code: string;
  readonly filename: string;
  readonly help: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

let folder: string;
let findings: readonly Finding[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "proxy-wasm-rooms-"));
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [file, imported] of Object.entries(forbidden)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), imported.map((name) => `import "${name}";\n`).join(""));
  }
  const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
  // Its exit code says that it has found something.
  const { stdout } = await promisify(execFile)(process.execPath, [oxlint, "--format", "json"], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Finding[] };
  findings = diagnostics.filter(({ code }) => code === "eslint(no-restricted-imports)");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the linter refuses what crosses a border", () => {
  const places = Object.entries(forbidden).flatMap(([file, imported]) => imported.map((_, i) => `${file}:${i + 1}`));
  const found = new Set(findings.map(({ filename, labels }) => `${filename}:${labels[0]!.span.line}`));
  expect(places.filter((place) => !found.has(place))).toEqual([]);
});

test("every pattern of the linter's configuration has refused something", () => {
  const file = join(root, ".oxlintrc.json");
  const { config } = parseConfigFileTextToJson(file, readFileSync(file, "utf8")) as {
    config: {
      overrides: readonly {
        rules: { "eslint/no-restricted-imports"?: readonly [string, { patterns: readonly { message: string }[] }] };
      }[];
    };
  };
  const patterns = config.overrides.flatMap(({ rules }) => rules["eslint/no-restricted-imports"]?.[1].patterns ?? []);
  const said = new Set(findings.map(({ help }) => help));
  expect(patterns.filter(({ message }) => !said.has(message))).toEqual([]);
});
