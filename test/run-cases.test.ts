// `proxy-wasm run-cases`: what a file can say, what comes of cases that fail, and what is told of files that are wrong.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { command as runCommand, type CommandResult } from "./support/command.ts";
import { compileSource } from "./support/compile.ts";

const filter = `
import {
  Action, HttpCall, HttpContext, logInfo, logWarn, registerRootContext, RootContext,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  value: string = "";

  override onConfigure(_size: u32): bool {
    const configuration = this.configuration;
    this.value = configuration !== null ? configuration : "none";
    logInfo("configured with " + this.value);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Filter(this);
  }
}

class Filter extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const path = this.requestHeaders.get(":path")!;
    logInfo("asked for " + path + " at " + Date.now().toString());
    assert(path != "/trap", "the path is a trap");
    this.requestHeaders.set("x-value", this.root.value);
    this.requestHeaders.delete("x-drop");
    if (path == "/deny") {
      this.sendLocalResponse(403, "denied", null, 7, "no_entry");
      return Action.Pause;
    }
    if (path == "/hold") return Action.Pause;
    if (path != "/auth") return Action.Continue;
    const call = new HttpCall("auth").post("/check", "who").header("x-token", "t");
    return this.pauseFor(
      this.httpCall<Filter>(call, (self, response) => {
        if (response.status == 200) self.continueRequest();
        else self.sendLocalResponse(401, "no");
      }),
    );
  }

  override onRequestBody(size: u32, endOfStream: bool): Action {
    logInfo("request body " + size.toString() + " " + endOfStream.toString());
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.append("x-two", "2");
    return Action.Continue;
  }

  override onDelete(): void {
    logWarn("gone");
  }
}

registerRootContext("", () => new Root());
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-wasm-cases-"));
  const { bytes } = await compileSource(filter);
  await writeFile(join(folder, "filter.wasm"), bytes);
  await writeFile(join(folder, "config.txt"), "blue");
  await writeFile(join(folder, "head.http"), "GET /from/file HTTP/1.1\r\nHost: file.test\r\nX-Drop: 1\r\n\r\n");
  await writeFile(join(folder, "body.txt"), "0123456789");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function command(...args: string[]): Promise<CommandResult> {
  const { code, stdout, stderr } = await runCommand(["run-cases", ...args]);
  const plain = (text: string): string => text.replaceAll(`${folder}/`, "");
  return { code, stdout: plain(stdout), stderr: plain(stderr) };
}

async function cases(yaml: string, ...flags: string[]): Promise<CommandResult> {
  const file = join(folder, "cases.yaml");
  await writeFile(file, yaml);
  return command(file, ...flags);
}

const env = "env:\n  wasm_path: filter.wasm\n  config_path: config.txt\n  time_secs: 123456789\n";

const everything = `${env}test:
- name: headers are there behind the filter
  plugin_init:
    log:
    - exact: configured with blue
  request_headers:
    input:
      header:
      - { key: ":path", value: /hello }
      - { key: X-Drop, value: 1 }
    result:
      has_header:
      - { key: x-value, value: blue }
      - { key: ":method", value: GET }
      no_header:
      - key: x-drop
      headers:
      - regex: ":path: /he.*"
      - { exact: "x-drop: 1", invert: true }
      log:
      - exact: asked for /hello at 123456789000
      - { regex: .*error.*, invert: 'true' }
      paused: false
  response_headers:
    input:
      header:
      - { key: x-two, value: "1" }
    result:
      has_header:
      - { key: ":status", value: 200 }
      - { key: x-two, value: "1, 2" }
  stream_destroy:
    log:
    - exact: gone
- name: a head can be a message, or a file
  request_headers:
    input:
      file: head.http
    result:
      has_header:
      - { key: ":path", value: /from/file }
      - { key: ":authority", value: file.test }
      no_header:
      - key: host
  response_headers:
    input:
      content: |
        HTTP/1.1 404 Not Found
        X-Two: 1
    result:
      has_header:
      - { key: ":status", value: 404 }
- name: bodies come in pieces
  chunk_size: 4
  request_body:
  - input:
      file: body.txt
    result:
      body:
      - file: body.txt
      - regex: \\d+
      log:
      - exact: request body 4 false
      - exact: request body 2 true
- name: a filter answers by itself
  request_headers:
    input:
      header:
      - { key: ":path", value: /deny }
    result:
      immediate:
        http_status: 403
        grpc_status: 7
        details: no_entry
      body:
      - exact: denied
      has_header:
      - { key: x-two, value: 2 }
- name: servers that it calls answer
  clusters:
    auth:
    - status: 200
  request_headers:
    input:
      header:
      - { key: ":path", value: /auth }
    result:
      callout:
      - cluster: auth
        method: POST
        path: /check
        body: who
        has_header:
        - { key: x-token, value: t }
      has_header:
      - { key: x-value, value: blue }
- name: servers that it calls can fail
  clusters:
    auth:
    - failure: true
  request_headers:
    input:
      header:
      - { key: ":path", value: /auth }
    result:
      immediate:
        http_status: 401
`;

describe("cases", () => {
  test("say all that there is to say of an exchange", async () => {
    const { code, stdout, stderr } = await cases(everything);
    expect(stderr).toBe("");
    expect(stdout).toContain("✓ headers are there behind the filter\n");
    expect(stdout).toContain("6 cases pass\n");
    expect(code).toBe(0);
  });

  test("that fail tell where and why, and how many there are", async () => {
    const { code, stdout, stderr } = await cases(`${env}test:
