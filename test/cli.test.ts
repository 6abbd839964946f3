import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { run } from "../src/cli/run.ts";
import { command } from "./support/command.ts";
import { compileFilter, compileSource, filterWat } from "./support/compile.ts";

let folder: string;
let filter: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-"));
  filter = join(folder, "filter.wasm");
  await writeFile(filter, filterWat({}));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("serve", () => {
  test("says where it listens, how to try it and how to stop it", async () => {
    const { code, stdout } = await command(["serve", filter, "--port", "0"], /Ctrl-C/);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Serving .*filter\.wasm on http:\/\/localhost:\d+; what it lets through is answered with "Hello, world!"\.\nTry it:  curl -i http:\/\/localhost:\d+\/\nStop it: Ctrl-C\n$/,
    );
  });

  test.each([
    [
      "an upstream that is no URL",
      ["f", "--upstream", "localhost:3000"],
      2,
      /'localhost:3000' is invalid\. An http, https or h2c \(HTTP\/2 without TLS\) URL is expected/,
    ],
    [
      "a cluster without a name",
      ["f", "--cluster", "http://a"],
      2,
      /A name and an http, https or h2c .* URL are expected/,
    ],
    [
      "a cluster that is given twice",
      ["f", "--cluster", "a=http://a", "--cluster", "a=http://b"],
      2,
      /The cluster a is given twice/,
    ],
    [
      "more configurations than modules",
      ["f", "--config", "1", "--config", "2"],
      2,
      "error: --config is given 2 times, and there is one module: each belongs to the module in its place\n",
    ],
    ["a port that is none", ["f", "--port", "http"], 2, /'http' is invalid\. A number from 0 to 65535 is expected/],
    ["an unknown option", ["f", "--prot", "1"], 2, /unknown option '--prot'\n\(Did you mean --port\?\)/],
    ["a policy that is none", ["f", "--failure-policy", "shut"], 2, /Allowed choices are closed, open, reload/],
    [
      "a missing configuration file",
      ["--config", "@no.json"],
      1,
      "error: cannot read the configuration file no.json: there is no such file\n",
    ],
  ])("refuses %s", async (_what, args, code, message) => {
    const result = await command(["serve", ...args]);
    expect(result.code).toBe(code);
    if (typeof message === "string") expect(result.stderr).toBe(message);
    else expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  test("refuses what is no filter", async () => {
    const plain = join(folder, "plain.wasm");
    await writeFile(plain, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(await command(["serve", plain])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("exports none of"),
    });
  });

  test("refuses a configuration that the filter refuses, with what the filter says", async () => {
    const { file } = await compileFilter("lifecycle");
    const { code, stderr } = await command(["serve", file, "--root-id", "main", "--config", "refuse"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: the filter refused its configuration.*the name must not be refuse/);
  });

  test("refuses a port in use, and names another way", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    const { code, stderr } = await command(["serve", filter, "--port", String(port)]);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: port ${port} on 127.0.0.1 is in use; choose another with --port, or --port 0 for any\n`,
    );
  });

  test.each([
    ["no.such.host.invalid", /the host "no\.such\.host\.invalid" is not known here; give an address with --host/],
    ["203.0.113.1", /203\.0\.113\.1 is no address of this machine; choose one with --host/],
  ])("refuses to listen on %s", async (host, message) => {
    const { code, stderr } = await command(["serve", filter, "--port", "0", "--host", host]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  test("prints a line per exchange, the filter's log, and where a trap was", async () => {
    const { file } = await compileSource(`
      import { Action, HttpContext, logWarn, registerHttpContext } from "proxy-wasm/assembly";
      class Filter extends HttpContext {
        override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
          logWarn("about to fail");
          assert(this.requestHeaders.has("x-good"), "x-good is missing");
          return Action.Continue;
        }
      }
      registerHttpContext(() => new Filter());`);
    let url = "";
    const abort = new AbortController();
    const out: string[] = [];
    const err: string[] = [];
    const running = run(["serve", file, "--port", "0"], {
      stdout: {
        write(text: string) {
          out.push(text);
          url ||= /http:\/\/localhost:\d+/.exec(text)?.[0] ?? "";
        },
      },
      stderr: { write: (text: string) => err.push(text) },
      signal: abort.signal,
    });
    await expect.poll(() => url).not.toBe("");
    await fetch(url, { headers: { "x-good": "1", connection: "close" } });
    await fetch(`${url}/bad`, { headers: { connection: "close" } });
    await expect.poll(() => out.length).toBe(3);
    abort.abort();
    expect(await running).toBe(0);
    expect(out[1]).toMatch(/^GET \/ → 200, 13 bytes, \d+\.\d ms\n$/);
    expect(out[2]).toMatch(/^GET \/bad → 503, 0 bytes, \d+\.\d ms \(wasm_fail_stream\)\n$/);
    expect(err.join("")).toContain("[warn] about to fail\n");
    expect(err.join("")).toMatch(
      /the filter stopped in proxy_on_request_headers: x-good is missing at .*index\.ts:6:11/,
    );
  });
});

describe("the program", () => {
  test.each(["init", "build", "check", "serve", "envoy", "run-cases", "inspect", "manifest", "gaps", "completion"])(
    "has a help text for %s",
    async (name) => {
      const { code, stdout } = await command([name, "--help"]);
      expect(code).toBe(0);
      await expect(stdout).toMatchFileSnapshot(`cli/${name}.help.txt`);
      expect(await command(["help", name])).toMatchObject({ code: 0, stdout });
    },
  );

  test("has no help for what is no command, and says what may be meant", async () => {
    expect(await command(["help", "srve"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "error: unknown command 'srve'\n(Did you mean serve?)\n(--help shows what there is)\n",
    });
  });

  test("has a help text of its own, which is also what it says when nothing is asked of it", async () => {
    const { code, stdout } = await command(["--help"]);
    expect(code).toBe(0);
    await expect(stdout).toMatchFileSnapshot("cli/proxy-wasm.help.txt");
    expect(await command([])).toMatchObject({ code: 2, stdout });
  });

  test("tells its version", async () => {
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    expect(await command(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("refuses a command and an option that it does not know", async () => {
    expect(await command(["sreve"])).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean serve?") });
    expect(await command(["check", "--jsn"])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /unknown option '--jsn'\n\(Did you mean --json\?\)\n\(--help shows what there is\)/,
      ),
    });
  });

  test.each(["check", "inspect", "serve"])("says to %s what is no module", async (name) => {
    const missing = await command([name, "no.wasm"]);
    expect(missing).toMatchObject({
      code: 1,
      stderr: "error: cannot read no.wasm: there is no such file; has the filter been built?\n",
    });
    expect(await command([name, folder])).toMatchObject({
      code: 1,
      stderr: `error: cannot read ${folder}: it is a folder; give the compiled filter in it, such as build/release.wasm\n`,
    });
    const text = join(folder, "text.wasm");
    await writeFile(text, "no module");
    expect(await command([name, text])).toMatchObject({
      code: 1,
      stderr: `error: ${text} is no WebAssembly module: it does not begin with "\\0asm"; give the compiled filter\n`,
    });
  });

  test("lists what the host does not do, and why, from the file that the package has", async () => {
    const gaps = JSON.parse(await readFile("test/known-gaps.json", "utf8")) as Record<string, string>;
    const json = await command(["gaps", "--json"]);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(json.stdout)).toEqual(gaps);
    const { code, stdout } = await command(["gaps"]);
    expect(code).toBe(0);
    const entries = stdout.split(/^(?! )/m).map((entry) => entry.split("\n").map((line) => line.trim()));
    expect(
      Object.fromEntries(entries.filter(([what]) => what).map(([what, ...why]) => [what, why.join(" ").trim()])),
    ).toEqual(gaps);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    const { files } = JSON.parse(await readFile("package.json", "utf8")) as { files: string[] };
    expect(files).toContain("test/known-gaps.json");
  });

  test("ends in order on Ctrl-C", async () => {
    const main = resolve(import.meta.dirname, "../dist/src/cli/main.js");
    expect(await readFile(main, "utf8")).toMatch(/^#!\/usr\/bin\/env node/);
    const child = spawn(process.execPath, [main, "serve", filter, "--port", "0"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("Ctrl-C")) child.kill("SIGINT");
    });
    const code = await new Promise((done) => child.on("exit", done));
    expect(code).toBe(0);
  });
});
