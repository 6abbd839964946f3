// `serve` with filters that have the router send a request again: real servers are asked again.

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import { Readable } from "node:stream";

import { afterEach, describe, expect, test } from "vitest";

import { ExchangeRecord } from "../src/serve/record.ts";
import { filterOf } from "./conformance/probe.ts";
import { set } from "./conformance/scenario.ts";
import { closeAll, closeLater, listen, start, startUpstream } from "./support/serve.ts";

afterEach(closeAll);

/** A filter that sets these of the router's headers. */
const asking = (wishes: Readonly<Record<string, string>>): Uint8Array => {
  const steps = Object.entries(wishes).map(([name, value]) => set(0, `x-envoy-${name}`, value));
  return filterOf({ name: "", on: { request_headers: steps } }).bytes;
};

/** A server that does these things in turn, and the bodies that it has got. */
async function inTurn(
  ...answers: readonly ((response: ServerResponse, request: IncomingMessage) => unknown)[]
): Promise<{ url: URL; bodies: string[] }> {
  const bodies: string[] = [];
  let count = 0;
  const url = await startUpstream((request, response) => {
    const at = count++;
    bodies[at] = "";
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => (bodies[at] += chunk.toString()));
    answers[at]!(response, request);
  });
  return { url, bodies };
}

const whole = (answer: (response: ServerResponse) => unknown) => (response: ServerResponse, request: IncomingMessage) =>
  request.on("end", () => answer(response));
const busy = whole((response) => response.writeHead(503).end("busy".repeat(100_000)));
const ok = whole((response) => response.end("ok"));

describe("a request is sent again over HTTP/1.1", () => {
  test.each([
    ["with the whole body, after a 503", busy],
    ["after a connection that broke", whole((response) => response.destroy())],
    ["after a try that took too long", () => {}],
    ["before all of it has come", (response: ServerResponse) => response.writeHead(503).end("busy")],
  ])("%s", async (what, first) => {
    const { url: upstream, bodies } = await inTurn(first, ok);
    const wishes = { "retry-on": "5xx", ...(what.includes("too long") && { "upstream-rq-per-try-timeout-ms": "500" }) };
    const { url, exchanges, errors } = await start(asking(wishes), upstream);
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("one");
      // Whoever does not wait for the end of the request has answered, and been asked again.
      if (what.includes("before all")) await expect.poll(() => bodies).toHaveLength(2);
      yield Buffer.from("two");
    };
    const response = await fetch(url, {
      method: "POST",
      body: Readable.toWeb(Readable.from(body())),
      duplex: "half",
    } as RequestInit);
    expect([response.status, await response.text()]).toEqual([200, "ok"]);
    expect(bodies.at(-1)).toBe("onetwo");
    expect(bodies).toHaveLength(2);
    await expect.poll(() => exchanges).toMatchObject([{ status: 200, details: "via_upstream" }]);
    expect(errors).toEqual([]);
  });

  test("to a server that is not there, until it has been tried often enough", async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((done) => server.close(done));
    const filter = asking({ "retry-on": "connect-failure", "max-retries": "2" });
    const { url } = await start(filter, new URL(`http://127.0.0.1:${port}`));
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/retried and the latest reset reason: remote connection failure$/);
  });

  test("and what is recorded of it is the last try, and that there was one before", async () => {
    const { url: upstream } = await inTurn(
      whole((response) => response.destroy()),
      ok,
    );
    const record = new ExchangeRecord(1, { changed() {}, ended() {} });
    const { url } = await start(asking({ "retry-on": "5xx" }), upstream, { observe: () => record });
    expect(await (await fetch(url)).text()).toBe("ok");
    await expect.poll(() => record.result?.status).toBe(200);
    expect(record.upstreamFailure).toBeUndefined();
    expect(record.messages["response received"]?.get(":status")).toBe("200");
    const notes = record.events.flatMap(({ event }) => (event.kind === "note" ? [event.text] : []));
    expect(notes).toEqual(["the request is sent again: connection termination"]);
  });
});

describe("a request is sent again over HTTP/2", () => {
  const serving = async (): Promise<URL> => {
    let count = 0;
    const server = createHttp2Server().on("stream", (stream) => {
      stream.on("error", () => {});
      if (count++) return (stream.respond({ ":status": 200 }), stream.end("ok"));
      return stream.close(7);
    });
    const port = await listen(server);
    closeLater(() => server.close());
    return new URL(`h2c://127.0.0.1:${port}`);
  };

  test("after the server has refused the stream", async () => {
    const { url } = await start(asking({ "retry-on": "refused-stream" }), await serving());
    expect(await (await fetch(url)).text()).toBe("ok");
  });

  test("but not for another reason", async () => {
    const { url, exchanges } = await start(asking({ "retry-on": "connect-failure" }), await serving());
    expect((await fetch(url)).status).toBe(503);
    const details = "upstream_reset_before_response_started{remote_refused_stream_reset}";
    await expect.poll(() => exchanges).toMatchObject([{ details }]);
  });
});