- name: everything is wrong
  request_headers:
    input:
      header:
      - { key: ":path", value: /hello }
    result:
      has_header:
      - { key: x-value, value: red }
      no_header:
      - key: ":scheme"
      headers:
      - exact: "a: b"
      immediate:
        http_status: 403
      log:
      - { regex: asked.*, invert: true }
      - regex: nothing of the kind
      callout:
      - cluster: auth
      paused: true
- name: it traps
  request_headers:
    input: { header: [{ key: ":path", value: /trap }] }
- name: fine
`);
    expect(code).toBe(1);
    expect(stdout.split("\n").slice(0, 10)).toEqual([
      "✗ everything is wrong",
      '    cases.yaml:13:9: expected x-value: red; found: "blue"',
      "    cases.yaml:15:9: :scheme is there: http",
      "    cases.yaml:18:7: the filter does not answer by itself",
      "    cases.yaml:25:7: the filter lets the message pass",
      "    cases.yaml:24:9: no such callout to auth; there were: none",
      expect.stringMatching(/^ {4}cases\.yaml:17:9: no header matches; there is: ":method: GET", /),
      '    cases.yaml:21:9: a line of the log matches that should not: "asked for /hello at 123456789000"',
      '    cases.yaml:22:9: no line of the log matches; there is: "asked for /hello at 123456789000"',
      "✗ it traps",
    ]);
    expect(stdout).toMatch(/ {4}cases\.yaml:26:3: the filter stopped in proxy_on_request_headers: the path is a trap/);
    expect(stderr).toBe("error: 2 of 3 cases failed\n");
  });

  test("can be chosen by name, be quiet, and be JSON", async () => {
    expect(await cases(everything, "--only", "bodies")).toMatchObject({
      stdout: expect.stringContaining("1 case passes"),
    });
    expect(await cases(everything, "--quiet")).toMatchObject({ code: 0, stdout: "" });
    expect(await cases(everything, "--quiet", "--json")).toMatchObject({ code: 0, stdout: "" });
    const { stdout } = await cases(everything, "--json", "--only", "answer");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      { file: "cases.yaml", name: "a filter answers by itself", passed: true, failures: [] },
      { file: "cases.yaml", name: "servers that it calls answer", passed: true, failures: [] },
    ]);
    expect(await cases(everything, "--only", "nobody")).toMatchObject({
      code: 1,
      stderr: 'error: no case has "nobody" in its name\n',
    });
  });

  test("take module and configuration from the command line", async () => {
    const yaml = `test:
- name: configured
  plugin_init: { log: [{ exact: configured with green }] }
`;
    const flags = ["--module", join(folder, "filter.wasm"), "--config", "green"];
    expect(await cases(yaml, ...flags)).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout } = await cases(yaml, "--module", "no.wasm");
    expect(code).toBe(1);
    expect(stdout).toContain("cases.yaml:2:3: cannot read no.wasm: there is no such file; has the filter been built?");
  });
});

describe("a file that is wrong is told with line and column:", () => {
  test.each([
    [
      "an unknown field",
      "test:\n- name: a\n  requst_headers: {}\n",
      /cases\.yaml:3:3: "requst_headers" is no field of test\[1\]; it has: name, .*request_headers/,
    ],
    ["a missing field", "test:\n- benchmark: true\n", /cases\.yaml:2:3: test\[1\] lacks "name"/],
    [
      "a wrong kind",
      "test:\n- name: a\n  request_body: x\n",
      /cases\.yaml:3:3: test\[1\]\.request_body is the string "x"; expected is array/,
    ],
    [
      "a wrong word",
      "env:\n  log_level: LOUD\ntest: []\n",
      /cases\.yaml:2:3: env\.log_level is "LOUD"; it can be "TRACE", "DEBUG"/,
    ],
    [
      "two matchers in one",
      "test:\n- name: a\n  plugin_init:\n    log:\n    - { exact: a, regex: b }\n",
      /cases\.yaml:5:7: test\[1\]\.plugin_init\.log\[1\] has one of exact, regex and file/,
    ],
    ["what is no YAML", "test:\n- name: [a\n", /cases\.yaml:3:1: Flow sequence/],
    ["an empty file", "", /cases\.yaml:1:1: the file is empty; expected is object/],
  ])("%s", async (_what, yaml, message) => {
    const { code, stdout, stderr } = await cases(yaml);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test("one that is not there, or was not named", async () => {
    expect(await command("no.yaml")).toMatchObject({
      code: 1,
      stderr: "error: cannot read no.yaml: there is no such file\n",
    });
    expect(await command()).toMatchObject({
      code: 2,
      stderr: "error: a file with cases is missing, such as cases.yaml\n",
    });
  });

  test("a pattern that is none, and files that a case lacks", async () => {
    const { stdout } = await cases(`${env}test:
- name: pattern
  plugin_init: { log: [{ regex: "(" }] }
- name: file
  request_headers: { input: { file: no.http } }
- name: head
  request_headers: { input: { content: hello } }
`);
    expect(stdout).toMatch(/cases\.yaml:6:3: "\(" is no regular expression: /);
    expect(stdout).toContain("cases.yaml:8:3: cannot read no.http: there is no such file");
    expect(stdout).toContain('cases.yaml:10:3: "hello" is no first line of a message, such as GET / HTTP/1.1');
  });
});

test("the schema for editors is the one that files are checked with", async () => {
  const { stdout } = await command("--schema");
  expect(stdout).toBe(await readFile(resolve(import.meta.dirname, "../cases.schema.json"), "utf8"));
});
