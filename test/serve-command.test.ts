// `proxy-wasm serve` as a person sees it: traces, failures, servers that are away, the inspector, and its end.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { run } from "../src/cli/run.ts";
import type { Streams } from "../src/cli/streams.ts";
import { program, startCommand } from "./support/running-command.ts";
import { filterWat, hostCall } from "./support/compile.ts";
import { frameBytes, frameTypes, getFrame, preface } from "./support/http2-frames.ts";
import { makeProject, removeProject } from "./support/project.ts";
import { closeAll, closeLater, listen } from "./support/serve.ts";

/** Adds `x: 1` to responses, asks for a header that is not there, and stops at a path that begins with `/t`. */
const module = filterWat({
  imports: hostCall("get_header_map_value", 5) + hostCall("add_header_map_value", 5) + hostCall("log", 3),
  data: "x1nothing:path",
  functions: `
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (drop (call $get_header_map_value (i32.const 0) (i32.const 18) (i32.const 7) (i32.const 256) (i32.const 260)))
      (drop (call $log (i32.const 2) (i32.const 18) (i32.const 7)))
      (drop (call $get_header_map_value (i32.const 0) (i32.const 25) (i32.const 5) (i32.const 256) (i32.const 260)))
      (if (i32.eq (i32.load8_u offset=1 (i32.load (i32.const 256))) (i32.const 116)) (then unreachable))
      (i32.const 0))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
      (drop (call $add_header_map_value (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 17) (i32.const 1)))
      (i32.const 0))`,
});

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-"));
  file = join(folder, "filter.wasm");
  await writeFile(file, module);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(closeAll);

interface Serving {
  readonly url: string;
  stdout(): string;
  stderr(): string;
  end(): Promise<number>;
}

/** Serves in this process until it is ended. */
async function serving(args: readonly string[], streams: Partial<Streams> = {}, served = file): Promise<Serving> {
  const abort = new AbortController();
  const outputs = { stdout: "", stderr: "" };
  const stdout = { write: (text: string) => (outputs.stdout += text) };
  const stderr = { write: (text: string) => (outputs.stderr += text) };
  const words = ["serve", served, "--port", "0", "--no-watch", ...args];
  const code = run(words, { stdout, stderr, signal: abort.signal, ...streams });
  const end = (): Promise<number> => {
    abort.abort();
    return code;
  };
  closeLater(end);
  const url = (): string => /curl -i (\S+)\/\n/.exec(outputs.stdout + outputs.stderr)?.[1] ?? "";
  await expect.poll(url).not.toBe("");
  return { url: url(), stdout: () => outputs.stdout, stderr: () => outputs.stderr, end };
}

const secret = { headers: { authorization: "Bearer top-secret", "x-token": "also-secret", connection: "close" } };

