// A filter that does a little of everything, and a server that it is inspected in.

import { mkdtemp, realpath, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Exchanges } from "../../src/cli/inspector/exchanges.ts";
import { inspect, type RunningInspector } from "../../src/cli/inspector/server.ts";
import { ServedFilters } from "../../src/cli/serve/proxy.ts";
import { LogLevel } from "../../src/index.ts";
import { ExchangeRecord } from "../../src/serve/record.ts";
import { compileSource } from "./compile.ts";
import { closeLater, start, type Started, startUpstream } from "./serve.ts";

const inspectedFilter = `
import {
  Action, Counter, HttpCall, HttpContext, logInfo, logWarn, registerRootContext, RootContext,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  override createHttpContext(): HttpContext {
    return new Filter();
  }
}

class Filter extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const path = this.requestHeaders.get(":path")!;
    new Counter("requests.total").increment();
    assert(!path.startsWith("/trap"), "the path is a trap");
    if (path.startsWith("/deny")) {
      this.sendLocalResponse(403, "denied");
      return Action.Pause;
    }
    const secret = this.requestHeaders.get("authorization");
    logInfo("asked for " + path + " with " + (secret !== null ? secret : "nothing"));
    if (path.startsWith("/slow")) this.requestHeaders.set("x-envoy-upstream-rq-timeout-ms", "50");
    this.requestHeaders.delete("x-drop");
    this.requestHeaders.set("x-tag", "tagged");
    if (secret !== null && path.startsWith("/auth/echo")) this.requestHeaders.set("x-copied", secret);
    if (!path.startsWith("/auth")) return Action.Continue;
    const call = new HttpCall("auth").get(path.replace("/auth", "/check")).header("authorization", "Bearer callout-secret");
    return this.pauseFor(
      this.httpCall<Filter>(call, (self, response) => {
        if (response.status == 200) self.continueRequest();
        else self.sendLocalResponse(401, "no");
      }),
    );
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    logWarn("answering");
    this.responseHeaders.set("x-service-name", "my-custom-service");
    return Action.Continue;
  }
}

registerRootContext("", () => new Root());
`;

/** What a test has of it. */
export interface Inspected {
  readonly server: Started;
  readonly inspector: RunningInspector;
  readonly folder: string;
  /** What the upstream has been asked. */
  readonly received: readonly IncomingMessage[];
  /** The page's address without the last slash. */
  readonly page: string;
}

let compiled: ReturnType<typeof compileSource> | undefined;

/** Serves and inspects it; saved tests go to a folder of their own. */
export async function startInspected(): Promise<Inspected> {
  compiled ??= compileSource(inspectedFilter);
  const { file } = await compiled;
  const auth = await startUpstream((request, response) => {
    if (request.url!.startsWith("/check/long")) return void response.end("x".repeat(300 * 1024));
    const echo = request.url!.startsWith("/check/echo") && `, ${request.headers.authorization}`;
    response.writeHead(200, { "x-user": "ada", "x-token": "answer-secret" }).end(`yes${echo || ""}`);
  });
  const received: IncomingMessage[] = [];
  const upstream = await startUpstream((request, response) => {
    received.push(request);
    if (request.url!.startsWith("/auth/echo")) {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => response.end(JSON.stringify({ headers: request.headers, url: request.url, body })));
      return;
    }
    if (request.url!.startsWith("/slow")) return;
    if (request.url!.startsWith("/reset")) return void request.socket.destroy();
    if (request.url!.startsWith("/cut")) {
      return void response.writeHead(200, { "content-length": "10" }).write("half", () => request.socket.destroy());
    }
    // An event stream goes on.
    if (request.url!.startsWith("/stream")) return void response.write("data: 1\n\n");
    response.setHeader("set-cookie", "session=upstream-secret");
    request.pipe(response.writeHead(200, { "content-type": "text/html" }));
    if (request.method === "GET") response.end("<b>hello</b>");
  });
  const spec = { module: file, name: "inspected", config: "", rootId: "" };
  const filters = await ServedFilters.load({
    specs: [spec],
    clusters: new Map([["auth", auth]]),
    failurePolicy: "reload",
    logLevel: LogLevel.Info,
    onClusterFailure: () => {},
    onError: () => {},
  });
  const exchanges = new Exchanges(() => filters.traps);
  let count = 0;
  const server = await start(filters.chain, upstream, { observe: () => new ExchangeRecord(++count, exchanges) });
  const folder = await realpath(await mkdtemp(join(tmpdir(), "proxy-wasm-inspected-")));
  const inspector = await inspect({
    port: 0,
    exchanges,
    target: server.url,
    folder,
    filters: async () => [{ ...spec, expressions: false }],
    metrics: () => filters.proxy.metrics.list(),
  });
  closeLater(async () => {
    await inspector.close();
    filters.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { server, inspector, folder, received, page: inspector.url.replace(/\/$/, "") };
}
