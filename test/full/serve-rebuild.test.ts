// `serve` in a project: compiles what is not there, and what is saved, while requests go on.

import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { type RunningCommand, startCommand } from "../support/running-command.ts";
import { headerFilter, makeProject, removeProject } from "../support/project.ts";

let parent: string;
let folder: string;
let serving: RunningCommand;
let url: string;
let finish = (): void => {};
const upstream = createServer((request, response) => {
  response.write("begun, ");
  if (request.url === "/long") finish = () => response.end("ended");
  else response.end("ended");
});

beforeAll(async () => {
  await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  const { port } = upstream.address() as AddressInfo;
  const files = { "assembly/index.ts": headerFilter("x-first"), "config.json": "one" };
  parent = await mkdtemp(join(tmpdir(), "proxy-wasm-"));
  // A project may lie below such a folder itself.
  folder = await makeProject(files, join(parent, "node_modules"));
  const flags = ["--port", "0", "--upstream", `http://127.0.0.1:${port}`, "--config", "@config.json"];
  serving = startCommand(["serve", ...flags], { cwd: folder });
  url = (await serving.says(/curl -i (\S+)\//, 60))[1]!;
});
afterAll(async () => {
  await serving.stop();
  upstream.closeAllConnections();
  upstream.close();
  await removeProject(parent);
});

async function header(name: string): Promise<string | null> {
  return (await fetch(url)).headers.get(name);
}

test("compiles a module that is not there", async () => {
  expect(await header("x-first")).toBe("one");
});

test("loads what is saved; what is under way ends as it began, and nobody is refused", async () => {
  const long = await fetch(`${url}/long`);
  const failures: unknown[] = [];
  const asking = new AbortController();
  const asked = (async () => {
    while (!asking.signal.aborted) {
      const response = await fetch(url).catch((error: unknown) => failures.push(error));
      if (response instanceof Response && response.status !== 200) failures.push(response.status);
      await (response as Response).arrayBuffer?.();
    }
  })();
  await writeFile(join(folder, "assembly/index.ts"), headerFilter("x-second"));
  const [, milliseconds] = await serving.says(/Loaded again, (\d+) ms after the change of assembly\/index\.ts/, 60);
  console.log(`save to answer: ${milliseconds} ms, beside a client that asks all the time`);
  expect(await header("x-second")).toBe("one");
  finish();
  expect(long.headers.get("x-first")).toBe("one");
  expect(await long.text()).toBe("begun, ended");
  asking.abort();
  await asked;
  expect(failures).toEqual([]);
});

test("serves on with what there was when a source does not compile, and says where", async () => {
  await writeFile(join(folder, "assembly/index.ts"), "export class {");
  await serving.says(/ERROR TS\d+[\s\S]*assembly\/index\.ts\(1,14\)[\s\S]*does not compile: 2 parse error/, 60);
  expect(await header("x-second")).toBe("one");
  await writeFile(join(folder, "assembly/index.ts"), headerFilter("x-third"));
  await expect.poll(() => header("x-third"), { timeout: 60_000 }).toBe("one");
});

test("follows files that the source has come to import", async () => {
  await mkdir(join(folder, "shared"));
  await writeFile(join(folder, "shared/name.ts"), 'export const NAME = "a";');
  const source = headerFilter("x-fourth").replace("this.root.value)", "NAME)");
  await writeFile(join(folder, "assembly/index.ts"), `import { NAME } from "../shared/name";\n${source}`);
  await expect.poll(() => header("x-fourth"), { timeout: 60_000 }).toBe("a");
  await writeFile(join(folder, "shared/name.ts"), 'export const NAME = "b";');
  await expect.poll(() => header("x-fourth"), { timeout: 60_000 }).toBe("b");
  await writeFile(join(folder, "assembly/index.ts"), headerFilter("x-fifth"));
  await expect.poll(() => header("x-fifth"), { timeout: 60_000 }).toBe("one");
});

test("loads a configuration that is saved, and keeps the one before when the filter refuses it", async () => {
  await writeFile(join(folder, "config.json"), "two");
  await expect.poll(() => header("x-fifth")).toBe("two");
  await writeFile(join(folder, "config.json"), "refuse");
  await serving.says(/the filter refused its configuration .*; what was loaded before serves on/);
  expect(await header("x-fifth")).toBe("two");
});

test("ends in order although a client waits, and breaks off what does not end", async () => {
  const long = await fetch(`${url}/long`);
  const read = long.text().catch(() => "broken off");
  serving.child.kill("SIGINT");
  await serving.says(/waiting up to 3 s for 1 exchange under way/);
  expect(await serving.ended).toBe(0);
  expect(serving.stderr()).toContain("broke off 1 exchange");
  expect(await read).toBe("broken off");
});
