// The filter of callouts.test.ts in a real Envoy, calling a real server.

import { dirname } from "node:path";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { compileFilter } from "./support/compile.ts";
import { callingConfig } from "./support/envoy-config.ts";
import { explainMissingEnvoy, findEnvoy, freePort, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

describe.skipIf(!envoy)("in a real Envoy", () => {
  let server: Server;
  let running: RunningEnvoy;
  let url: string;
  /** The callouts that the server has got. */
  let seen: IncomingMessage[] = [];
  /** Answers that the server keeps back. */
  const late: (() => void)[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const { url: path, headers } = request;
      if (headers["x-envoy-internal"] !== "true") {
        response.writeHead(200, { "x-seen": headers["x-called"] ?? "nothing" }).end("ok");
        return;
      }
      seen.push(request);
      if (path === "/slow") return;
      if (path === "/forget" || path === "/never") {
        late.push(() => response.end("too late"));
        return;
      }
      if (path === "/reset") {
        response.writeHead(200, { "content-length": "100" });
        response.write("part", () => response.destroy());
        return;
      }
      const status = path?.startsWith("/status/") ? Number(path.slice(8)) : 200;
      const body = path === "/1" ? "/2" : path === "/2" ? "" : `${request.method} ${path}`;
      response.writeHead(status, { "x-answer": "yes", trailer: "x-trailer" });
      response.write(body);
      response.addTrailers({ "x-trailer": "t" });
      response.end();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const { file } = await compileFilter("callouts");
    const listener = await freePort();
    url = `http://127.0.0.1:${listener}`;
    const config = callingConfig({
      port: listener,
      module: file,
      configuration: "configure",
      clusters: { upstream: { port }, auth: { port }, dead: { port: undefined }, refusing: { port: await freePort() } },
    });
    running = await startEnvoy(envoy!, config, dirname(file));
  }, 60_000);

  afterAll(async () => {
    await running?.stop();
    server.closeAllConnections();
    server.close();
  });

  const send = (command: string, init: RequestInit = {}): Promise<Response> => {
    seen = [];
    return fetch(`${url}/`, { ...init, headers: { "x-do": command } });
  };
  const answer = "x-answer=yes x-trailer=t 1 trailers";

  test("a root context calls while it is configured", () => running.logged(`configure 1 200 GET /configure ${answer}`));

  test("a callout holds the request, changes it and lets it go on", async () => {
    const response = await send("auth");
    expect(response.headers.get("x-seen")).toBe(`200 GET /check?a=b ${answer}`);
    expect(seen[0]!.rawHeaders).toEqual(
      ["host", "auth", "x-token", "secret"].concat([
        "x-envoy-internal",
        "true",
        "x-envoy-expected-rq-timeout-ms",
        "500",
      ]),
    );
  });

  test("a callout answers the request in place of the upstream", async () => {
    const response = await send("denied");
    expect([response.status, await response.text()]).toEqual([403, "denied"]);
  });

  test("a callout carries what it was given", async () => {
    await send("full");
    expect(seen[0]!.method).toBe("PUT");
    expect(seen[0]!.rawHeaders.map((text) => Buffer.from(text, "latin1").toString())).toEqual(
      "host auth.test:8080 x-one 1 x-two a x-two ü x-bytes € content-length 7 x-envoy-internal true x-envoy-expected-rq-timeout-ms 1234".split(
        " ",
      ),
    );
    await running.logged("7 :status x-answer trailer date connection transfer-encoding x-envoy-upstream-service-time");
  });

  test("a callout is refused by a cluster that is not there, and by one without a host", async () => {
    expect((await send("unknown")).status).toBe(503);
    await running.logged("proxy_http_call answered BadArgument");
    await running.logged("status 2");
    expect((await send("dead")).status).toBe(503);
    await running.logged("status 10");
    expect((await send("open")).status).toBe(200);
  });

  test("a connection that is refused, a timeout and a server's own 503 are told apart", async () => {
    expect((await send("refusing")).status).toBe(403);
    await running.logged(
      "503 upstream connect error or disconnect/reset before headers. reset reason: remote connection failure " +
        "maybe from the proxy",
    );
    await send("slow");
    await running.logged("504 upstream request timeout maybe from the proxy");
    await send("busy");
    await running.logged(`503 GET /status/503 ${answer}`);
    expect(running.log()).not.toContain(`503 GET /status/503 ${answer} maybe`);
  });

  test("an answer that breaks in its middle is none", async () => {
    expect((await send("reset")).status).toBe(200);
    await running.logged("reset without a body");
  });

  test("several callouts are waited for, and one may follow another", async () => {
    expect((await send("several")).headers.get("x-seen")).toMatch(/^(GET \/several\/\d ?){3}$/);
    for (const command of ["chain", "response-chain"]) {
      expect((await send(command)).status).toBe(200);
      expect(seen.map((request) => request.url)).toEqual(["/1", "/2"]);
    }
    await send("handler");
    await running.logged("200, open 1");
    await running.logged("200, open 0");
  });

  test("a callout holds a response, and a body", async () => {
    expect((await send("response")).headers.get("x-called")).toBe(`200 GET /response ${answer}`);
    expect((await send("body", { method: "POST", body: "text" })).status).toBe(200);
    expect(seen.map((request) => request.url)).toEqual(["/body"]);
  });

  test("a callout whose stream has gone calls nobody, one of the root context does", async () => {
    await send("log");
    await running.logged("logged 200 POST /log");
    expect(await (await send("forget")).text()).toBe("ok");
    expect(late).toHaveLength(2);
    for (const answer of late) answer();
    expect((await send("auth")).status).toBe(200);
    expect(running.log()).not.toContain("too late");
  });
});
