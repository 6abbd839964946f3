// The same bodies through our host and through a real Envoy: what the upstream and the client get.

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { dirname } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadFilter } from "../src/index.ts";
import { compileFilter, type Compiled } from "./support/compile.ts";
import { explainMissingEnvoy, findEnvoy, type RunningEnvoy, startEnvoy } from "./support/envoy.ts";
import {
  cluster,
  freePorts,
  httpListener,
  leadingTo,
  pluginConfig,
  pluginLogs,
  type,
  wasmFilter,
} from "./support/envoy-config.ts";

const envoy = findEnvoy();
if (!envoy) explainMissingEnvoy();

const words = "Grüße, 😀 secret sec";
const parts = [words.slice(0, 4), words.slice(4, 12), words.slice(12)];
/** The same text, cut within characters and within the word that the filter takes out. */
const cut = [words, words].flatMap((text) => {
  const bytes = Buffer.from(text);
  return [bytes.subarray(0, 3), bytes.subarray(3, 11), bytes.subarray(11, 17), bytes.subarray(17)];
});

/** `sized` says that the messages tell their length. */
const scenarios: readonly { mode: string; body: readonly (string | Buffer)[]; trailers?: boolean; sized?: boolean }[] =
  [
    { mode: "collect", body: parts },
    { mode: "collect", body: parts, trailers: true },
    { mode: "collect", body: [words], sized: true },
    { mode: "collect", body: [] },
    { mode: "collect read only", body: ["0123456789"], sized: true },
    { mode: "collect ten", body: ["0123456789"] },
    { mode: "collect ten", body: ["0123456789a"], sized: true },
    { mode: "collect ten", body: ["0123456789a"] },
    { mode: "collect ten", body: ["0123456789a"], trailers: true },
    { mode: "collect or pass", body: ["0123456789a"], sized: true },
    { mode: "collect or pass", body: ["01234567", "89a", "bcd"], trailers: true },
    { mode: "chunks", body: cut },
    { mode: "chunks", body: cut, trailers: true },
    { mode: "hold chunks", body: ["\0", "a\0", "b\0"] },
    { mode: "hold chunks", body: ["\0", "a\0", "b\0"], trailers: true },
    { mode: "text", body: cut },
    { mode: "text", body: cut, trailers: true },
    { mode: "text", body: ["a", Buffer.from([0xe2]), Buffer.from([0x82])], trailers: true },
    { mode: "hold text", body: cut },
    { mode: "hold text", body: cut, trailers: true },
    { mode: "plain text", body: ["abc"] },
    { mode: "plain bytes", body: ["abcd"] },
    { mode: "plain clear", body: ["abc"] },
  ];

/** What came of an exchange. */
interface Outcome {
  status: number;
  complete: boolean;
  client: Message;
  upstream: Message | null;
  logs: string[];
}
interface Message {
  body: string;
  contentLength: string | null;
  trailer: string | null;
}

describe.skipIf(!envoy)("a body in a real Envoy", () => {
  let compiled: Compiled;
  let upstream: Server;
  let running: RunningEnvoy;
  let seen: Message | null = null;
  let scenario: Scenario;
  let ports: number[] = [];

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { complete, message } = await receive(incoming);
    // What was answered meanwhile never becomes a request.
    if (!complete) return;
    seen = message;
    const { body, trailers, sized } = scenario;
    if (trailers) response.setHeader("trailer", "x-t");
    if (sized) response.setHeader("content-length", Buffer.byteLength(body.join("")));
    response.flushHeaders();
    await send(body, response);
    if (trailers) response.addTrailers({ "x-t": "1" });
    response.end();
  }

  beforeAll(async () => {
    compiled = await compileFilter("bodies");
    upstream = createServer((incoming, response) => void answer(incoming, response));
    await new Promise<void>((done) => upstream.listen(0, "127.0.0.1", done));
    ports = await freePorts(scenarios.length);
    const listeners = scenarios.map(({ mode }, i) => listener(`s${i}`, mode, ports[i]!, compiled.file));
    const config = {
      static_resources: {
        listeners,
        clusters: [cluster("upstream", (upstream.address() as AddressInfo).port, upstreamOptions)],
      },
    };
    running = await startEnvoy(envoy!, JSON.stringify(config), dirname(compiled.file));
  }, 60_000);

  afterAll(async () => {
    await running?.stop();
    upstream?.closeAllConnections();
    upstream?.close();
  });

  for (const [i, one] of scenarios.entries()) {
    const { mode, body, trailers, sized } = one;
    const frame = [sized ? "with content-length" : "", trailers ? "with trailers" : ""].join(" ");
    test(`${mode}: ${JSON.stringify(body)} ${frame}`, async () => {
      scenario = one;
      const ours = await simulate(compiled, one);
      seen = null;
      const { status, complete, message } = await exchange(ports[i]!, one);
      const logs = (): string[] => pluginLogs(running.log(), `s${i}`).filter(isComparable);
      await expect.poll(logs).toEqual(ours.logs);
      const theirs: Outcome = { status, complete, client: message, upstream: seen, logs: logs() };
      expect(theirs).toEqual(ours);
    });
  }
});

