// The three filters of filters/ with other SDKs and with none: how each is built, with what this machine has.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

import { main as asc } from "assemblyscript/asc";
import binaryen from "binaryen";

import { build } from "./build.mjs";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const sources = join(import.meta.dirname, "peers");
const out = join(import.meta.dirname, "build/peers");

/** The filters that all are compared by. */
export const filters = ["add-header", "read-and-tag", "local-reply"];

/**
 * Who is compared: a name, what builds it, and `build`, which gives the path of each filter's module in the order of
 * `filters`, or throws with what is missing.
 */
export const peers = [
  {
    name: "proxy-wasm",
    command: `asc ${await version("assemblyscript")}, proxy-wasm/asconfig.json, --target release`,
    build: buildOwn,
  },
  {
    name: "Rust",
    command: "crate proxy-wasm 0.2.5: cargo build --release, opt-level 3, LTO, panic=abort",
    build: buildRust,
  },
  {
    name: "Rust, wasm-opt -O3",
    command: `the same, then wasm-opt -O3 of binaryen ${await version("binaryen")}`,
    build: () => optimizeRust("O3"),
  },
  {
    name: "Rust, wasm-opt -Oz",
    command: `the same, then wasm-opt -Oz of binaryen ${await version("binaryen")}`,
    build: () => optimizeRust("Oz"),
  },
  {
    name: "solo-io",
    command: "@solo-io/proxy-runtime 0.1.8: asc 0.14.13 --optimize --use abort=abort_proc_exit",
    build: () => buildInstalled("solo-io", ["--optimize", "--use", "abort=abort_proc_exit"], "-b"),
  },
  {
    name: "G-Core",
    command: "@gcoredev/proxy-wasm-sdk-as 1.2.3: asc 0.28.20 --optimize",
    build: () => buildInstalled("g-core", ["--optimize"], "-o"),
  },
  {
    name: "no SDK, bytes",
    command: `asc ${await version("assemblyscript")} -O3 --shrinkLevel 1 --runtime stub`,
    build: () => buildRaw("raw-bytes", "stub"),
  },
  {
    name: "no SDK, strings",
    command: `asc ${await version("assemblyscript")} -O3 --shrinkLevel 1 --runtime incremental`,
    build: () => buildRaw("raw-strings", "incremental"),
  },
  { name: "WAT", command: "written by hand", build: buildWat },
];

async function version(name) {
  return JSON.parse(await readFile(join(root, "node_modules", name, "package.json"), "utf8")).version;
}

/** Where the module of this filter by this peer goes. */
async function outFile(peer, filter) {
  await mkdir(out, { recursive: true });
  return join(out, `${peer}-${filter}.wasm`);
}

async function buildOwn() {
  const modules = [];
  // One after the other: the compiler has state of its own.
  for (const filter of filters) modules.push(await build(filter));
  return modules;
}

let rust;

function buildRust() {
  return (rust ??= compileRust());
}

async function compileRust() {
  // Debian has no standard library for this target but its source, which stable compilers build only when told so.
  const needed = ["/usr/bin/rustc", "/usr/bin/cargo", find("wasm-ld")];
  if (!needed.every((path) => path && existsSync(path))) throw new Error("needs rustc-web, cargo-web and lld");
  const sysroot = (await run("/usr/bin/rustc", ["--print", "sysroot"])).stdout.trim();
  if (!existsSync(join(sysroot, "lib/rustlib/src/rust/library/std"))) throw new Error("needs rust-web-src");
  // The tests of other languages compile the same dependencies.
  const target = join(root, "test/languages/rust/target");
  const env = {
    ...process.env,
    CARGO_TARGET_DIR: target,
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: find("wasm-ld"),
    RUSTC: "/usr/bin/rustc",
    RUSTC_BOOTSTRAP: "1",
  };
  const flags = ["--target", "wasm32-unknown-unknown", "-Zbuild-std=std,panic_abort"];
  await run("/usr/bin/cargo", ["build", "--quiet", "--release", "--examples", ...flags], {
    cwd: join(sources, "rust"),
    env,
  });
  const modules = [];
  for (const filter of filters) {
    const built = join(target, "wasm32-unknown-unknown/release/examples", `${filter.replaceAll("-", "_")}.wasm`);
    const file = await outFile("rust", filter);
    await copyFile(built, file);
    modules.push(file);
  }
  return modules;
}

async function optimizeRust(level) {
  const from = await buildRust();
  const modules = [];
  for (const [i, filter] of filters.entries()) {
    const file = await outFile(`rust-${level}`, filter);
    const features = ["bulk-memory", "bulk-memory-opt", "call-indirect-overlong", "multivalue", "mutable-globals"];
    features.push("nontrapping-float-to-int", "reference-types", "sign-ext");
    const flags = [`-${level}`, "--strip-debug", "--strip-producers", ...features.map((name) => `--enable-${name}`)];
    await run(join(root, "node_modules/.bin/wasm-opt"), [from[i], ...flags, "-o", file]);
    modules.push(file);
  }
  return modules;
}

/** With the SDK and the compiler that the peer's package.json names. */
async function buildInstalled(peer, flags, outFlag) {
  const cwd = join(sources, peer);
  if (!existsSync(join(cwd, "node_modules"))) {
    await run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], { cwd });
  }
  const modules = [];
  for (const filter of filters) {
    const file = await outFile(peer, filter);
    await run("node_modules/.bin/asc", [`assembly/${filter}.ts`, outFlag, file, ...flags], { cwd });
    modules.push(file);
  }
  return modules;
}

async function buildRaw(peer, runtime) {
  const modules = [];
  for (const filter of filters) {
    const file = await outFile(`${peer}-${runtime}`, filter);
    const flags = ["--optimizeLevel", "3", "--shrinkLevel", "1", "--runtime", runtime, "--use", "abort="];
    // The folder that asc would look for an asconfig.json in.
    const baseDir = ["--baseDir", join(sources, peer)];
    const { error, stderr } = await asc([`${filter}.ts`, ...baseDir, ...flags, "--outFile", file]);
    if (error) throw new Error(stderr.toString());
    modules.push(file);
  }
  return modules;
}

async function buildWat() {
  const modules = [];
  for (const filter of filters) {
    const file = await outFile("wat", filter);
    const module = binaryen.parseText(await readFile(join(sources, "wat", `${filter}.wat`), "utf8"));
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) throw new Error(`${filter}.wat is not valid`);
    await writeFile(file, module.emitBinary());
    modules.push(file);
  }
  return modules;
}

function find(program) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}
