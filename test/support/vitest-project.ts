// A project with vitest of its own, run in it as its author does.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** vitest in a project. */
export interface VitestProject extends AsyncDisposable {
  readonly folder: string;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
  /** What it has printed. */
  output(): string;
  /** Waits until so many matches were printed. */
  prints(text: RegExp, times?: number): Promise<void>;
}

/** Makes a project of these files and starts vitest in it. It ends with what holds it. */
export async function startVitest(
  mode: "run" | "watch",
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<VitestProject> {
  await mkdir(join(root, "test/build"), { recursive: true });
  const folder = await mkdtemp(join(root, "test/build/project-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, dirname(name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const env = { ...process.env, NO_COLOR: "1", CI: "", VITEST: "" };
  const child: ChildProcess = spawn(process.execPath, [vitest, mode], { cwd: folder, env });
  const ended = new Promise<number | null>((done) => child.on("exit", done));
  let output = "";
  const waiting = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout!.on("data", hear);
  child.stderr!.on("data", hear);
  return {
    folder,
    ended,
    output: () => output,
    async prints(text, times = 1) {
      await new Promise<void>((done) => {
        const look = (): void => {
          if ([...output.matchAll(text)].length < times) return;
          waiting.delete(look);
          done();
        };
        waiting.add(look);
        look();
      });
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
