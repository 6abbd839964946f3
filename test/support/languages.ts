// The filters of test/languages/ with the compilers that build them, where these are.

import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { wat } from "./compile.ts";
import { findProgram, goVersion, leaveOut } from "./programs.ts";

const run = promisify(execFile);
const sources = resolve(import.meta.dirname, "../languages");

/** A language, or an SDK of one, and how its filter is built. */
export interface Language {
  /** What it calls itself in `x-language`. */
  readonly name: string;
  /** What has to be installed, when that is not there. */
  readonly missing: string | undefined;
  /** Writes the module to this folder, which is empty, and gives its path. */
  build(folder: string): Promise<string>;
}

/** Says which languages are left out and how to have them; fails in CI, where none is. */
export function explainMissing(languages: readonly Language[]): void {
  const lines = languages.flatMap(({ name, missing }) => (missing ? [`${name}, which needs ${missing}`] : []));
  if (!lines.length) return;
  leaveOut(`Left out are the filters in ${lines.join("; ")}. To have them: .ci/run installs all of it.`);
}

export const languages: readonly Language[] = [
  {
    name: "wat",
    missing: undefined,
    async build(folder) {
      const file = join(folder, "filter.wasm");
      writeFileSync(file, wat(readFileSync(join(sources, "wat/filter.wat"), "utf8")));
      return file;
    },
  },
  {
    name: "c",
    missing: findProgram("clang") && findProgram("wasm-ld") ? undefined : "clang and lld",
    async build(folder) {
      const file = join(folder, "filter.wasm");
      const flags = ["--target=wasm32", "-O2", "-nostdlib", "-Wl,--no-entry", "-o", file];
      await run("clang", [...flags, join(sources, "c/filter.c")]);
      return file;
    },
  },
  {
    name: "c++",
    missing: wasiIncludes() ? undefined : "clang, lld, wasi-libc, libc++-dev-wasm32 and libclang-rt-dev-wasm32",
    async build(folder) {
      const file = join(folder, "filter.wasm");
      const flags = ["--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-fno-exceptions", "-Wl,--strip-all"];
      const includes = wasiIncludes()!.flatMap((path) => ["-isystem", path]);
      await run("clang++", [...flags, ...includes, "-o", file, join(sources, "cpp/filter.cc")]);
      return file;
    },
  },
  {
    name: "go",
    missing: goVersion() >= 24 ? undefined : "Go 1.24 or newer",
    async build(folder) {
      const file = join(folder, "filter.wasm");
      const env = { ...process.env, GOOS: "wasip1", GOARCH: "wasm" };
      await run("go", ["build", "-buildmode=c-shared", "-o", file, "."], { cwd: join(sources, "go"), env });
      return file;
    },
  },
  {
    name: "rust",
    missing: rustCompiler() ? undefined : "rustc-web, cargo-web, rust-web-src and lld",
    async build() {
      const cwd = join(sources, "rust");
      // Compiled dependencies stay beside the source, so that only the first build is slow.
      const file = join(cwd, "target/wasm32-unknown-unknown/release/filter.wasm");
      // Debian has no standard library for this target but its source, which stable compilers build only when told so.
      const env = {
        ...process.env,
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: findProgram("wasm-ld"),
        RUSTC: rustCompiler(),
        RUSTC_BOOTSTRAP: "1",
      };
      const target = ["--target", "wasm32-unknown-unknown", "-Zbuild-std=std,panic_abort"];
      await run("/usr/bin/cargo", ["build", "--quiet", "--release", ...target], { cwd, env });
      return file;
    },
  },
  {
    name: "solo-io",
    missing: undefined,
    build: (folder) =>
      buildAssemblyScript("solo-io", folder, ["-b", "filter.wasm", "--use", "abort=abort_proc_exit", "--optimize"]),
  },
  {
    name: "g-core",
    missing: undefined,
    build: (folder) => buildAssemblyScript("g-core", folder, ["-o", "filter.wasm", "--optimize"]),
  },
];

/** With the compiler that its package.json names. */
async function buildAssemblyScript(name: string, folder: string, flags: readonly string[]): Promise<string> {
  cpSync(join(sources, name), folder, { recursive: true });
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder });
  await run("npm", ["exec", "--", "asc", "assembly/index.ts", ...flags], { cwd: folder });
  return join(folder, "filter.wasm");
}

/** An empty folder for modules, and how it is removed. */
export function buildFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "proxy-wasm-language-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Where the headers of libc++ and of WASI's C library are. */
function wasiIncludes(): string[] | undefined {
  if (!findProgram("clang++") || !findProgram("wasm-ld")) return undefined;
  const resources = output("clang++", ["-print-resource-dir"]).trim();
  const paths = [resolve(resources, "../../../include/wasm32-wasi/c++/v1"), "/usr/include/wasm32-wasi"];
  const builtins = join(resources, "lib/wasi/libclang_rt.builtins-wasm32.a");
  return [...paths, builtins, "/usr/lib/wasm32-wasi/libc++.a"].every((path) => existsSync(path)) ? paths : undefined;
}

/** The compiler of Debian's `rustc-web`: one that rustup installed has no source of the standard library. */
function rustCompiler(): string | undefined {
  const rustc = "/usr/bin/rustc";
  if (!existsSync(rustc) || !existsSync("/usr/bin/cargo") || !findProgram("wasm-ld")) return undefined;
  const source = join(output(rustc, ["--print", "sysroot"]).trim(), "lib/rustlib/src/rust/library/std");
  return existsSync(source) ? rustc : undefined;
}

function output(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", cwd: dirname(sources) });
}
