// Follows what the filters are made of: compiles when a source is saved, and says when there is something new to load.

import { dirname, join, relative, resolve } from "node:path";

import { type FSWatcher, watch } from "chokidar";

import { type Compilation, CONFIG, isDependency } from "../../compile.ts";
import { CommandError } from "../errors.ts";
import { configFile, type FilterSpec } from "../filter-flags.ts";
import { Compiler } from "./compiler.ts";
import { type Project, projectOf, writtenAt } from "./projects.ts";

/** Editors write a file in steps; what comes within this time, in milliseconds, is one change. */
const TOGETHER_MS = 20;

/** How often to compile in advance: the compiler takes a fraction of the time when it has done so. */
const WARM_UPS = 2;

/** What is told on the way. */
export interface RebuildListener {
  /** A module is compiled that is not there yet, which takes some seconds. */
  compiling(module: string): void;
  /** A source was saved that does not compile, or the compiler has warnings. */
  messages(text: string): void;
  /** Why nothing new comes of a change. */
  failed(text: string): void;
  /** Loads the filters again; `what` has changed, so many milliseconds ago. */
  load(what: string, since: () => number): Promise<void>;
}

/** The modules, their sources and their configurations. */
export class Rebuild {
  readonly #specs: readonly FilterSpec[];
  readonly #listener: RebuildListener;
  readonly #compiler = new Compiler();
  #projects: readonly Project[] = [];
  /** The files of each project, once they are known. */
  readonly #sources = new Map<Project, readonly string[]>();
  /** When each module was written that has been loaded. */
  readonly #loaded = new Map<string, number | undefined>();
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #changed = new Set<string>();
  #changedAt = 0;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(specs: readonly FilterSpec[], listener: RebuildListener) {
    this.#specs = specs;
    this.#listener = listener;
  }

  /** Compiles the modules that are not there yet and have a project. */
  async prepare(): Promise<void> {
    const modules = [...new Set(this.#specs.map(({ module }) => resolve(module)))];
    const projects = await Promise.all(modules.map((module) => this.#projectOf(module)));
    this.#projects = projects.filter((project) => project !== undefined);
    for (const project of this.#projects) {
      if ((await writtenAt(project.module)) !== undefined) continue;
      this.#listener.compiling(relative("", project.module));
      const compilation = await this.#compile(project);
      if (!compilation?.module) {
        await this.#compiler.close();
        throw new CommandError(`${relative("", project.module)} is not there, and its source does not compile`);
      }
    }
    for (const module of modules) this.#loaded.set(module, await writtenAt(module));
  }

  /** Watches from now on. Compiles once for itself, to know the files and to be quick when one is saved. */
  watch(): void {
    const configs = this.#specs.flatMap((spec) => configFile(spec) ?? []).map((file) => resolve(file));
    const files = [...this.#loaded.keys(), ...configs];
    const places = [...files, ...this.#projects.map(({ folder }) => folder)];
    this.#watcher = watch([...files, ...this.#projects.flatMap(ownFolders)], {
      ignoreInitial: true,
      ignored: (path) => places.every((place) => isDependency(path, place)) || path.endsWith(".tmp"),
    });
    this.#watcher.on("all", (_event, path) => this.#change(resolve(path)));
    this.#watcher.on("error", (error) => this.#listener.failed(`files are not watched any more: ${messageOf(error)}`));
    this.#working = this.#warmUp();
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#watcher?.close();
    await this.#compiler.close();
    await this.#working;
  }

  /** A module that is there can be served without its project. */
  async #projectOf(module: string): Promise<Project | undefined> {
    try {
      return await projectOf(module);
    } catch (error) {
      if ((await writtenAt(module)) === undefined) throw error;
      this.#listener.failed(`${relative("", module)} is not compiled again: ${messageOf(error)}`);
      return undefined;
    }
  }

  #change(path: string): void {
    if (this.#closed) return;
    if (!this.#changed.size) this.#changedAt = performance.now();
    this.#changed.add(path);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#working = this.#working.then(() => this.#work());
    }, TOGETHER_MS);
  }

  /** Does what the changes so far ask for. */
  async #work(): Promise<void> {
    if (!this.#changed.size || this.#closed) return;
    const [changed, at] = [this.#changed, this.#changedAt];
    this.#changed = new Set();
    const reasons: string[] = [];
    for (const project of this.#projects) {
      const source = [...changed].find((path) => this.#belongs(path, project));
      if (source === undefined) continue;
      const compilation = await this.#compile(project);
      if (compilation?.module) reasons.push(relative("", source));
    }
    for (const [module, loaded] of this.#loaded) {
      const written = await writtenAt(module);
      if (written === loaded || written === undefined) continue;
      this.#loaded.set(module, written);
      if (!reasons.length) reasons.push(relative("", module));
    }
    const configs = new Set(this.#specs.flatMap((spec) => configFile(spec) ?? []).map((file) => resolve(file)));
    reasons.push(...[...changed].filter((path) => configs.has(path)).map((path) => relative("", path)));
    if (reasons.length && !this.#closed) await this.#listener.load(reasons.join(", "), () => performance.now() - at);
  }

  #belongs(path: string, project: Project): boolean {
    const sources = this.#sources.get(project);
    return sources ? sources.includes(path) : path.endsWith(".ts") || path.endsWith(CONFIG);
  }

  async #compile(project: Project, dry = false): Promise<Compilation | undefined> {
    const { folder, target } = project;
    let compilation: Compilation;
    try {
      compilation = await this.#compiler.compile({ folder, target, dry });
    } catch (error) {
      if (!this.#closed) this.#listener.failed(messageOf(error));
      return undefined;
    }
    const { sources, messages, error } = compilation;
    this.#sources.set(project, sources);
    this.#watcher?.add([...new Set(sources.map((file) => dirname(file)))].filter((path) => path !== folder));
    if (!dry && messages) this.#listener.messages(messages);
    if (!dry && error !== undefined) {
      this.#listener.failed(`${relative("", folder) || "the filter"} does not compile: ${error}`);
    }
    return compilation;
  }

  async #warmUp(): Promise<void> {
    for (const project of this.#projects) {
      for (let time = 0; time < WARM_UPS && !this.#changed.size && !this.#closed; time++) {
        await this.#compile(project, true);
      }
      const sources = this.#sources.get(project) ?? [];
      const times = (await Promise.all(sources.map(writtenAt))).map((time) => time ?? 0);
      if (Math.max(0, ...times) > ((await writtenAt(project.module)) ?? 0)) this.#change(sources.at(-1)!);
    }
  }
}

/** Where the sources of a project are before they are known. */
function ownFolders({ folder }: Project): string[] {
  return [join(folder, CONFIG), join(folder, "assembly")];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
