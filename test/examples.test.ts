// The commands in the READMEs of the examples give the answers that stand there.

import { resolve } from "node:path";

import { describe, expect, test } from "vitest";

import { run } from "../src/cli/run.ts";
import { codeBlocks } from "./support/blocks.ts";

describe.each(["add-header", "direct-response"])("examples/%s", (name) => {
  test("answers on the built-in server as its README says", async () => {
    const readme = `examples/${name}/README.md`;
    const [commands] = await codeBlocks(readme, "sh");
    const [session] = await codeBlocks(readme, "console");
    const flags = /^npx proxy-wasm serve ?(.*)$/m
      .exec(commands!)![1]!
      .split(" ")
      .filter((word) => word);
    const module = resolve(import.meta.dirname, "..", "examples", name, "build/release.wasm");
    let url = "";
    const stdout = { write: (text: string) => (url ||= /http:\/\/localhost:\d+/.exec(text)?.[0] ?? "") };
    const abort = new AbortController();
    const args = ["serve", module, "--port", "0", ...flags];
    const running = run(args, { stdout, stderr: { write: () => {} }, signal: abort.signal });
    await expect.poll(() => url).not.toBe("");
    const [first, ...expected] = session!.trimEnd().split("\n");
    const path = /^\$ curl -i http:\/\/localhost:8080(\S*)$/.exec(first!)![1]!;
    const response = await fetch(url + path, { headers: { connection: "close" } });
    const body = expected.pop();
    expect(`HTTP/1.1 ${response.status} ${response.statusText}`).toBe(expected.shift());
    for (const line of expected.filter((text) => text !== "…")) {
      const [header, value] = line.split(": ");
      expect(response.headers.get(header!)).toBe(value);
    }
    expect((await response.text()).trimEnd()).toBe(body);
    abort.abort();
    expect(await running).toBe(0);
  });
});