type Scenario = (typeof scenarios)[number];

async function simulate({ bytes }: Compiled, { mode, body, trailers, sized }: Scenario): Promise<Outcome> {
  const filter = await loadFilter(bytes, { config: mode });
  const message = {
    body: sized ? body.join("") : body,
    ...(trailers ? { trailers: { "x-t": "1" } } : {}),
  };
  const response = await filter.request({ method: "POST", ...message }, { upstream: () => message });
  const describe = ({
    headers,
    trailers: t,
    body: b,
  }: typeof response | NonNullable<typeof response.upstream>): Message => ({
    body: Buffer.from(b).toString("hex"),
    contentLength: headers.get("content-length"),
    trailer: t.get("x-t"),
  });
  return {
    status: response.status,
    complete: response.complete,
    client: describe(response),
    upstream: response.upstream && describe(response.upstream),
    logs: response.logs.map((entry) => entry.message).filter(isComparable),
  };
}

/** Where a piece ends may differ: what is said about single pieces is left out. */
function isComparable(line: string): boolean {
  return /^(whole|request|response) /.test(line);
}

async function exchange(
  port: number,
  { body, trailers, sized }: Scenario,
): Promise<{ status: number; complete: boolean; message: Message }> {
  const outgoing = request({
    port,
    host: "127.0.0.1",
    method: "POST",
    headers: {
      connection: "close",
      ...(sized ? { "content-length": Buffer.byteLength(body.join("")) } : { "transfer-encoding": "chunked" }),
      ...(trailers ? { trailer: "x-t" } : {}),
    },
  });
  const answered = new Promise<IncomingMessage>((done, failed) =>
    outgoing.once("response", done).once("error", failed),
  );
  await send(body, outgoing);
  if (trailers) outgoing.addTrailers([["x-t", "1"]]);
  outgoing.end();
  const response = await answered;
  outgoing.on("error", () => {});
  return { status: response.statusCode!, ...(await receive(response)) };
}

/** Sends pieces one by one. The other side may see some of them as one. */
async function send(body: readonly (string | Buffer)[], to: { write(chunk: string | Buffer): unknown }): Promise<void> {
  for (const chunk of body) {
    to.write(chunk);
    await new Promise((done) => setTimeout(done, 5));
  }
}

async function receive(incoming: IncomingMessage): Promise<{ complete: boolean; message: Message }> {
  const chunks: Buffer[] = [];
  await new Promise<void>((done) => {
    incoming.on("data", (chunk: Buffer) => void chunks.push(chunk));
    incoming.once("close", done).once("error", () => {});
  });
  const message = {
    body: Buffer.concat(chunks).toString("hex"),
    contentLength: incoming.headers["content-length"] ?? null,
    trailer: incoming.trailers["x-t"] ?? null,
  };
  return { complete: incoming.complete, message };
}

const withTrailers = { http_protocol_options: { enable_trailers: true } };
const upstreamOptions = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: withTrailers,
    },
  },
};

function listener(name: string, mode: string, port: number, file: string): object {
  return httpListener(name, port, [wasmFilter(pluginConfig(name, mode, file))], [leadingTo("upstream")], withTrailers);
}
