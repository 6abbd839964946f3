import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let upstream: Server;
  let seen: string[] = [];

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.writeHead(200, { "content-type": "text/plain" }).end("Hello, world!");
    });
    await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
  });

  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });

  async function start(
    example: string,
    change = (yaml: string) => yaml,
  ): Promise<{ url: string; running: RunningEnvoy }> {
    const folder = resolve(import.meta.dirname, "../examples", example);
    const port = await freePort();
    const yaml = (await readFile(resolve(folder, "envoy.yaml"), "utf8"))
      .replace("port_value: 10000", `port_value: ${port}`)
      .replace("port_value: 3000", `port_value: ${(upstream.address() as AddressInfo).port}`);
    seen = [];
    return { url: `http://127.0.0.1:${port}`, running: await startEnvoy(envoy!, change(yaml), folder) };
  }

  test("add-header adds the header to the upstream's response", async () => {
    const { url, running } = await start("add-header");
    try {
      const response = await fetch(`${url}/hello`);
      expect(response.status).toBe(200);
      expect(response.headers.get("x-service-name")).toBe("my-custom-service");
      expect(await response.text()).toBe("Hello, world!");
      expect(seen).toEqual(["GET /hello"]);
    } finally {
      await running.stop();
    }
  });

  test("add-header takes the value from its configuration", async () => {
    const { url, running } = await start("add-header", (yaml) =>
      yaml.replace("value: my-custom-service", "value: checkout"),
    );
    try {
      expect((await fetch(url)).headers.get("x-service-name")).toBe("checkout");
    } finally {
      await running.stop();
    }
  });

  test("direct-response answers by itself, logs, and never calls the upstream", async () => {
    const { url, running } = await start("direct-response");
    try {
      const response = await fetch(`${url}/greet?who=me`, { headers: { "user-agent": "test" } });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-service-name")).toBe("my-custom-service");
      expect(response.headers.get("content-type")).toBe("text/plain");
      expect(await response.text()).toBe("Hello from Wasm!\n");
      await running.logged(`wasm log direct-response direct-response: host: ${url.slice(7)}, path: /greet?who=me`);
      expect(seen).toEqual([]);
    } finally {
      await running.stop();
    }
  });
});
