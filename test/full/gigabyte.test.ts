// A large body passes `serve` in pieces: the process stays small.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";

import { expect, test } from "vitest";

const GIBIBYTE = 1024 ** 3;
const root = resolve(import.meta.dirname, "../..");

test.skipIf(process.platform !== "linux")("a body of 1 GiB keeps the process below 200 MiB", async () => {
  const upstream = createServer((_request, response) => {
    const chunk = Buffer.alloc(65536, 0x78);
    response.writeHead(200, { "content-length": GIBIBYTE });
    let sent = 0;
    const more = (): void => {
      while (sent < GIBIBYTE) {
        sent += chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  const { port } = upstream.address() as AddressInfo;
  const args = ["dist/src/cli/main.js", "serve", "bench/build/add-header.wasm", "--port", "0"];
  const child = spawn(process.execPath, [...args, "--upstream", `http://127.0.0.1:${port}`], { cwd: root });
  try {
    const url = await new Promise<string>((done) => {
      child.stdout.on("data", (chunk: Buffer) => {
        const match = /curl -i (\S+)/.exec(chunk.toString());
        if (match) done(match[1]!);
      });
    });
    const received = await new Promise<number>((done, reject) => {
      get(url, (response) => {
        let size = 0;
        expect(response.headers["x-service-name"]).toBe("my-custom-service");
        response.on("data", (chunk: Buffer) => (size += chunk.length));
        response.on("end", () => done(size));
        response.on("error", reject);
      }).on("error", reject);
    });
    expect(received).toBe(GIBIBYTE);
    const most = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1]) / 1024;
    console.log(`serve passed 1 GiB with at most ${most.toFixed(0)} MiB of memory`);
    expect(most).toBeLessThan(200);
  } finally {
    child.kill("SIGINT");
    upstream.closeAllConnections();
    upstream.close();
  }
});