describe("--trace", () => {
  test("shows on a terminal each callback, host call, status and why, and what became of the headers", async () => {
    const server = await serving(["--trace"], { isTerminal: true });
    await fetch(`${server.url}/hello`, secret);
    await expect.poll(server.stdout).toContain("+ x: 1");
    const text = server
      .stdout()
      .replace(/^ +[\d.]+ {2}/gm, "")
      .replace(/[\d.]+ ms/g, "N ms");
    expect(text.slice(text.indexOf("#1"))).toMatch(
      new RegExp(
        [
          "^#1 GET /hello → 200, 13 bytes, N ms$",
          "^proxy_on_request_headers\\(2, \\d+, 1\\) → 0 Continue$",
          "^  proxy_get_header_map_value → NotFound: .+$",
          "^  log info: nothing$",
          "^  proxy_get_header_map_value → Ok$",
          "^proxy_on_response_headers\\(2, \\d+, 0\\) → 0 Continue$",
          "^  proxy_add_header_map_value → Ok$",
          "^response  \\+ x: 1$",
        ].join("\n[^]*?"),
        "m",
      ),
    );
    expect(server.stdout()).not.toMatch(/secret|\x1b/);
    // The trace has it already.
    expect(server.stderr()).toBe("");
  });

  test("is coloured where colours are wanted", async () => {
    const server = await serving(["--trace"], { isTerminal: true, color: { stdout: true, stderr: false } });
    await fetch(server.url, secret);
    await expect.poll(server.stdout).toContain("\x1b[36mproxy_on_request_headers\x1b[39m");
  });

  test("and the rest too, on each output by itself", async () => {
    const both = await serving([], { color: { stdout: true, stderr: true } });
    const one = await serving([], { color: { stdout: true, stderr: false } });
    const other = await serving(["--json"], { color: { stdout: true, stderr: false } });
    for (const { url } of [both, one, other]) await fetch(`${url}/trap`, { headers: { connection: "close" } });
    for (const { stderr } of [both, one, other]) await expect.poll(stderr).toContain("stopped in");
    for (const { stdout } of [both, one]) expect(stdout()).toContain("\x1b[");
    expect(both.stderr()).toContain("\x1b[31m");
    expect(one.stderr() + other.stderr() + other.stdout()).not.toContain("\x1b");
  });

  test("is JSON Lines for programs, and the story goes to stderr", async () => {
    const server = await serving(["--trace"]);
    await fetch(`${server.url}/hello`, secret);
    await expect.poll(server.stdout).toContain('"end"');
    const lines = server
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({ exchange: 1, kind: "callback", name: "proxy_on_request_headers", result: 0 }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({
        kind: "call",
        name: "proxy_get_header_map_value",
        status: "NotFound",
        reason: expect.any(String),
      }),
    );
    expect(lines.at(-1)).toMatchObject({
      exchange: 1,
      kind: "end",
      method: "GET",
      path: "/hello",
      status: 200,
      responseChanges: [{ kind: "added", name: "x", value: "1" }],
    });
    expect(server.stdout()).not.toContain("secret");
    expect(server.stderr()).toMatch(/^Serving /);
  });
});

