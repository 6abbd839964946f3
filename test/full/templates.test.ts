// Every template as a stranger gets it: the packed packages, `create-proxy-wasm` in an empty folder, then what the
// project's README says, a look of tsc at it in place of an editor's, and one real request.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { explainMissingEnvoy, findEnvoy, freePort, startEnvoy } from "../support/envoy.ts";

const root = resolve(import.meta.dirname, "../..");
const runFile = promisify(execFile);
const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-templates-"));
  const packed = await Promise.all([root, join(root, "create-proxy-wasm")].map((path) => pack(path)));
  [tarball] = packed as [string];
  await run("npm", ["install", "--no-audit", "--no-fund", ...packed], folder);
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function pack(path: string): Promise<string> {
  const json = await run("npm", ["pack", "--json", "--pack-destination", folder], path);
  return join(folder, (JSON.parse(json) as [{ filename: string }])[0].filename);
}

/** Runs a program as a person would, outside of vitest; gives what it prints. */
async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await runFile(program, args, { cwd, env: environment(), maxBuffer: 2 ** 26 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

function environment(): NodeJS.ProcessEnv {
  const { NODE_ENV: _env, VITEST: _vitest, ...env } = process.env;
  return { ...env, NO_COLOR: "1", CI: "true" };
}

/** Makes a project, with the packed package in place of one from the registry. */
async function makeProject(template: string, name = template): Promise<string> {
  const project = join(folder, name);
  const output = await run("npx", ["create-proxy-wasm", name, "--template", template], folder);
  expect(output).toContain(`Made ${name} from the template ${template}.`);
  expect(await readFile(join(project, ".gitignore"), "utf8")).toBe("node_modules/\nbuild/\n");
  const file = join(project, "package.json");
  const manifest = JSON.parse(await readFile(file, "utf8")) as { devDependencies: Record<string, string> };
  manifest.devDependencies["proxy-wasm"] = `file:${tarball}`;
  await writeFile(file, JSON.stringify(manifest));
  return project;
}

/** Runs `npm start` or another command that serves until it has asked; `ask` gets where it serves. */
async function served<T>(words: readonly string[], project: string, ask: (url: string) => Promise<T>): Promise<T> {
  const [program, ...args] = words;
  const child = spawn(program!, args, { cwd: project, env: environment(), detached: true });
  const ended = new Promise((done) => child.once("close", done));
  try {
    return await ask(await urlOf(child));
  } finally {
    if (child.exitCode === null) process.kill(-child.pid!, "SIGINT");
    await ended;
  }
}

function urlOf(child: ChildProcess): Promise<string> {
  return new Promise((done, reject) => {
    let text = "";
    const hear = (chunk: Buffer): void => {
      text += chunk.toString();
      const url = /curl -i (http:\/\/[^\s/]+)/.exec(text)?.[1];
      if (url) done(url);
    };
    child.stdout!.on("data", hear);
    child.stderr!.on("data", hear);
    child.once("close", (code) => reject(new Error(`it ended with ${code}:\n${text}`)));
  });
}

/** What a program serves on the loopback address while it is needed. */
async function listening<T>(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  ask: (port: number) => Promise<T>,
): Promise<T> {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    return await ask((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const get = (url: string, path = "/", headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url + path, { headers: { connection: "close", ...headers } });

/** What shows that a template's filter is at work. */
const requests: Record<string, (project: string, skip: () => void) => Promise<void>> = {
  async "add-header"(project) {
    const response = await served(["npm", "start", "--", "--port", "0"], project, (url) => get(url));
    expect(response.headers.get("x-service-name")).toBe("my-service");
  },
  async "rewrite-body"(project) {
    const start = ["npm", "start", "--", "--port", "0"];
    expect(await served(start, project, async (url) => (await get(url)).text())).toBe("Hello, filter!");
  },
  async "auth-callout"(project) {
    const { scripts } = JSON.parse(await readFile(join(project, "package.json"), "utf8")) as {
      scripts: { start: string };
    };
    expect(scripts.start).toContain("--cluster auth=http://localhost:4000");
    const check = (request: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(request.headers.authorization === "Bearer secret" ? 200 : 401).end();
    };
    const status = async (url: string, token?: string): Promise<number> =>
      (await get(url, "/", token === undefined ? {} : { authorization: `Bearer ${token}` })).status;
    const serve = ["npx", "proxy-wasm", "serve", "--port", "0", "--cluster"];
    await listening(check, (port) =>
      served([...serve, `auth=http://localhost:${port}`], project, async (url) => {
        expect(await status(url)).toBe(403);
        expect(await status(url, "secret")).toBe(200);
      }),
    );
    const nobody = await freePort();
    expect(await served([...serve, `auth=http://localhost:${nobody}`], project, (url) => status(url, "secret"))).toBe(
      503,
    );
  },
  async "local-reply"(project) {
    await served(["npm", "start", "--", "--port", "0"], project, async (url) => {
      expect(await (await get(url, "/healthz")).json()).toEqual({ status: "ok" });
      expect((await get(url, "/internal/a")).status).toBe(403);
    });
  },
  async tcp(project, skip) {
    if (!envoy) return skip();
    await listening(
      (_request, response) => void response.end("from the upstream"),
      async (upstream) => {
        const port = await freePort();
        const config = (await readFile(join(project, "envoy.yaml"), "utf8"))
          .replace("port_value: 10000", `port_value: ${port}`)
          .replace("port_value: 3000", `port_value: ${upstream}`);
        const running = await startEnvoy(envoy, config, project);
        try {
          expect(await (await get(`http://127.0.0.1:${port}`)).text()).toBe("from the upstream");
          await running.logged("received ");
        } finally {
          await running.stop();
        }
      },
    );
  },
  async "access-log"(project) {
    const start = ["npm", "start", "--", "--port", "0"];
    const child = await served(start, project, async (url) => (await get(url, "/logged")).status);
    expect(child).toBe(200);
  },
};

describe.each(Object.keys(requests))("a project from the template %s", (template) => {
  let project: string;
  beforeAll(async () => {
    project = await makeProject(template);
    await run("npm", ["install", "--no-audit", "--no-fund"], project);
  }, 120_000);

  test("builds, and its tests pass", async () => {
    expect(await run("npm", ["test"], project)).toMatch(/Test Files {2}1 passed/);
    expect(await run("npm", ["run", "build"], project)).toMatch(/build\/release\.wasm: [\d,]+ bytes, ABI 0\.2\.1/);
    expect(await run("npx", ["proxy-wasm", "check", "--for", "istio", "envoy"], project)).toContain("loads");
  });

  test("is right in an editor's eyes", async () => {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    expect(await run(process.execPath, [tsc, "--noEmit", "-p", "tsconfig.json"], project)).toBe("");
    expect(await run(process.execPath, [tsc, "--noEmit", "-p", "assembly"], project)).toBe("");
  });

  test("serves", ({ skip }) => requests[template]!(project, () => skip("there is no Envoy")));
});

test.each([
  ["pnpm", "pnpm@10"],
  ["yarn", "yarn@1"],
])("a project works with %s", async (name, spec) => {
  const tools = join(folder, `tool-${name}`);
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefix", tools, spec], folder);
  const project = await makeProject("add-header", `with-${name}`);
  const path = `${join(tools, "node_modules/.bin")}${delimiter}${process.env["PATH"]}`;
  const manager = (...args: string[]): Promise<string> => run("env", [`PATH=${path}`, name, ...args], project);
  await manager("install");
  expect(await manager("test")).toMatch(/Test Files {2}1 passed/);
  expect(await manager("run", "build")).toContain("build/release.wasm: ");
});
