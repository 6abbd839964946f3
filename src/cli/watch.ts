// Tells when a file of a filter has changed.

import { dirname, join, sep } from "node:path";

import { watch } from "chokidar";

import { CONFIG } from "../compile.ts";

/** Editors write a file in steps; what comes within this time is one change. */
const TOGETHER_MS = 30;

/**
 * Watches the folders of these files, and calls `onChange` after each change of a source there, one call after the
 * other; it gives the files to watch from then on. Ends when the signal says so.
 */
export async function watchSources(
  folder: string,
  sources: readonly string[],
  onChange: () => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const watcher = watch([join(folder, CONFIG), ...foldersOf(sources, folder)], {
    ignoreInitial: true,
    ignored: (path, stats) =>
      path.includes(`${sep}node_modules${sep}`) || (stats?.isFile() === true && !/\.(ts|json)$/.test(path)),
  });
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => (failed = reject));
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      work = work.then(async () => void watcher.add(foldersOf(await onChange(), folder))).catch(failed);
    }, TOGETHER_MS);
  };
  watcher.on("all", changed);
  watcher.on("error", failed);
  const ended = new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
  try {
    await Promise.race([ended, failure]);
  } finally {
    clearTimeout(timer);
    await watcher.close();
    await work;
  }
}

/** The folders of files, so that new files in them are seen; the project's own folder only by its configuration. */
function foldersOf(sources: readonly string[], folder: string): string[] {
  const own = dirname(join(folder, CONFIG));
  return [...new Set(sources.map((file) => dirname(file)))].filter((path) => path !== own);
}
