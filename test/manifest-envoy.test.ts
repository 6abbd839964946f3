// The configurations that `manifest envoy` writes, in a real Envoy: it takes them, and the filter sees what it should.

import { execFile } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileSource } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import { ManifestProject } from "./support/manifests.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const source = `
import {
  Action, HttpContext, logInfo, registerRootContext, RootContext, StreamContext,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  value: string = "";

  override onConfigure(_size: u32): bool {
    this.value = this.configuration!;
    logInfo("configured " + this.value + " in " + this.vmConfiguration!);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new Http(this);
  }

  override createStreamContext(): StreamContext {
    return new Tcp();
  }

  override onLog(): void {
    logInfo("log of the root");
  }
}

class Http extends HttpContext {
  constructor(private readonly root: Root) {
    super();
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.responseHeaders.set("x-configuration", this.root.value);
    this.responseHeaders.set("x-mode", process.env.has("MODE") ? process.env.get("MODE") : "none");
    return Action.Continue;
  }
}

class Tcp extends StreamContext {
  override onDownstreamData(size: u32, _endOfStream: bool): Action {
    logInfo("received " + size.toString());
    return Action.Continue;
  }
}

registerRootContext("mine", () => new Root());
`;

describe.skipIf(!envoy)("Envoy", () => {
  const project = new ManifestProject();
  let port: number;
  let running: RunningEnvoy | undefined;
  let echo: Server;
  let files: HttpServer;

  beforeAll(async () => {
    const { file } = await compileSource(source);
    copyFileSync(file, project.path("build/release.wasm"));
    port = await freePort();
    echo = createServer((socket) => socket.pipe(socket).on("error", () => {}));
    files = createHttpServer((_request, response) => response.end(readFileSync(project.path("build/release.wasm"))));
    for (const server of [echo, files]) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  });
  afterAll(async () => {
    for (const server of [echo, files]) server?.close();
    project.remove();
  });

  const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const content = { name: "my-filter", rootId: "mine", configuration: { a: 'it\'s "b"' } };
  const configuration = JSON.stringify(content.configuration);

  /** Has Envoy look at a configuration, and then run it, with what comes of `use`. */
  async function inEnvoy(
    more: Record<string, unknown>,
    place: object,
    use: (running: RunningEnvoy) => Promise<void>,
  ): Promise<void> {
    const out = project.path("envoy.yaml");
    const targets = { envoy: { listen: `127.0.0.1:${port}`, ...place } };
    await project.manifest({ ...content, ...more, targets }, "envoy", "--out", out, "--force");
    await promisify(execFile)(envoy!, ["--mode", "validate", "-c", out, "--log-level", "error"]);
    running = await startEnvoy(envoy!, readFileSync(out, "utf8"), project.folder);
    try {
      await use(running);
    } finally {
      await running.stop();
    }
  }

  async function request(): Promise<{ status: number; body: string; header(name: string): string | null }> {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    const body = await response.text();
    return { status: response.status, body, header: (name) => response.headers.get(name) };
  }

  test("runs a filter from a file, with its configuration and environment", async () => {
    const more = { environment: { values: { MODE: "strict" } }, vmConfiguration: "vm", vmId: "v" };
    await inEnvoy(more, { upstream: addressOf(files) }, async (running) => {
      const { status, header, body } = await request();
      expect({ status, configuration: header("x-configuration"), mode: header("x-mode") }).toEqual({
        status: 200,
        configuration,
        mode: "strict",
      });
      expect(body.slice(1, 4)).toBe("asm");
      expect(running.log()).toContain(`configured ${configuration} in vm`);
    });
  });

  test("downloads a filter, and compares it with the digest", async () => {
    const url = `${addressOf(files)}/filter.wasm`;
    await inEnvoy({ url }, {}, async (running) => {
      await running.logged("all dependencies initialized. starting workers");
      const { status, header, body } = await request();
      expect({ status, configuration: header("x-configuration"), body }).toEqual({
        status: 200,
        configuration,
        body: "Hello, world!",
      });
    });
  });

  test("refuses what a filter may not use", async () => {
    const callbacks = ["proxy_on_vm_start", "proxy_on_configure", "proxy_on_context_create"];
    const capabilities = [...callbacks, "proxy_get_buffer_bytes", "proxy_log"];
    await inEnvoy({ capabilities }, {}, async () => {
      expect((await request()).header("x-configuration")).toBeNull();
    });
  });

  test("runs a filter for connections", async () => {
    await inEnvoy({ kind: "network" }, { upstream: addressOf(echo) }, async (running) => {
      const socket = connect(port, "127.0.0.1");
      socket.end("hello");
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      expect(text).toBe("hello");
      await running.logged("received 5");
    });
  });

  test("runs a filter as an access log", async () => {
    await inEnvoy({ kind: "access-log" }, {}, async (running) => {
      const { status, header } = await request();
      expect({ status, configuration: header("x-configuration") }).toEqual({ status: 200, configuration: null });
      await running.logged("log of the root");
    });
  });

  test("runs a filter as a service", async () => {
    await inEnvoy({ kind: "service" }, {}, async (running) => {
      await running.logged(`configured ${configuration}`);
      await expect(request()).rejects.toThrow("fetch failed");
    });
  });
});
