// The inspector: a page that shows exchanges as they happen, on a port of its own, and metrics for Prometheus.

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { LoadError } from "../../error.ts";
import type { Metric } from "../../services/metrics.ts";
import type { ExchangeRecord } from "../../serve/record.ts";
import { CommandError, UsageError } from "../errors.ts";
import { packageRoot } from "../package-root.ts";
import type { Exchanges, Summary } from "./exchanges.ts";
import { isToken, newToken, refuseRequest, safeHeaders } from "./guard.ts";
import { prometheusText } from "./metrics.ts";
import { canReplay, type Draft, draftOf, readDraft, send } from "./replay.ts";
import { saveTest } from "./save-test.ts";
import { type TestedFilter, testSource } from "./test-source.ts";
import { viewOf } from "./view.ts";

/** What the inspector shows and does. */
export interface InspectorOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly exchanges: Exchanges;
  /** Where requests are sent once more. */
  readonly target: string;
  /** The project's folder, for saved tests. */
  readonly folder: string;
  /** The filters as a test loads them. */
  filters(): Promise<readonly TestedFilter[]>;
  metrics(): readonly Metric[];
}

/** An inspector that listens. */
export interface RunningInspector {
  /** The address of the page, with the token. */
  readonly url: string;
  /** The address of the metrics. */
  readonly metricsUrl: string;
  close(): Promise<void>;
}

/** Bytes that a request to the inspector may have. */
const MOST_BYTES = 1024 * 1024;

const pageFiles: Readonly<Record<string, string>> = {
  "": "index.html",
  "style.css": "style.css",
  "main.js": "main.js",
  "detail.js": "detail.js",
  "editor.js": "editor.js",
  "dom.js": "dom.js",
};

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/** Starts it, on the loopback address only; rejects when it cannot listen. */
export async function inspect(options: InspectorOptions): Promise<RunningInspector> {
  const inspector = new Inspector(options);
  const server = createServer((request, response) => void inspector.answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  inspector.port = port;
  return {
    url: `http://127.0.0.1:${port}/${inspector.token}/`,
    metricsUrl: `http://127.0.0.1:${port}/metrics`,
    close: () => {
      inspector.sending.abort();
      return close(server);
    },
  };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

class Inspector {
  readonly token: string = newToken();
  /** Ends what is being sent. */
  readonly sending: AbortController = new AbortController();
  port = 0;
  readonly #options: InspectorOptions;

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value);
    try {
      const refusal = refuseRequest(request, this.port);
      if (refusal !== undefined) return text(response, 403, refusal);
      const path = (request.url ?? "/").replace(/\?.*/s, "");
      if (path === "/metrics" && request.method === "GET") {
        response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
        return void response.end(prometheusText(this.#options.metrics()));
      }
      const [, token = "", rest] = /^\/([^/]*)\/(.*)$/s.exec(path) ?? [];
      if (rest === undefined || !isToken(token, this.token)) {
        return text(response, 403, "this address lacks the token; open the one that serve has printed");
      }
      if (rest.startsWith("api/")) await this.#api(request, response, rest.slice(4));
      else await this.#page(request, response, rest);
    } catch (error) {
      const isTold = error instanceof UsageError || error instanceof CommandError || error instanceof LoadError;
      json(response, isTold ? 400 : 500, { error: (error as Error).message });
    }
  }

  async #page({ method }: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    const file = Object.hasOwn(pageFiles, name) ? pageFiles[name] : undefined;
    if (file === undefined || method !== "GET") return text(response, 404, "there is no such page");
    const bytes = await readFile(join(packageRoot(), "src/cli/inspector/page", file));
    response.writeHead(200, { "content-type": types[/\w+$/.exec(file)![0]]! }).end(bytes);
  }

  async #api(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const [, id, action] = /^exchanges\/(\d+)(?:\/(\w+))?$/.exec(path) ?? [];
    const { exchanges } = this.#options;
    if (request.method === "GET") {
      if (path === "events") return this.#events(request, response);
      const record = id !== undefined && action === undefined ? exchanges.get(Number(id)) : undefined;
      if (record) return json(response, 200, viewOf(record, exchanges.trapOf(record)));
      return json(response, 404, { error: "there is no such exchange, or no more" });
    }
    if (request.method !== "POST") return json(response, 405, { error: "GET or POST" });
    const body = await readJson(request);
    if (path === "clear") {
      exchanges.clear();
      return json(response, 200, {});
    }
    if (path === "send") {
      const from = (body as { from?: unknown } | null)?.from;
      await this.#send(readDraft(body, typeof from === "number" ? exchanges.get(from) : undefined));
      return json(response, 200, {});
    }
    const record = id === undefined ? undefined : exchanges.get(Number(id));
    if (!record) return json(response, 404, { error: "there is no such exchange, or no more" });
    if (action === "replay") await this.#replay(record);
    else if (action === "save") return json(response, 200, { file: await this.#save(record, body) });
    else return json(response, 404, { error: "there is no such action" });
    json(response, 200, {});
  }

  #replay(record: ExchangeRecord): Promise<void> {
    if (canReplay(record)) return this.#send(draftOf(record));
    throw new UsageError("the exchange cannot be sent again: not all of its request was kept, or it goes on");
  }

  /** Sends a request, until it is an exchange: what becomes of it stands there. */
  async #send(draft: Draft): Promise<void> {
    const { exchanges, target } = this.#options;
    const before = exchanges.newest;
    let end = (): void => {};
    const begun = new Promise<void>((done) => (end = exchanges.listen(({ id }) => id > before && done())));
    const outcome = send(target, draft, this.sending.signal);
    await Promise.race([begun, outcome]);
    end();
    if (exchanges.newest > before) return;
    throw new CommandError(`the request did not come to the filters: ${await outcome}`);
  }

  async #save(record: ExchangeRecord, body: unknown): Promise<string> {
    const { title } = (body ?? {}) as { title?: unknown };
    if (typeof title !== "string" || !title.trim() || title.length > 200) {
      throw new UsageError("a test has a title, of 200 letters at most");
    }
    const source = testSource(record, await this.#options.filters(), title.trim());
    return saveTest(this.#options.folder, title, source);
  }

  /** Server-sent events: all exchanges, then each change. Whoever reads too slowly for that gets all once more later. */
  #events(request: IncomingMessage, response: ServerResponse): void {
    const { exchanges } = this.#options;
    let [isFull, isBehind] = [false, false];
    const write = (summaries: readonly Summary[]): void => {
      isFull = !response.write(`data: ${JSON.stringify(summaries)}\n\n`);
    };
    response.on("drain", () => {
      isFull = false;
      if (!isBehind) return;
      isBehind = false;
      write(exchanges.summaries);
    });
    response.writeHead(200, { "content-type": "text/event-stream" });
    write(exchanges.summaries);
    const end = exchanges.listen((summary) => {
      if (isFull) isBehind = true;
      else write([summary]);
    });
    request.on("close", end);
    response.on("error", end);
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) {
    throw new UsageError("the content-type must be application/json");
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MOST_BYTES) throw new UsageError(`at most ${MOST_BYTES} bytes are taken`);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || "null");
  } catch {
    throw new UsageError("that is no JSON");
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function text(response: ServerResponse, status: number, value: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${value}\n`);
}
