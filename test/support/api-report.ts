// What the package promises, as text: a report for each file that users import, made by API Extractor from the types
// that TypeScript writes. AssemblyScript's files are TypeScript to it, with AssemblyScript's numbers under their names.

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";

import { root, sides } from "../../docs/entry-points.mjs";

const build = resolve(import.meta.dirname, "../build");

/** The reports of a side of the package, by entry point. */
export async function apiReports(side: (typeof sides)[number]): Promise<Map<string, string>> {
  await mkdir(build, { recursive: true });
  const out = await mkdtemp(join(build, "api-"));
  const flags = ["--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--declarationMap", "false"];
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", side.tsconfig, ...flags, "--rootDir", root, "--outDir", out], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const reports = new Map<string, string>();
  for (const entry of side.entryPoints) {
    const types = join(out, side.folder, `${entry}.d.ts`);
    extract(types, join(root, side.tsconfig), out, entry);
    reports.set(entry, await readFile(join(out, `${entry}.public.api.md`), "utf8"));
  }
  return reports;
}

function extract(types: string, tsconfig: string, out: string, entry: string): void {
  const none = ExtractorLogLevel.None;
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: types,
      compiler: {
        overrideTsconfig: { extends: tsconfig, compilerOptions: { rootDir: root }, include: [], files: [types] },
      },
      apiReport: {
        enabled: true,
        reportFileName: entry,
        reportFolder: out,
        reportTempFolder: join(out, "temp"),
        reportVariants: ["public"],
      },
      messages: {
        // Comments are typedoc's affair (npm run docs).
        extractorMessageReporting: { default: { logLevel: none } },
        tsdocMessageReporting: { default: { logLevel: none } },
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, "package.json"),
  });
  const result = Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      message.handled = message.logLevel !== ExtractorLogLevel.Error;
    },
  });
  if (!result.succeeded) throw new Error(`API Extractor could not read ${types}`);
}