describe("what would control a terminal is written out", () => {
  /** Logs what would clear the screen, adds it to the answer as far as it may, and stops at the second request. */
  const loud = filterWat({
    imports: hostCall("add_header_map_value", 5) + hostCall("log", 3),
    data: "\\1b[2J\\c2\\9bx",
    functions: `
      (global $asked (mut i32) (i32.const 0))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $log (i32.const 2) (i32.const 16) (i32.const 6)))
        (drop (call $add_header_map_value
          (i32.const 0) (i32.const 22) (i32.const 1) (i32.const 20) (i32.const 2)))
        (if (global.get $asked) (then unreachable))
        (global.set $asked (i32.const 1))
        (i32.const 0))`,
  });
  let loudFile: string;
  beforeAll(async () => {
    loudFile = join(folder, "loud.wasm");
    await writeFile(loudFile, loud);
  });

  test.each<[string, string[], Partial<Streams>, RegExp]>([
    ["in what filters log", [], {}, /^\[info\] \\u\{1b\}\[2J\\u\{9b\}$/m],
    ["in a trace", ["--trace"], { isTerminal: true }, /log info: \\u\{1b\}\[2J\\u\{9b\}[^]*\+ x: \\u\{9b\}$/m],
    ["in one for programs", ["--json"], {}, /"\\u001b\[2J\\u009b"[^]*"x","value":"\\u009b"/],
  ])("%s", async (_where, args, streams, shown) => {
    const server = await serving(args, streams, loudFile);
    for (const status of [200, 503]) {
      expect((await fetch(server.url, { headers: { connection: "close" } })).status).toBe(status);
    }
    await expect.poll(server.stderr).toContain("stopped in");
    const text = server.stdout() + server.stderr();
    expect(text).toMatch(shown);
    expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/);
  });
});

test("a failed filter: where it was, and what becomes of requests from now on, once", async () => {
  const server = await serving([]);
  for (const [path, status] of [
    ["/fine", 200],
    ["/trap", 503],
    ["/fine", 503],
  ] as const) {
    expect((await fetch(server.url + path, { headers: { connection: "close" } })).status).toBe(status);
  }
  await expect.poll(server.stderr).toContain("--failure-policy");
  expect(server.stderr().match(/the filter stopped in proxy_on_request_headers/g)).toHaveLength(1);
  expect(server.stderr()).toMatch(
    /every request is answered with 503 from now on.*see --failure-policy reload and open/,
  );
});

test("an upstream that is away is told once, in words", async () => {
  const free = createServer();
  const port = await listen(free);
  await new Promise((done) => free.close(done));
  const server = await serving(["--upstream", `http://127.0.0.1:${port}`]);
  for (let i = 0; i < 3; i++) expect((await fetch(server.url, { headers: { connection: "close" } })).status).toBe(503);
  expect(server.stderr().match(/\[serve\] .*/g)).toEqual([
    `[serve] the upstream at http://127.0.0.1:${port}/ cannot be reached: nothing listens there`,
  ]);
});

test("an upstream that was reached has failed", async () => {
  const rude = createServer((socket) => socket.once("data", () => socket.destroy()));
  const port = await listen(rude);
  closeLater(() => rude.close());
  const server = await serving(["--upstream", `http://127.0.0.1:${port}`]);
  expect((await fetch(server.url)).status).toBe(503);
  expect(server.stderr()).toContain(
    `[serve] the upstream at http://127.0.0.1:${port}/ has failed: it broke the connection\n`,
  );
});

test("a client of HTTP/2 that takes its request back at once, or breaks the protocol then, ends nothing", async () => {
  const child = startCommand(["serve", file, "--port", "0", "--no-watch"]);
  closeLater(() => child.stop());
  const [, url, port] = await child.says(/curl -i (http:\/\/localhost:(\d+)\/)/);
  const CANCEL = Buffer.of(0, 0, 0, 8);
  const [settings, head] = [
    { type: frameTypes.settings, flags: 0, stream: 0, payload: Buffer.alloc(0) },
    getFrame("/"),
  ];
  for (const last of [
    { type: frameTypes.reset, flags: 0, stream: 1, payload: CANCEL },
    { type: frameTypes.windowUpdate, flags: 0, stream: 0, payload: Buffer.alloc(4) },
  ]) {
    const client = connect(Number(port), "127.0.0.1");
    client.on("error", () => {});
    client.write(Buffer.concat([Buffer.from(preface), frameBytes(settings), head, frameBytes(last)]));
    await new Promise((answered) => client.on("data", answered).on("close", answered));
    client.destroy();
    expect((await fetch(url!)).status).toBe(200);
  }
  expect(await child.stop()).toBe(0);
  expect(child.stderr()).not.toMatch(/\n {4}at /);
});

test.each([
  ["proxy_on_new_connection", "has callbacks for TCP connections only: HTTP passes it by"],
  ["proxy_on_tick", "has no callback for HTTP: requests and responses pass it by"],
])("says that HTTP passes a filter by which has only %s", async (callback, text) => {
  const type = callback === "proxy_on_tick" ? "(param i32)" : "(param i32) (result i32) (i32.const 0)";
  const other = join(folder, "other.wasm");
  await writeFile(other, filterWat({ functions: `(func (export "${callback}") ${type})` }));
  const { end, stderr } = await serving([], {}, other);
  expect(stderr()).toContain(`[serve] ${other} ${text}`);
  await end();
});

describe("a callback that never ends", () => {
  const loop = "(loop $again (br $again))";
  const configure = `(func (export "proxy_on_configure") (param i32 i32) (result i32) ${loop} (i32.const 1))`;

  /** Loops at a request, after so many others. */
  const loopingAfter = (requests: number): Uint8Array =>
    filterWat({
      functions: `
        (global $requests (mut i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
          (if (i32.gt_u (global.get $requests) (i32.const ${requests})) (then ${loop}))
          (i32.const 0))`,
    });

  test.each([
    ["the first one", 0],
    ["a later one", 30],
  ])("counts as a failure of the filter: %s", async (_which, requests) => {
    const looping = join(folder, `looping-${requests}.wasm`);
    await writeFile(looping, loopingAfter(requests));
    const child = startCommand(["serve", looping, "--port", "0", "--no-watch"]);
    closeLater(() => child.stop());
    const [, url] = await child.says(/curl -i (\S+)/);
    for (let i = 0; i < requests; i++) expect((await fetch(url!)).status).toBe(200);
    // A later one is broken off.
    await fetch(url!).catch(() => {});
    await child.says(/proxy_on_request_headers\b.*it ran for more than 3 s, as if it never ended/);
    expect((await fetch(url!)).status).toBe(503);
    expect(await child.stop()).toBe(0);
  });

  test("does not outlive Ctrl-C; one that loads ends the command", async () => {
    const [looping, never] = [join(folder, "looping.wasm"), join(folder, "never.wasm")];
    await writeFile(looping, loopingAfter(30));
    await writeFile(never, filterWat({ functions: configure }));
    const loading = startCommand(["serve", never, "--port", "0", "--no-watch"]);
    closeLater(() => loading.stop());
    const child = startCommand(["serve", looping, "--port", "0", "--no-watch"]);
    closeLater(() => child.stop());
    const [, url] = await child.says(/curl -i (\S+)/);
    for (let i = 0; i < 30; i++) expect((await fetch(url!)).status).toBe(200);
    const asked = fetch(url!).catch(() => {});
    // What is sent behind it comes while it loops.
    await new Promise((sent) => connect(Number(new URL(url!).port), "127.0.0.1", () => sent(undefined)));
    expect(await child.stop()).toBe(0);
    await asked;
    expect(await loading.ended).toBe(1);
    expect(loading.stderr()).toMatch(/^error: .*proxy_on_configure.*it ran for more than 3 s/s);
  });
});

test("--quiet writes nothing of exchanges that go well", async () => {
  const child = startCommand(["serve", file, "--port", "0", "--no-watch", "--quiet", "--inspect"]);
  closeLater(() => child.stop());
  const [, metrics] = await child.says(/metrics on (\S+)/);
  expect((await fetch(metrics!)).status).toBe(200);
  expect(child.stdout()).not.toContain("Serving");
  expect(await child.stop()).toBe(0);
});

test("knows the source of a module by what its configuration extends", async () => {
  const project = await makeProject({
    "base.json": JSON.stringify({ targets: { release: { outFile: "build/out.wasm" } } }),
    "asconfig.json": JSON.stringify({ extends: "./base.json", entries: ["assembly/index.ts"] }),
    "assembly/index.ts": "export class {",
  });
  closeLater(() => removeProject(project));
  const child = startCommand(["serve", "build/out.wasm", "--port", "0"], { cwd: project });
  closeLater(() => child.stop());
  expect(await child.ended).toBe(1);
  expect(child.stdout()).toBe("Compiling build/out.wasm …\n");
  expect(child.stderr()).toMatch(/\nerror: build\/out\.wasm is not there, and its source does not compile\n$/);
});

test("says where an asconfig.json is broken, and serves a module that is there", async () => {
  const project = await makeProject({ "asconfig.json": '{\n  "entries": ["a",]\n}' });
  closeLater(() => removeProject(project));
  const place = `asconfig.json:2:19 is no JSON: "]" cannot stand there`;
  const without = startCommand(["serve", "--port", "0"], { cwd: project });
  closeLater(() => without.stop());
  expect(await without.ended).toBe(1);
  expect(without.stderr()).toBe(`error: ${place}\n`);
  await mkdir(join(project, "build"));
  await writeFile(join(project, "build/release.wasm"), module);
  const child = startCommand(["serve", "--port", "0"], { cwd: project });
  closeLater(() => child.stop());
  const [, url] = await child.says(/curl -i (\S+)/);
  expect(child.stderr()).toBe(`[serve] build/release.wasm is not compiled again: ${place}\n`);
  expect((await fetch(url!)).headers.get("x")).toBe("1");
  expect(await child.stop()).toBe(0);
});

test("serves on where no temporary files can be written", async () => {
  const project = await makeProject({ "assembly/index.ts": "export function f(): void {}", "build/release.wasm": "" });
  closeLater(() => removeProject(project));
  const built = join(project, "build/release.wasm");
  await writeFile(built, module);
  // Sources that are newer are compiled first.
  await utimes(join(project, "assembly/index.ts"), 0, 0);
  await utimes(join(project, "asconfig.json"), 0, 0);
  const child = startCommand(["serve", "--port", "0"], { cwd: project, env: { TMPDIR: join(project, "nowhere") } });
  closeLater(() => child.stop());
  const [, url] = await child.says(/curl -i (\S+)/);
  await writeFile(join(project, "assembly/index.ts"), "export class {");
  await child.says(/the filter does not compile/);
  expect((await fetch(url!)).headers.get("x")).toBe("1");
  expect(await child.stop()).toBe(0);
});

test("--inspect refuses a port in use, and nothing goes on listening", async () => {
  const taken = createServer();
  const port = await listen(taken);
  closeLater(() => taken.close());
  const outputs = { stdout: "", stderr: "" };
  const stdout = { write: (text: string) => (outputs.stdout += text) };
  const stderr = { write: (text: string) => (outputs.stderr += text) };
  const words = ["serve", file, "--port", "0", "--no-watch", "--inspect", String(port)];
  expect(await run(words, { stdout, stderr, signal: new AbortController().signal })).toBe(1);
  expect(outputs.stderr).toContain(`port ${port} on 127.0.0.1 is in use; choose another with --inspect`);
});

describe("Ctrl-C", () => {
  test(
    "in a terminal reaches npm and serve at once, and again by npm: serve ends in order",
    { timeout: 30_000 },
    async () => {
      const scripts = { start: `"${process.execPath}" "${program}" serve "${file}" --port 0 --no-watch` };
      await writeFile(join(folder, "package.json"), JSON.stringify({ name: "p", private: true, scripts }));
      const npm = spawn("npm", ["start", "--silent"], {
        cwd: folder,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [text, ended] = ["", false];
      for (const stream of [npm.stdout, npm.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
      const closed = new Promise<void>((done) => npm.on("close", () => done(void (ended = true))));
      closeLater(() => ended || process.kill(-npm.pid!, "SIGKILL"));
      await expect.poll(() => text).toContain("Ctrl-C");
      const [, url] = /curl -i (\S+)\//.exec(text)!;
      expect((await fetch(url!)).status).toBe(200);
      // A terminal sends it to every process of the group.
      process.kill(-npm.pid!, "SIGINT");
      await closed;
      await expect(fetch(url!)).rejects.toThrow();
      expect(text).not.toMatch(/\n {4}at |ELIFECYCLE/);
    },
  );

  test("ends at once when it comes a second time", async () => {
    const child = startCommand(["serve", file, "--port", "0", "--no-watch"]);
    const [, port] = await child.says(/curl -i http:\/\/localhost:(\d+)/);
    const client = connect(Number(port), "127.0.0.1", () =>
      client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"),
    );
    client.on("error", () => {});
    await child.says(/\[info\] nothing/);
    child.child.kill("SIGINT");
    await child.says(/waiting up to 3 s for 1 exchange/);
    // What comes soon after the first is the same Ctrl-C.
    const again = (): number | null => (child.child.kill("SIGINT"), child.child.exitCode);
    await expect.poll(again).toBe(130);
    client.destroy();
  });
});
