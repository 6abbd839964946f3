// Tells when a file of a filter has changed.

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { watch } from "chokidar";

import { CONFIG, isDependency } from "../compile.ts";
import { aborted } from "./streams.ts";

/** Editors write a file in steps; what comes within this time is one change. */
const TOGETHER_MS = 30;

/** What is watched, and what happens then. */
export interface Watching {
  /** The project. */
  readonly folder: string;
  /** The files that the filter was made of, after `builtAt` in milliseconds since 1970. */
  readonly sources: readonly string[];
  readonly builtAt: number;
  /** From now on every change is seen. */
  onReady(): void;
  /** A source in the folders of the files has changed; gives the files from then on. Called once at a time. */
  onChange(): Promise<readonly string[]>;
}

/** Watches until the signal says to end. */
export async function watchSources(watching: Watching, signal: AbortSignal): Promise<void> {
  const { folder, sources, builtAt } = watching;
  if (signal.aborted) return;
  const watcher = watch([join(folder, CONFIG), ...foldersOf(sources, folder)], {
    ignoreInitial: true,
    ignored: (path, stats) => isDependency(path, folder) || (stats?.isFile() === true && !/\.(ts|json)$/.test(path)),
  });
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => (failed = reject));
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      work = work.then(async () => void watcher.add(foldersOf(await watching.onChange(), folder))).catch(failed);
    }, TOGETHER_MS);
  };
  watcher.on("all", changed);
  watcher.on("error", failed);
  watcher.on("ready", () => {
    watching.onReady();
    // What was saved while the filter was compiled is no event.
    isNewer(sources, builtAt).then((newer) => newer && changed(), failed);
  });
  try {
    await Promise.race([aborted(signal), failure]);
  } finally {
    clearTimeout(timer);
    await watcher.close();
    await work;
  }
}

/** Whether one of these files has been written since. */
async function isNewer(files: readonly string[], since: number): Promise<boolean> {
  const times = files.map(async (file) => (await stat(file)).mtimeMs);
  const written = await Promise.allSettled(times);
  return written.some((one) => one.status === "rejected" || one.value > since);
}

/** The folders of files, so that new files in them are seen; the project's own folder only by its configuration. */
function foldersOf(sources: readonly string[], folder: string): string[] {
  const own = dirname(join(folder, CONFIG));
  return [...new Set(sources.map((file) => dirname(file)))].filter((path) => path !== own);
}
