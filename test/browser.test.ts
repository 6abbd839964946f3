// The host in a browser: a page made with a bundler runs a filter in headless Chromium.

import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { build } from "vite";
import { expect, test } from "vitest";

import { explainMissingChromium, findChromium } from "./support/chromium.ts";

const root = resolve(import.meta.dirname, "..");
const chromium = findChromium();
if (!chromium) explainMissingChromium();

const page = `<!doctype html><title>filter</title><pre id="result"></pre><script type="module" src="./main.js"></script>`;
const script = `
import { loadFilter } from "proxy-wasm";
const bytes = await (await fetch("./filter.wasm")).arrayBuffer();
const filter = await loadFilter(bytes);
const response = await filter.request("/hello", { upstream: () => ({ status: 200, body: "Hello, world!" }) });
const header = response.headers.get("x-service-name");
document.querySelector("#result").textContent = [response.status, header, response.text()].join(" | ");
`;

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

test.skipIf(!chromium)("a page runs add-header", { timeout: 60_000 }, async () => {
  await mkdir(join(root, "test/build"), { recursive: true });
  const folder = await mkdtemp(join(root, "test/build/page-"));
  const profile = await mkdtemp(join(tmpdir(), "chromium-"));
  const built = join(folder, "built");
  const server = createServer((request, response) => {
    const file = join(built, request.url === "/" ? "index.html" : resolve("/", request.url!.replace(/\?.*/s, "")));
    readFile(file).then(
      (bytes) => response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  try {
    await writeFile(join(folder, "index.html"), page);
    await writeFile(join(folder, "main.js"), script);
    await build({ root: folder, logLevel: "error", configFile: false, build: { outDir: built, target: "esnext" } });
    await copyFile(join(root, "examples/add-header/build/release.wasm"), join(built, "filter.wasm"));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
    flags.push(
      "--disable-component-update",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      "--virtual-time-budget=10000",
    );
    const url = `http://127.0.0.1:${port}/`;
    const { stdout } = await promisify(execFile)(chromium!, [...flags, "--dump-dom", url], { timeout: 50_000 });
    expect(stdout).toContain('<pre id="result">200 | my-custom-service | Hello, world!</pre>');
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
    await rm(profile, { recursive: true, force: true });
  }
});
