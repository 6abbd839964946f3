// A project in a folder of its own, as `init` would leave it after `npm install`.

import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Makes it with these files beside its configuration, and gives its folder, which is in `parent`. */
export async function makeProject(files: Readonly<Record<string, string>>, parent = tmpdir()): Promise<string> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "proxy-wasm-project-"));
  const all: Record<string, string> = {
    "package.json": JSON.stringify({ name: "project", private: true, type: "module" }),
    "asconfig.json": JSON.stringify({
      extends: "proxy-wasm/asconfig.json",
      entries: ["assembly/index.ts"],
      targets: { release: { outFile: "build/release.wasm" }, debug: { outFile: "build/debug.wasm" } },
    }),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  await mkdir(join(folder, "node_modules"));
  for (const [name, target] of [
    ["proxy-wasm", root],
    ["assemblyscript", join(root, "node_modules/assemblyscript")],
    ["vitest", join(root, "node_modules/vitest")],
  ] as const) {
    await symlink(target, join(folder, "node_modules", name));
  }
  return folder;
}

/** Removes it. */
export function removeProject(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}

/** A filter that adds a header with its configuration to responses; `header` is its name. */
export function headerFilter(header: string): string {
  return `
import { Action, HttpContext, registerRootContext, RootContext } from "proxy-wasm/assembly";

class Root extends RootContext {
  value: string = "";

  override onConfigure(_size: u32): bool {
    const configuration = this.configuration;
    this.value = configuration !== null ? configuration : "none";
    return this.value != "refuse";
  }

  override createHttpContext(): HttpContext {
    return new Filter(this);
  }
}

class Filter extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("${header}", this.root.value);
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
`;
}
